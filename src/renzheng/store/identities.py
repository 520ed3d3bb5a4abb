"""The enrolment library: the persons of an account that BUSINESS verifications compare with."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from renzheng.store.accounts import Refused, Unknown
from renzheng.store.audit import Audit
from renzheng.store.database import Database
from renzheng.store.objects import Objects
from renzheng.store.sealer import Erased, Kind, Sealer, Subject
from renzheng.store.vault import Vault
from renzheng.verification.identity import is_id_card, mask_id_card, mask_name, normal_id_card
from renzheng.verification.records import Enrolled

_DECOY = Subject(Kind.PERSON, 0)
_DECOY_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A person as an operator sees them: number and name masked."""

    id: int
    id_card: str
    name: str
    has_photo: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class NewPerson:
    """`photo`: the bytes of a JPEG or PNG, or None."""

    id_card: str = field(repr=False)
    name: str = field(repr=False)
    photo: bytes | None = field(repr=False, default=None)


def _photo_name(person_id: int) -> str:
    return f"persons/{person_id // 3_600_000_000:07d}/{person_id:016d}/photo"


class Identities:
    """Every method is about one account's persons; another account's are not there."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        objects: Objects,
        audit: Audit,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._vault = vault
        self._objects = objects
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    def _hash(self, account_id: int, id_card: str) -> bytes:
        return self._vault.digest("id-card", f"{account_id}:{normal_id_card(id_card)}")

    def _id_of(self, account_id: int, id_card: str) -> int | None:
        row = self._database.fetch_one(
            "SELECT id FROM persons WHERE account_id = ? AND id_hash = ?",
            (account_id, self._hash(account_id, id_card)),
        )
        return int(row[0]) if row else None

    async def add(self, account_id: int, person: NewPerson, *, replace: bool = False) -> int:
        """Enrol a person; durable when this returns the id. Raises Refused for a number of another form or taken.

        `replace`: a person with this number is erased, and enrolled anew.
        """
        if not is_id_card(person.id_card):
            raise Refused("an ID number has 17 digits and a digit or X")
        if not person.name.strip():
            raise Refused("the name is empty")
        known = self._id_of(account_id, person.id_card)
        if known is not None and not replace:
            raise Refused("a person with this ID number is enrolled already")
        person_id = await self._draw_id()
        sealer = self._vault.draw(Subject(Kind.PERSON, person_id))
        sealed = sealer.seal("person", msgspec.msgpack.encode((normal_id_card(person.id_card), person.name.strip())))
        if person.photo is not None:
            await self._objects.put(_photo_name(person_id), sealer.sealing("photo", person.photo))

        def insert(connection: sqlite3.Connection) -> None:
            if known is not None:
                connection.execute("DELETE FROM persons WHERE id = ?", (known,))
            count = connection.execute(
                "INSERT INTO persons (id, account_id, id_hash, sealed, has_photo, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    *(person_id, account_id, self._hash(account_id, person.id_card), sealed),
                    *(int(person.photo is not None), self._clock()),
                ),
            ).rowcount
            if count != 1:
                raise Refused("a person with this ID number is enrolled already")
            self._vault.keep(sealer)
            self._audit.add(connection, "person enrolled", f"person {person_id} of account {account_id}")

        try:
            await self._database.write(insert, keys=True)
        except BaseException:
            await self._objects.delete(_photo_name(person_id))
            raise
        if known is not None:
            await self._erase(known)
        return person_id

    async def _draw_id(self) -> int:
        """Unix microseconds, or one more than the last: never given twice, even after a restore."""

        def draw(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT value FROM counters WHERE name = 'persons'").fetchone()
            number = max(int(self._clock() * 1_000_000), row[0] + 1 if row else 1)
            connection.execute(
                "INSERT INTO counters (name, value) VALUES ('persons', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (number,),
            )
            return number

        return await self._database.write(draw)

    async def is_enrolled(self, account_id: int, id_card: str) -> bool:
        """For the operator only; a verification asks `lookup`, which takes as long for a miss."""
        return self._id_of(account_id, id_card) is not None

    async def list(self, account_id: int, after: int = 0, limit: int = 1000) -> list[ListedPerson]:
        """Persons by rising id, those above the id `after`; numbers and names are masked."""
        rows = self._database.fetch_all(
            "SELECT id, sealed, has_photo, created_at FROM persons WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?",
            (account_id, after, limit),
        )
        listed: list[ListedPerson] = []
        for number, sealed, has_photo, created_at in rows:
            try:
                id_card, name = self._opened(self._vault.of(Subject(Kind.PERSON, number)), sealed)
            except Erased:
                continue
            listed.append(ListedPerson(number, mask_id_card(id_card), mask_name(name), bool(has_photo), created_at))
        return listed

    @staticmethod
    def _opened(sealer: Sealer, sealed: bytes) -> tuple[str, str]:
        id_card, name = msgspec.msgpack.decode(sealer.open("person", sealed))
        return id_card, name

    async def lookup(self, account_id: int, id_card: str) -> Enrolled | None:
        """The person with this number; None where there is none.

        A miss reads, unwraps and opens a decoy, so that it does the work of a hit with a photo.
        """
        row = self._database.fetch_one(
            "SELECT id, sealed, has_photo FROM persons WHERE account_id = ? AND id_hash = ?",
            (account_id, self._hash(account_id, id_card)),
        )
        try:
            sealer = self._vault.of(Subject(Kind.PERSON, row[0])) if row else None
        except Erased:
            sealer = None
        if row is None or sealer is None:
            await self._read_decoy()
            return None
        person_id, sealed, has_photo = row
        name = self._opened(sealer, sealed)[1]
        if not has_photo:
            await self._read_decoy()
            return Enrolled(person_id, name, None)
        content = await self._objects.get(_photo_name(person_id))
        photo = None if content is None else await asyncio.to_thread(sealer.open, "photo", content)
        return Enrolled(person_id, name, photo)

    async def _read_decoy(self) -> None:
        try:
            sealer = self._vault.of(_DECOY)
            content = await self._objects.get(_photo_name(_DECOY.id))
        except Erased:
            content = None
        if content is None:
            await self.prepare()
            return
        await asyncio.to_thread(sealer.open, "photo", content)

    async def prepare(self) -> None:
        """Make the decoy that misses read, where it is not there yet."""
        if self._vault.has(_DECOY) and await self._objects.get(_photo_name(_DECOY.id)) is not None:
            return
        drawn = self._vault.draw(_DECOY)
        await self._database.write(lambda _: self._vault.keep(drawn), keys=True)
        content = self._vault.of(_DECOY).seal("photo", self._entropy(_DECOY_BYTES))
        await self._objects.put(_photo_name(_DECOY.id), content)

    async def remove(self, account_id: int, id_card: str) -> int:
        """Erase the person with this number: the key first, then row and photo. Raises Unknown."""
        person_id = self._id_of(account_id, id_card)
        if person_id is None:
            raise Unknown("nobody with this ID number is enrolled")
        await self.remove_by_id(account_id, person_id)
        return person_id

    async def remove_by_id(self, account_id: int, person_id: int) -> None:
        """Erase a person by the id that `list` shows. Raises Unknown."""
        row: tuple[Any, ...] | None = self._database.fetch_one(
            "SELECT 1 FROM persons WHERE account_id = ? AND id = ?", (account_id, person_id)
        )
        if row is None:
            raise Unknown(f"account {account_id} has no person {person_id}")
        await self._vault.erasures.destroy([Subject(Kind.PERSON, person_id)])

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM persons WHERE id = ?", (person_id,))
            self._audit.add(connection, "person erased", f"person {person_id} of account {account_id}")

        await self._database.write(delete)
        await self._objects.delete(_photo_name(person_id))

    async def _erase(self, person_id: int) -> None:
        await self._vault.erasures.destroy([Subject(Kind.PERSON, person_id)])
        await self._objects.delete(_photo_name(person_id))
