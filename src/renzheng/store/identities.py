"""The enrolment library: an account's persons, with whom BUSINESS verifications compare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from renzheng.store import deliveries
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.engine import Database, Transaction
from renzheng.store.objects import Objects
from renzheng.store.room import Room
from renzheng.store.sealer import DamagedError, ErasedError, Kind, Sealer, Subject
from renzheng.store.vault import Vault
from renzheng.verification.identity import MAX_NAME, is_id_card, mask_id_card, mask_name, normal_id_card, normal_name
from renzheng.verification.records import EnrolledPerson

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
    """Stores persons. Every method is about one account's persons and never sees another account's."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        objects: Objects,
        audit: Audit,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        room: Room,
    ) -> None:
        self._database = database
        self._vault = vault
        self._objects = objects
        self._audit = audit
        self._clock = clock
        self._entropy = entropy
        self._room = room

    def _hash(self, account_id: int, id_card: str) -> bytes:
        return self._vault.digest("id-card", f"{account_id}:{normal_id_card(id_card)}")

    async def _id_of(self, account_id: int, id_card: str) -> int | None:
        row = await self._database.one(
            "SELECT id FROM persons WHERE account_id = :account_id AND id_hash = :id_hash",
            account_id=account_id,
            id_hash=self._hash(account_id, id_card),
        )
        return int(row[0]) if row else None

    async def add(self, account_id: int, person: NewPerson, *, replace: bool = False) -> int:
        """Enrol a person. Returns the id once it is durable.

        Raises RefusedError if the number has another form or is taken, NoRoomError if the disk has no room for the
        photo. `replace`: a person with this number is erased, and enrolled anew.
        """
        if not is_id_card(normal_id_card(person.id_card)):
            raise RefusedError("an ID number has 17 digits and a digit or X")
        if not normal_name(person.name):
            raise RefusedError("the name is empty")
        if len(person.name) > MAX_NAME:
            raise RefusedError(f"the name has more than {MAX_NAME} characters")
        known = await self._id_of(account_id, person.id_card)
        if known is not None and not replace:
            raise RefusedError("a person with this ID number is enrolled already")
        person_id = await self._draw_id()
        sealer = self._vault.draw(Subject(Kind.PERSON, person_id))
        sealed = sealer.seal("person", msgspec.msgpack.encode((normal_id_card(person.id_card), person.name.strip())))
        if person.photo is not None:
            content = sealer.sealing("photo", person.photo)
            with self._room.taking(content.size):
                await self._objects.put(_photo_name(person_id), content)

        async def insert(tx: Transaction) -> None:
            if known is not None:
                await tx.run("DELETE FROM persons WHERE id = :known", known=known)
            count = await tx.run(
                "INSERT INTO persons (id, account_id, id_hash, sealed, has_photo, created_at)"
                " VALUES (:id, :account_id, :id_hash, :sealed, :has_photo, :created_at) ON CONFLICT DO NOTHING",
                id=person_id,
                account_id=account_id,
                id_hash=self._hash(account_id, person.id_card),
                sealed=sealed,
                has_photo=int(person.photo is not None),
                created_at=self._clock(),
            )
            if count != 1:
                raise RefusedError("a person with this ID number is enrolled already")
            await self._vault.keep(sealer)
            await self._audit.add(tx, "person enrolled", f"person {person_id} of account {account_id}")

        try:
            await self._database.write(insert, keys=True)
        except Exception:  # a caller that was cancelled may still have written its row; an orphan is swept
            await self._objects.delete(_photo_name(person_id))
            raise
        if known is not None:
            await self._erase(known)
        return person_id

    async def _draw_id(self) -> int:
        """Return unix microseconds, or one more than the last id: never given twice, even after a restore."""

        async def draw(tx: Transaction) -> int:
            row = await tx.one(
                "INSERT INTO counters (name, value) VALUES ('persons', :number) ON CONFLICT (name) DO UPDATE"
                " SET value = CASE WHEN counters.value < excluded.value THEN excluded.value ELSE counters.value + 1 END"
                " RETURNING value",
                number=int(self._clock() * 1_000_000),
            )
            assert row is not None
            return int(row[0])

        return await self._database.write(draw)

    async def is_enrolled(self, account_id: int, id_card: str) -> bool:
        """Return whether the number is enrolled, for the operator only. A verification calls `lookup`, which takes as
        long for a miss."""
        return await self._id_of(account_id, id_card) is not None

    async def list(self, account_id: int, after: int = 0, limit: int = 1000) -> list[ListedPerson]:
        """Return persons by rising id, those above the id `after`. Numbers and names are masked."""
        rows = await self._database.all(
            "SELECT id, sealed, has_photo, created_at FROM persons WHERE account_id = :account_id AND id > :after"
            " ORDER BY id LIMIT :limit",
            account_id=account_id,
            after=after,
            limit=limit,
        )
        listed: list[ListedPerson] = []
        for number, sealed, has_photo, created_at in rows:
            try:
                id_card, name = self._open(await self._vault.of(Subject(Kind.PERSON, number)), sealed)
            except ErasedError:
                continue
            listed.append(ListedPerson(number, mask_id_card(id_card), mask_name(name), bool(has_photo), created_at))
        return listed

    async def find(self, account_id: int, id_card: str) -> ListedPerson | None:
        """Return the person with this number, masked. For the operator only, like `is_enrolled`."""
        person_id = await self._id_of(account_id, id_card)
        found = await self.list(account_id, person_id - 1, 1) if person_id is not None else []
        return found[0] if found and found[0].id == person_id else None

    @staticmethod
    def _open(sealer: Sealer, sealed: bytes) -> tuple[str, str]:
        id_card, name = msgspec.msgpack.decode(sealer.open("person", sealed))
        return id_card, name

    async def lookup(self, account_id: int, id_card: str) -> EnrolledPerson | None:
        """Return the person with this number; None if there is none.

        A miss reads, unwraps and opens a decoy, so that it does the work of a hit with a photo.
        """
        row = await self._database.one(
            "SELECT id, sealed, has_photo FROM persons WHERE account_id = :account_id AND id_hash = :id_hash",
            account_id=account_id,
            id_hash=self._hash(account_id, id_card),
        )
        try:
            sealer = await self._vault.of(Subject(Kind.PERSON, row[0])) if row else None
        except ErasedError:
            sealer = None
        if row is None or sealer is None:
            await self._read_decoy()
            return None
        person_id, sealed, has_photo = row
        number, name = self._open(sealer, sealed)
        if number != normal_id_card(id_card):  # somebody else put this row under the number
            raise DamagedError(f"person {person_id} is not enrolled under the number that its row is found by")
        if not has_photo:
            await self._read_decoy()
            return EnrolledPerson(person_id, name, None)
        content = await self._objects.get(_photo_name(person_id))
        photo = None if content is None else await asyncio.to_thread(sealer.open, "photo", content)
        return EnrolledPerson(person_id, name, photo)

    async def _read_decoy(self) -> None:
        try:
            sealer = await self._vault.of(_DECOY)
            content = await self._objects.get(_photo_name(_DECOY.id))
        except ErasedError:
            content = None
        if content is None:
            await self.prepare()
            return
        await asyncio.to_thread(sealer.open, "photo", content)

    async def prepare(self) -> None:
        """Make the decoy that misses read, if it does not exist yet."""
        if await self._vault.has(_DECOY) and await self._objects.get(_photo_name(_DECOY.id)) is not None:
            return
        await self._database.write(lambda _: self._vault.ensure(_DECOY), keys=True)
        content = (await self._vault.of(_DECOY)).seal("photo", self._entropy(_DECOY_BYTES))
        await self._objects.put(_photo_name(_DECOY.id), content)

    async def remove(self, account_id: int, id_card: str) -> int:
        """Erase the person with this number: the key first, then row and photo. Raises NotFoundError."""
        person_id = await self._id_of(account_id, id_card)
        if person_id is None:
            raise NotFoundError("nobody with this ID number is enrolled")
        await self.remove_by_id(account_id, person_id)
        return person_id

    async def remove_by_id(self, account_id: int, person_id: int) -> None:
        """Erase a person by the id that `list` shows, and what was delivered of them. Raises NotFoundError."""
        row: tuple[Any, ...] | None = await self._database.one(
            "SELECT id_hash FROM persons WHERE account_id = :account_id AND id = :person_id",
            account_id=account_id,
            person_id=person_id,
        )
        if row is None:
            raise NotFoundError(f"account {account_id} has no person {person_id}")
        await self._vault.erasures.destroy([Subject(Kind.PERSON, person_id)])

        async def delete(tx: Transaction) -> None:
            await tx.run("DELETE FROM persons WHERE id = :person_id", person_id=person_id)
            await deliveries.erase(tx, account_id, self._clock(), id_hash=row[0])
            await self._audit.add(tx, "person erased", f"person {person_id} of account {account_id}")

        await self._database.write(delete)
        await self._objects.delete(_photo_name(person_id))

    async def _erase(self, person_id: int) -> None:
        await self._vault.erasures.destroy([Subject(Kind.PERSON, person_id)])
        await self._objects.delete(_photo_name(person_id))
