"""Imports of people in parts: a table of rows and photos, kept sealed until they are enrolled or the import ends.

A part can be sent again under its number, and replaces the earlier one. Nothing of a part is readable without the
import's own data key, which is destroyed when the import ends.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.engine import Database, Transaction
from renzheng.store.nodes import OwnNode
from renzheng.store.objects import Objects
from renzheng.store.room import Room
from renzheng.store.sealer import ErasedError, Kind, Subject
from renzheng.store.vault import Vault

MAX_PARTS = 100_000
_PAGE = 500  # parts per query
_COLUMNS = "id, account_id, author, state, replaces, created_at, changed_at, total, done, trouble"


class ImportState(enum.StrEnum):
    OPEN = "open"  # takes parts
    COMMITTING = "committing"  # rows are being enrolled
    DONE = "done"
    FAILED = "failed"  # rows have faults, or something failed midway: correct it and commit again, or cancel
    CANCELLED = "cancelled"


TAKES_PARTS = frozenset({ImportState.OPEN, ImportState.FAILED})
OVER = frozenset({ImportState.DONE, ImportState.CANCELLED})


class PartKind(enum.StrEnum):
    TABLE = "table"
    PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class Import:
    """`total` and `done`: rows to enrol, and rows enrolled. `trouble`: why it failed, without personal data."""

    id: int
    account_id: int
    author: str
    state: ImportState
    replaces: bool
    created_at: float
    changed_at: float
    total: int
    done: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Part:
    """`name`: a photo's file name, as the table has it; empty for the table."""

    number: int
    kind: PartKind
    name: str
    size: int
    digest: bytes


def _import(row: tuple[object, ...]) -> Import:
    number, account_id, author, state, replaces, *rest = row
    return Import(number, account_id, author, ImportState(str(state)), bool(replaces), *rest)  # type: ignore[arg-type]


def _folder(import_id: int) -> str:
    return f"imports/{import_id // 1000:07d}/{import_id:016d}"


class Imports:
    """Stores imports. Every method is about one account's imports and never sees another account's."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        objects: Objects,
        audit: Audit,
        clock: Callable[[], float],
        room: Room,
        own: OwnNode,
    ) -> None:
        self._own = own
        self._database = database
        self._vault = vault
        self._objects = objects
        self._audit = audit
        self._clock = clock
        self._room = room

    async def create(self, account_id: int, replaces: bool) -> Import:
        now = self._clock()

        async def insert(transaction: Transaction) -> Import:
            row = await transaction.one(
                "INSERT INTO imports (account_id, author, state, replaces, created_at, changed_at)"
                f" VALUES (:account, :author, :state, :replaces, :now, :now) RETURNING {_COLUMNS}",
                account=account_id,
                author=self._audit.actor,
                state=ImportState.OPEN.value,
                replaces=int(replaces),
                now=now,
            )
            assert row is not None
            await self._vault.keep(self._vault.draw(Subject(Kind.IMPORT, row[0])))
            return _import(row)

        return await self._database.write(insert, keys=True)

    async def get(self, account_id: int, import_id: int) -> Import:
        """Return an import. Raises NotFoundError."""
        row = await self._database.one(
            f"SELECT {_COLUMNS} FROM imports WHERE account_id = :account AND id = :id",
            account=account_id,
            id=import_id,
        )
        if row is None:
            raise NotFoundError(f"account {account_id} has no import {import_id}")
        return _import(row)

    async def put(self, account_id: int, import_id: int, number: int, kind: PartKind, name: str, data: bytes) -> Part:
        """Store a part, in place of an earlier one with that number. NotFoundError, RefusedError, NoRoomError."""
        found = await self.get(account_id, import_id)
        if found.state not in TAKES_PARTS:
            raise RefusedError(f"import {import_id} is {found.state.value} and accepts no more parts")
        if not 1 <= number <= MAX_PARTS:
            raise RefusedError(f"a part's number is 1 to {MAX_PARTS}")
        digest = hashlib.sha256(data).digest()
        sealer = await self._vault.of(Subject(Kind.IMPORT, import_id))
        content = sealer.sealing(f"part:{number}", data)
        with self._room.taking(content.size):
            await self._objects.put(f"{_folder(import_id)}/{number}", content)

        async def insert(transaction: Transaction) -> None:
            changed = await transaction.run(
                "UPDATE imports SET changed_at = :now, done = CASE WHEN :table THEN 0 ELSE done END,"
                " total = CASE WHEN :table THEN 0 ELSE total END WHERE id = :id AND state IN ('open', 'failed')",
                table=kind is PartKind.TABLE,  # a new table has other rows, so none counts as enrolled
                now=self._clock(),
                id=import_id,
            )
            if changed != 1:
                raise RefusedError(f"import {import_id} accepts no more parts")
            await transaction.run(
                "INSERT INTO import_parts (import_id, number, kind, sealed, digest, size)"
                " VALUES (:id, :number, :kind, :sealed, :digest, :size) ON CONFLICT (import_id, number) DO UPDATE SET"
                " kind = excluded.kind, sealed = excluded.sealed, digest = excluded.digest, size = excluded.size",
                id=import_id,
                number=number,
                kind=kind.value,
                sealed=sealer.seal(f"name:{number}", name.encode()),
                digest=digest,
                size=len(data),
            )

        await self._database.write(insert)
        return Part(number, kind, name, len(data), digest)

    async def parts(self, account_id: int, import_id: int) -> list[Part]:
        """Return the parts by rising number; none if the import has ended. Raises NotFoundError."""
        await self.get(account_id, import_id)
        found: list[Part] = []
        try:
            sealer = await self._vault.of(Subject(Kind.IMPORT, import_id))
        except ErasedError:  # the import ends at this moment: first its key is destroyed, then its rows are deleted
            return []
        while True:
            rows = await self._database.all(
                "SELECT number, kind, sealed, size, digest FROM import_parts WHERE import_id = :id"
                " AND number > :after ORDER BY number LIMIT :limit",
                id=import_id,
                after=found[-1].number if found else 0,
                limit=_PAGE,
            )
            found += [
                Part(number, PartKind(kind), sealer.open(f"name:{number}", sealed).decode(), size, digest)
                for number, kind, sealed, size, digest in rows
            ]
            if len(rows) < _PAGE:
                return found
            await asyncio.sleep(0)  # others are served in between

    async def size(self, account_id: int, import_id: int) -> tuple[int, int]:
        """Return the number of parts and their bytes; zeros for an import that is over. Raises NotFoundError."""
        await self.get(account_id, import_id)
        if not await self._vault.has(Subject(Kind.IMPORT, import_id)):  # it ends at this moment
            return 0, 0
        row = await self._database.one(
            "SELECT count(*), coalesce(sum(size), 0) FROM import_parts WHERE import_id = :id", id=import_id
        )
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def data(self, account_id: int, import_id: int, part: Part) -> bytes:
        """Return the content of a part. Raises NotFoundError; RefusedError if it is damaged."""
        await self.get(account_id, import_id)
        sealed = await self._objects.get(f"{_folder(import_id)}/{part.number}")
        sealer = await self._vault.of(Subject(Kind.IMPORT, import_id))
        opened = None if sealed is None else await asyncio.to_thread(sealer.open, f"part:{part.number}", sealed)
        if opened is None or hashlib.sha256(opened).digest() != part.digest:
            raise RefusedError(f"part {part.number} has to be sent again: it was not stored completely")
        return opened

    async def move(
        self,
        account_id: int,
        import_id: int,
        sources: frozenset[ImportState],
        target: ImportState,
        *,
        total: int | None = None,
        trouble: str = "",
    ) -> Import:
        """Change the state with one compare-and-set. Raises NotFoundError; RefusedError if it is in another state."""
        marks = ", ".join(f"'{state.value}'" for state in sorted(sources))

        async def update(transaction: Transaction) -> Import | None:
            row = await transaction.one(
                "UPDATE imports SET state = :target, changed_at = :now, trouble = :trouble,"
                " total = coalesce(:total, total), node = :node WHERE account_id = :account AND id = :id"
                f" AND state IN ({marks}) RETURNING {_COLUMNS}",
                target=target.value,
                now=self._clock(),
                trouble=trouble,
                total=total,
                node=self._own.number,
                account=account_id,
                id=import_id,
            )
            return None if row is None else _import(row)

        moved = await self._database.write(update)
        if moved is None:
            found = await self.get(account_id, import_id)
            raise RefusedError(f"import {import_id} is {found.state.value}, and cannot become {target.value}")
        if target in OVER:
            await self._audit.record(f"import {target.value}", f"import {import_id} of account {account_id}")
            await self._drop(import_id)
        return moved

    async def progress(self, account_id: int, import_id: int, done: int) -> None:
        """Record how many rows are enrolled. Raises NotFoundError."""

        async def update(transaction: Transaction) -> int:
            return await transaction.run(
                "UPDATE imports SET done = :done, changed_at = :now WHERE account_id = :account AND id = :id",
                done=done,
                now=self._clock(),
                account=account_id,
                id=import_id,
            )

        if await self._database.write(update) != 1:
            raise NotFoundError(f"account {account_id} has no import {import_id}")

    async def _drop(self, import_id: int) -> None:
        """Destroy the key first, so that leftovers of the parts can no longer be opened."""
        await self._vault.erasures.destroy([Subject(Kind.IMPORT, import_id)], listed=False)

        async def delete(transaction: Transaction) -> int:
            return await transaction.run("DELETE FROM import_parts WHERE import_id = :id", id=import_id)

        await self._database.write(delete)
        await self._objects.delete_all(_folder(import_id))

    async def end_stale(self, before: float) -> int:
        """Cancel imports that nobody has touched since `before`. Returns how many."""
        rows = await self._database.all(
            "SELECT account_id, id FROM imports WHERE state IN ('open', 'failed') AND changed_at < :before LIMIT 100",
            before=before,
        )
        for account_id, import_id in rows:
            await self.move(account_id, import_id, TAKES_PARTS, ImportState.CANCELLED, trouble="nobody went on with it")
        return len(rows)

    async def interrupt(self) -> int:
        """Let imports whose node is gone be committed again. Returns how many.

        Over SQLite this is called at a start alone, as the one server has no row in `nodes`.
        """

        async def update(transaction: Transaction) -> int:
            return await transaction.run(
                "UPDATE imports SET state = 'failed', trouble = :trouble WHERE state = 'committing'"
                " AND (node IS NULL OR node NOT IN (SELECT id FROM nodes))",
                trouble="the server ended in the middle: commit it again, and it goes on where it ended",
            )

        return await self._database.write(update)
