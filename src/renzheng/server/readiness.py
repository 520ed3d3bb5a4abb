"""Whether the server can do its work now: a short list of named checks, for load balancers and people."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from renzheng.base.faults import fault_name
from renzheng.engine import packs
from renzheng.engine.interface import Engine
from renzheng.store.nodes import Membership
from renzheng.store.open import Store
from renzheng.store.room import BEGUN

Check = Callable[[], Awaitable[str | None]]
"""Returns a sentence if the server is not ready, else None."""


class Readiness:
    """The checks by name. Parts add theirs at start."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check. `name`: one word, by which a monitor knows the check."""
        self._checks[name] = check

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._checks)

    async def reasons(self) -> dict[str, str]:
        """Return why the server is not ready, by the check's name; empty if it is. A check that fails is a reason
        too."""
        found = {}
        for name, check in self._checks.items():
            try:
                sentence = await check()
            except Exception as error:
                sentence = f"the check failed: {fault_name(error)}"
            if sentence is not None:
                found[name] = sentence
        return found


@dataclass(slots=True)
class Phase:
    """`trouble`: why the server as a whole is not ready; None while it runs."""

    trouble: str | None = "the server is starting"


def server_readiness(
    phase: Phase, engine: Engine, store: Store, membership: Membership, folders: Sequence[Path]
) -> Readiness:
    """Make the checks of a whole server. `folders`: those that it must be able to write."""
    readiness = Readiness()

    async def server() -> str | None:
        return phase.trouble

    async def models() -> str | None:
        faults = await asyncio.to_thread(packs.faults)
        return "; ".join(faults) or None

    async def workers() -> str | None:
        down = engine.down()
        return f"no process is up for: {', '.join(down)}" if down else None

    async def storage() -> str | None:
        return await asyncio.to_thread(store_trouble, store, folders)

    async def clock() -> str | None:
        return membership.trouble

    async def schema() -> str | None:
        return membership.outdated

    for name, check in (
        ("clock", clock),
        ("schema", schema),
        ("server", server),
        ("models", models),
        ("workers", workers),
        ("store", storage),
    ):
        readiness.add(name, check)
    return readiness


def store_trouble(store: Store, folders: Sequence[Path]) -> str | None:
    """Return why the store cannot write: its folders, its last transaction, or no room even for frames; else None."""
    faults = (fault for fault in map(unwritable, folders) if fault is not None)
    return next(faults, None) or store.database.trouble or store.room.shortage(part=BEGUN)


def unwritable(folder: Path) -> str | None:
    """Return a sentence if a few kilobytes cannot be written into a folder now, else None."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder} cannot be written: {fault_name(error)}"
    return None
