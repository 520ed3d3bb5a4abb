"""The page's machine, in Node: no dead end in its table, and none beside the server's own conversation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from renzheng.capture import messages
from renzheng.capture.effects import End
from renzheng.capture.messages import Close
from tests.support import page

WORLDS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.lay_out(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def written(folder: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = page.run(folder, "page_table.js")
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


def test_in_thousands_of_verifications_nobody_is_left_without_a_next_step(
    folder: Path, written: Mapping[str, Any]
) -> None:
    """Whatever person, camera, line and server do. In one of ten all goes well besides, and ends in `passed`."""
    told, found = page.live(folder, WORLDS)
    assert not found["broken"], "\n".join(found["broken"])
    table = written["table"]
    assert set(found["states"]) == set(table), "every state was lived through"
    assert {"step", "wait", "network", "hint", "attempt_over", "judging", "outcome", "handover"} <= set(
        found["messages"]
    )
    assert {one["end"] for one in told} >= {"completed", "timeout", "not_ready", "turned", "server"}
    assert all("limit" not in table[state] for state in found["settled"])
    assert found["pressed"] > WORLDS
