"""Imports of people: a table and photos in parts, checked as a whole, then enrolled row by row in the background.

Progress is recorded row by row, so after a crash or a lost connection an import continues where it ended. No fault
names a person, a number or a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from renzheng.store.accounts import RefusedError
from renzheng.store.enrolment import MAGIC, ImportPlan, ImportRow, Problem, plan_of, read_lines
from renzheng.store.identities import NewPerson
from renzheng.store.imports import TAKES_PARTS, Import, ImportState, Part, PartKind
from renzheng.store.open import Store
from renzheng.verification.records import NoRoomError

MAX_TABLE_BYTES = 16 * 1024 * 1024
"""Bytes of all parts of a table. It is parsed in memory."""
MAX_ROWS = 100_000
"""Rows of a table. A row of two bytes can cause several faults of a hundred bytes each."""
Look = Callable[[bytes], Awaitable[str | None]]
"""Returns what is wrong with a photo, as the judge would see it; None if nothing is."""


_reading: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
"""One lock per account: parsing takes several times the memory of the table, so each account has one at a time."""


class ImportView(msgspec.Struct, rename="pascal", frozen=True):
    """`total`, `done`: rows to enrol, and rows enrolled. `trouble`: why it failed."""

    import_id: int
    account_id: int
    author: str
    state: str
    replace: bool
    created_at: float
    changed_at: float
    parts: int
    bytes: int
    total: int
    done: int
    trouble: str


class FaultView(msgspec.Struct, rename="pascal", frozen=True):
    """`row`: as in a spreadsheet, where the heading is row 1. `field`: a column's name."""

    row: int
    field: str
    reason: str


async def view_of(store: Store, found: Import) -> ImportView:
    parts, size = await store.imports.size(found.account_id, found.id)
    return ImportView(
        found.id,
        found.account_id,
        found.author,
        found.state.value,
        found.replaces,
        found.created_at,
        found.changed_at,
        parts,
        size,
        found.total,
        found.done,
        found.trouble,
    )


async def put(
    store: Store, account_id: int, import_id: int, number: int, kind: PartKind, name: str, data: bytes
) -> Part:
    """Store a part. Raises NotFoundError; RefusedError for a photo that is not an image or has no name."""
    if kind is PartKind.PHOTO:
        if not name or len(name) > 255:
            raise RefusedError("a photo needs the name that it has in the table, at most 255 characters")
        if not data.startswith(MAGIC):
            raise RefusedError("the photo is not a JPEG or PNG")
    return await store.imports.put(account_id, import_id, number, kind, name if kind is PartKind.PHOTO else "", data)


class _Photos:
    """The photos of an import, by name. A handle is a part."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = {part.name: part for part in parts if part.kind is PartKind.PHOTO}

    def find(self, name: str) -> Part | None:
        return self._parts.get(name)

    def fault(self, photo: Any) -> str | None:
        return None  # checked when it was stored


async def check(store: Store, account_id: int, import_id: int, look: Look | None = None) -> ImportPlan:
    """Return all faults, by row, and store nothing. `look`: also check every photo, which takes a while for many.

    Raises NotFoundError; RefusedError if there is no table, or it cannot be read.
    """
    found = await store.imports.get(account_id, import_id)
    if found.state not in TAKES_PARTS | {ImportState.COMMITTING}:
        raise RefusedError(f"import {import_id} is {found.state.value}")
    parts = await store.imports.parts(account_id, import_id)
    tables = [part for part in parts if part.kind is PartKind.TABLE]
    if not tables:
        raise RefusedError("there is no table yet: upload a part of the kind table")
    if sum(part.size for part in tables) > MAX_TABLE_BYTES:
        raise RefusedError(f"the table has more than {MAX_TABLE_BYTES} bytes: split it into several imports")
    async with _reading.setdefault(account_id, asyncio.Lock()):
        lines = await _read(store, found, tables, _Photos(parts))
    # Once enrolling has begun, the row after the last counted one may be enrolled too.
    done = found.done + int(found.total > 0)
    plan = await plan_of(store.identities, account_id, lines, replace=found.replaces, done=done)
    if look is None:
        return plan
    faults: dict[int, str] = {}
    for line in plan.lines[found.done :]:
        if line.photo is not None:
            fault = await look(await store.imports.data(account_id, import_id, line.photo))
            if fault is not None:
                faults[line.row] = fault
    return plan.without(faults)


async def _read(store: Store, found: Import, tables: list[Part], photos: _Photos) -> list[ImportRow | Problem]:
    content = b"".join([await store.imports.data(found.account_id, found.id, part) for part in tables])
    return await asyncio.to_thread(lambda: list(read_lines(content, photos, MAX_ROWS)))


async def begin(store: Store, account_id: int, import_id: int) -> Import:
    """Mark the import as being enrolled; `enrol` then does it. Raises NotFoundError, RefusedError."""
    return await store.imports.move(account_id, import_id, TAKES_PARTS, ImportState.COMMITTING)


async def enrol(store: Store, account_id: int, import_id: int, look: Look | None) -> Import:
    """Check all, and enrol row after row if nothing is wrong. A failure is stored in the import's state."""
    committing = frozenset({ImportState.COMMITTING})

    async def fail(trouble: str) -> Import:
        return await store.imports.move(account_id, import_id, committing, ImportState.FAILED, trouble=trouble)

    try:
        begun = (await store.imports.get(account_id, import_id)).total > 0
        plan = await check(store, account_id, import_id, look)
        if plan.problems:
            return await fail(f"{len(plan.problems)} faults: CheckImport lists them; nothing more was stored")
        found = await store.imports.move(
            account_id, import_id, committing, ImportState.COMMITTING, total=len(plan.lines)
        )
        for number, line in enumerate(plan.lines[found.done :], found.done + 1):
            await _enrol_one(store, found, line, may_be_enrolled=begun and number == found.done + 1)
            await store.imports.progress(account_id, import_id, number)
    except (RefusedError, NoRoomError) as error:
        return await fail(str(error))
    except Exception:
        await fail("something failed midway: commit it again, and it goes on where it ended")
        raise
    return await store.imports.move(account_id, import_id, committing, ImportState.DONE)


async def _enrol_one(store: Store, found: Import, line: ImportRow, may_be_enrolled: bool) -> None:
    photo = None if line.photo is None else await store.imports.data(found.account_id, found.id, line.photo)
    replace = found.replaces or may_be_enrolled
    await store.identities.add(found.account_id, NewPerson(line.id_card, line.name, photo), replace=replace)
