"""How a session's row is read and written: columns, moves as SQL, ids, names of its objects."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from renzheng.store.authenticity import Authenticity, details_field
from renzheng.store.engine import Database
from renzheng.store.objects import Objects
from renzheng.store.room import Room
from renzheng.store.sealer import DamagedError, Kind, Sealer, Subject
from renzheng.store.vault import Vault
from renzheng.verification.policy import Policy
from renzheng.verification.session import MOVES, CompareLib, Details, EndReason, Session, State

SLOTS = 64
"""Most servers that can issue tokens on the same records at once."""

COLUMNS = (
    "id, account_id, state, created_at, expires_at, attempt, counted, has_photo, policy, ending, device, id_hash,"
    " sealed, evidence_until, device_mismatch, to_bucket, spared, eased, advice, judged, excused, node,"
    " device_seen"
)


def move_where(name: str) -> str:
    """Return the WHERE of a legal move, from the table. It needs the parameter :now if expiry guards the move."""
    move = MOVES[name]
    sources = [f"'{source.value}'" for source in sorted(move.sources)]
    # SQLite uses the index of a state for `=` only, not for IN, even if IN has one value.
    from_one = f"state = {sources[0]}" if len(sources) == 1 else f"state IN ({', '.join(sources)})"
    return from_one + (" AND expires_at > :now" if move.while_alive else "")


def move_set(name: str) -> str:
    """Return the SET of a legal move, from the table."""
    move = MOVES[name]
    return f"state = '{move.target.value}'" + (", attempt = attempt + 1" if move.new_attempt else "")


@functools.lru_cache(maxsize=256)
def policy_text(policy: Policy) -> str:
    return msgspec.json.encode(policy).decode()


@functools.lru_cache(maxsize=256)
def policy_of(text: str) -> Policy:
    return msgspec.json.decode(text, type=Policy)


def pack_details(details: Details) -> bytes:
    return msgspec.msgpack.encode(
        (details.compare_lib, details.id_card, details.name, details.extra, details.meta, details.meta_data)
    )


def unpack_details(content: bytes) -> Details:
    compare_lib, *rest = msgspec.msgpack.decode(content)
    return Details(CompareLib(compare_lib), *rest)


class Ids:
    """Ids that rise with time: unix microseconds, or one more than the last.

    An id is never given twice, even after a restore of an older backup, so that a data key's subject stays one subject.
    Servers on the same records have different slots, and their ids have different remainders, so they never collide.
    """

    def __init__(self, last: int, slot: int = 0) -> None:
        self._last = last
        self.slot = slot

    def draw(self, now: float) -> int:
        at = int(now * 1_000_000)
        after = self._last + 1
        self._last = max(at - (at - self.slot) % SLOTS, after + (self.slot - after) % SLOTS)
        return self._last


def session_folder(session_id: int) -> str:
    """Return the folder of a session's objects. It is under the hour of its id, so that no folder grows without
    bound."""
    return f"sessions/{session_id // 3_600_000_000:07d}/{session_id:016d}"


class Context:
    """What every part of `Sessions` works with."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        objects: Objects,
        entropy: Callable[[int], bytes],
        ids: Ids,
        room: Room,
        authenticity: Authenticity,
    ) -> None:
        self._database = database
        self._vault = vault
        self._objects = objects
        self._entropy = entropy
        self._ids = ids
        self._room = room
        self._authenticity = authenticity

    async def _session(self, row: tuple[Any, ...]) -> Session:
        """Make a session from a row of `COLUMNS`. ErasedError if its key is gone, TamperedError."""
        (number, account_id, state, created_at, expires_at, attempt, counted) = row[:7]
        (has_photo, policy, ending, device, id_hash, sealed, evidence_until, device_mismatch, to_bucket) = row[7:16]
        (spared, eased, advice, judged, excused, node, device_seen) = row[16:23]
        sealer = await self._vault.of(Subject(Kind.SESSION, number))
        return Session(
            id=number,
            account_id=account_id,
            state=State(state),
            created_at=created_at,
            expires_at=expires_at,
            attempt=attempt,
            counted=counted,
            details=self._details(sealer, number, account_id, policy, sealed),
            has_photo=bool(has_photo),
            policy=policy_of(policy),
            ending=EndReason(ending) if ending else None,
            device_hash=device,
            id_hash=id_hash,
            evidence_until=evidence_until,
            device_mismatch=bool(device_mismatch),
            to_bucket=bool(to_bucket),
            spared=spared,
            eased=eased,
            advice=advice,
            judged=judged,
            excused=excused,
            node=node,
            device_seen=device_seen,
        )

    def _details(self, sealer: Sealer, number: int, account_id: int, policy: str, sealed: bytes) -> Details:
        try:
            return unpack_details(sealer.open(details_field(account_id, policy), sealed))
        except DamagedError:
            self._authenticity.note("sessions", number)
            raise self._authenticity.error("sessions", number) from None

    async def _evidence(self, session_id: int) -> Sealer:
        return await self._vault.of(Subject(Kind.EVIDENCE, session_id))
