"""The page's machine, in Node: no dead end in its table, and none beside the server's own conversation."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, get_args, get_type_hints

import pytest

from renzheng.capture import messages, pages
from renzheng.capture.effects import End
from renzheng.capture.messages import Close
from renzheng.verification.challenge import ACTIONS, COLOURS, LIGHT_WARNING
from renzheng.web import files
from tests.capture.conversations import Person, Play, Server
from tests.support.node import NODE

WORLDS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules as they are served, and those of this test beside them."""
    made = tmp_path_factory.mktemp("page")
    for name in files.names(pages.PACKAGE):
        if name.endswith(".js"):
            (made / name).write_bytes(files.static_file(pages.PACKAGE, name).body)
    for file in Path(__file__).parent.glob("page_*.js"):
        shutil.copy(file, made)
    (made / "package.json").write_text('{"type": "module"}')
    return made


def node(folder: Path, script: str, given: object = None) -> Any:
    done = subprocess.run(
        [NODE, script], cwd=folder, input=json.dumps(given), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def steadily(seconds: float) -> Callable[[float], float]:
    return lambda _: seconds


def conversations(count: int) -> list[dict[str, Any]]:
    """What the server's conversation says to people of all kinds, over lines of all kinds, and how each ended."""
    told = []
    for seed in range(count):
        chance = Random(seed)
        actions = tuple(chance.choices(ACTIONS, k=chance.randint(1, 4)))
        if seed % 5 == 0:
            actions += (LIGHT_WARNING, *list(COLOURS)[:3])
        person = Person(
            interval=steadily(chance.choice([0.1, 0.1, 0.1, 1.0])),
            line=steadily(chance.choice([0.04, 0.04, 0.04, 1.0, 4.0])),
            acts=chance.random() < 0.6,
            gone=chance.choice([0.0, 0.0, 0.0, 0.3, 1.0]),
            turns_phone_at=chance.choice([None, None, None, None, 4.0]),
        )
        server = Server(loses=chance.choice([0.0, 0.0, 0.0, 0.0, 0.8]), is_crowded=chance.random() < 0.2)
        if seed % 3 == 0:
            server, person = Server(), Person()
        play = Play(actions, server, person, seed).run()
        said = [{"type": one.kind, **one.fields} for one in play.sent if one.kind not in ("ping", "ack")]
        told.append({"messages": said, "end": str(play.end), "counted": play.counted})
    return told


@pytest.fixture(scope="module")
def written(folder: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = node(folder, "page_table.js")
    return found


def test_every_wait_has_an_end_and_every_state_but_the_last_a_way_on(written: Mapping[str, Any]) -> None:
    table = written["table"]
    targets = {target for row in table.values() for target in row["on"].values()}
    assert targets | {"new"} == set(table), "all are reached and all are there"
    assert {f"enter_{name}" for name in table} - set(written["states"]) == {"enter_new"}
    for name, row in table.items():
        if "limit" in row:
            ms, move = row["limit"]
            assert ms <= 15_000 or name in ("capture", "judging", "handover"), name
            assert move in row["on"], name
        else:
            assert row["on"] or row["ends"], name
            assert row.get("screens") or name == "left", f"{name} waits for the person and shows nothing"
    # Left alone, every state comes to one in which the screen waits for the person, or speaks with the server anew.
    for name in table:
        at, seen = name, set[str]()
        while "limit" in table[at] and at not in seen:
            seen.add(at)
            at = table[at]["on"][table[at]["limit"][1]]
        assert "limit" not in table[at] or at == "starting", (name, at)


def test_every_screen_of_the_table_can_be_drawn(written: Mapping[str, Any]) -> None:
    shown = {screen for row in written["table"].values() for screen in row.get("screens", ())} - {"capture"}
    drawn = set(written["screens"])
    unknown = {name for name in shown if name not in drawn and name.split("_")[0] not in drawn}
    assert not unknown
    assert not {name for name in drawn if not any(one == name or one.startswith(f"{name}_") for one in shown)}


def test_the_page_knows_what_the_server_can_say(written: Mapping[str, Any]) -> None:
    screens = written["table"]
    ends = {str(end) for end in End} - {"completed"}
    assert {f"over_{end}" for end in (*ends, "not_passed", "lost_line")} == set(screens["over"]["screens"])
    assert {int(code) for code in written["closes"]} == {int(code) for code in Close} | {1009}
    final = {int(code) for code, close in written["closes"].items() if close["final"]}
    shown = {int(name.split("_")[1]) for name in screens["closed"]["screens"]}
    assert shown == final - {Close.DONE} | {Close.FULL}
    notes = set(get_args(get_type_hints(messages.Note)["camera"])) - {"granted"}
    assert {f"camera_{note}" for note in notes} == set(screens["camera"]["screens"])


def test_in_thousands_of_verifications_nobody_is_left_without_a_next_step(folder: Path) -> None:
    """Whatever person, camera, line and server do. In one of ten all goes well besides, and ends in `passed`."""
    told = conversations(200)
    found = node(folder, "page_worlds.js", {"worlds": WORLDS, "conversations": told})
    assert not found["broken"], "\n".join(found["broken"])
    table = node(folder, "page_table.js")["table"]
    assert set(found["states"]) == set(table), "every state was lived through"
    assert {"step", "wait", "network", "hint", "attempt_over", "judging", "outcome", "handover"} <= set(
        found["messages"]
    )
    assert {one["end"] for one in told} >= {"completed", "timeout", "not_ready", "turned", "server"}
    assert all("limit" not in table[state] for state in found["settled"])
    assert found["pressed"] > WORLDS
