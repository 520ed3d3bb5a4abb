"""The page's machine outside a browser: its modules as they are served, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from renzheng.capture import pages
from renzheng.verification.challenge import ACTIONS, COLOURS, LIGHT_WARNING
from renzheng.web import files
from tests.capture.conversations import Person, Play, Server
from tests.support.node import NODE

SCRIPTS = Path(__file__).parents[1] / "capture"


def lay_out(folder: Path) -> Path:
    """The page's modules as they are served, and the scripts of the tests beside them."""
    for name in files.names(pages.PACKAGE):
        if name.endswith(".js"):
            (folder / name).write_bytes(files.static_file(pages.PACKAGE, name).body)
    for file in SCRIPTS.glob("page_*.js"):
        shutil.copy(file, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run(folder: Path, script: str, given: object = None) -> Any:
    """What a script prints, as JSON."""
    done = subprocess.run(
        [NODE, script], cwd=folder, input=json.dumps(given), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def live(folder: Path, worlds: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run this many verifications of `page_worlds.js`: what the server said in them, and what was seen."""
    told = conversations(200)
    return told, run(folder, "page_worlds.js", {"worlds": worlds, "conversations": told})


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
