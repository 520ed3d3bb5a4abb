"""The transcript and its evidence: frames that are stored before they count, the photo, the cached video."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from msgspec import msgpack

from renzheng.store import evidence_use
from renzheng.store.attempts import HELD
from renzheng.store.engine import Row, Transaction
from renzheng.store.records import Context, session_folder
from renzheng.store.room import BEGUN
from renzheng.store.sealer import DamagedError, ErasedError, Sealer
from renzheng.verification.records import NoRoomError
from renzheng.verification.session import FrameRecord

READ_AT_ONCE = 8
"""Objects of frames that are read concurrently."""
_FRAME_COLUMNS = "sequence, step, nonce, received_at, digest, object, start, size"


def _frame_field(attempt: int, sequence: int) -> str:
    return f"frame:{attempt}:{sequence}"


def measured_object(attempt: int) -> str:
    """Return the name of the object with an attempt's live measurements."""
    return f"{attempt:03d}-measured"


def _seal_frames(
    sealer: Sealer, attempt: int, frames: Sequence[tuple[FrameRecord, bytes]]
) -> tuple[bytes, list[tuple[int, int]]]:
    """Make one object from several frames, each sealed by itself. Returns it, and where each frame begins and its
    length."""
    sealed = [sealer.seal(_frame_field(attempt, record.sequence), jpeg) for record, jpeg in frames]
    places: list[tuple[int, int]] = []
    start = 0
    for blob in sealed:
        places.append((start, len(blob)))
        start += len(blob)
    return b"".join(sealed), places


def _open_frames(
    sealer: Sealer, attempt: int, rows: Sequence[Row], packs: Mapping[str, bytes]
) -> list[tuple[FrameRecord, bytes]]:
    opened: list[tuple[FrameRecord, bytes]] = []
    for sequence, step, nonce, received_at, digest, name, start, size in rows:
        jpeg = sealer.open(_frame_field(attempt, sequence), packs[name][start : start + size])
        opened.append((FrameRecord(sequence, step, nonce, received_at, digest), jpeg))
    return opened


class Transcripts(Context):
    """Writes objects durably before the rows that name them. What a crash leaves over is swept."""

    async def store_frames(
        self,
        session_id: int,
        attempt: int,
        frames: Sequence[tuple[FrameRecord, bytes]],
        socket: int | None = None,
    ) -> bool:
        """Store frames; durable when it returns True.

        False, and nothing stored, if the attempt is no longer current or another socket has the session. A frame whose
        sequence is already stored is not changed. Raises NoRoomError if the disk is almost full.
        """
        if not frames:
            return await self._is_current(session_id, attempt)
        try:
            sealer = await self._evidence(session_id)
        except ErasedError:
            return False
        if not await self._is_current(session_id, attempt):
            return False
        content, places = await asyncio.to_thread(_seal_frames, sealer, attempt, frames)
        # A new name each time: a device that sends again after a lost answer must not overwrite what rows point at.
        name = f"{attempt:03d}-{frames[0][0].sequence:010d}-{self._entropy(4).hex()}"
        path = f"{session_folder(session_id)}/{name}"
        with self._room.taking(len(content), BEGUN):
            await self._objects.put(path, content)
        rows = [
            {
                "session_id": session_id,
                "attempt": attempt,
                "sequence": f.sequence,
                "step": f.step,
                "nonce": f.nonce,
                "received_at": f.received_at,
                "digest": f.digest,
                "object": name,
                "start": start,
                "size": size,
            }
            for (f, _), (start, size) in zip(frames, places, strict=True)
        ]

        async def add(tx: Transaction) -> bool:
            current = await tx.one(  # and it stays current until these frames are stored: a concurrent submit waits
                "SELECT 1 FROM sessions WHERE id = :session_id AND attempt = :attempt AND state = 'capturing'"
                f" AND {HELD} FOR UPDATE",
                session_id=session_id,
                attempt=attempt,
                socket=socket,
            )
            if current is None:
                return False
            await tx.run_each(
                f"INSERT INTO frames (session_id, attempt, {_FRAME_COLUMNS})"
                " VALUES (:session_id, :attempt, :sequence, :step, :nonce, :received_at, :digest, :object, :start,"
                " :size)"
                " ON CONFLICT DO NOTHING",
                rows,
            )
            await evidence_use.add_to_session(tx, session_id, len(content))
            return True

        try:
            stored = await self._database.write(add)
        except Exception:
            await self._objects.delete(path)
            raise
        if not stored:
            await self._objects.delete(path)
        return stored

    async def _is_current(self, session_id: int, attempt: int) -> bool:
        sql = "SELECT 1 FROM sessions WHERE id = :session_id AND attempt = :attempt AND state = 'capturing'"
        return await self._database.one(sql, session_id=session_id, attempt=attempt) is not None

    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]:
        """Return the opened JPEGs of an attempt in the order of their sequence. Empty if the evidence is gone.

        Raises DamagedError if an object is missing or changed.
        """
        rows = await self._database.all(
            f"SELECT {_FRAME_COLUMNS} FROM frames"
            " WHERE session_id = :session_id AND attempt = :attempt ORDER BY sequence",
            session_id=session_id,
            attempt=attempt,
        )
        return await self._opened_frames(session_id, attempt, rows)

    async def newest_frames(
        self, session_id: int, attempt: int, step: int, most: int
    ) -> list[tuple[FrameRecord, bytes]]:
        """Return the last `most` frames of one step; otherwise as `frames`."""
        rows = await self._database.all(
            f"SELECT {_FRAME_COLUMNS} FROM frames"
            " WHERE session_id = :session_id AND attempt = :attempt AND step = :step ORDER BY sequence DESC"
            " LIMIT :most",
            session_id=session_id,
            attempt=attempt,
            step=step,
            most=most,
        )
        return await self._opened_frames(session_id, attempt, rows[::-1])

    async def seen_before(self, session_id: int, attempt: int) -> int:
        """Return how many frames of an attempt the account has received before, byte for byte, in another attempt.

        No camera takes the same picture twice. Digests of earlier frames are deleted with their evidence, and are never
        compared across accounts.
        """
        sql = (
            "SELECT count(*) FROM frames AS mine JOIN sessions AS own ON own.id = mine.session_id"
            " WHERE mine.session_id = :session_id AND mine.attempt = :attempt AND EXISTS (SELECT 1"
            " FROM frames AS before"
            " JOIN sessions AS other ON other.id = before.session_id WHERE before.digest = mine.digest"
            " AND other.account_id = own.account_id AND other.has_evidence = 1"
            " AND before.received_at < mine.received_at"
            " AND (before.session_id, before.attempt) <> (mine.session_id, mine.attempt))"
        )
        row = await self._database.one(sql, session_id=session_id, attempt=attempt)
        return int(row[0]) if row else 0

    async def stored_frames(self, session_id: int, attempt: int) -> tuple[int, int, int]:
        """Return how many frames of an attempt are stored, the last one's sequence (-1 if there is none), and their
        bytes."""
        row = await self._database.one(
            "SELECT count(*), coalesce(max(sequence), -1), coalesce(sum(size), 0) FROM frames"
            " WHERE session_id = :session_id AND attempt = :attempt",
            session_id=session_id,
            attempt=attempt,
        )
        return (row[0], row[1], row[2]) if row else (0, -1, 0)

    async def _opened_frames(self, session_id: int, attempt: int, rows: list[Row]) -> list[tuple[FrameRecord, bytes]]:
        if not rows:
            return []
        try:
            sealer = await self._evidence(session_id)
        except ErasedError:
            return []
        opened: list[tuple[FrameRecord, bytes]] = []
        names = list(dict.fromkeys(row[5] for row in rows))
        for begin in range(0, len(names), READ_AT_ONCE):
            # In portions, so that sealed and opened frames are not all in memory at once.
            packs = await self._packs(session_id, names[begin : begin + READ_AT_ONCE])
            portion = [row for row in rows if row[5] in packs]
            opened += await asyncio.to_thread(_open_frames, sealer, attempt, portion, packs)
        return sorted(opened, key=lambda frame: frame[0].sequence)

    async def _packs(self, session_id: int, names: Sequence[str]) -> dict[str, bytes]:
        folder = session_folder(session_id)
        contents = await asyncio.gather(*(self._objects.get(f"{folder}/{name}") for name in names))
        packs = {name: content for name, content in zip(names, contents, strict=True) if content is not None}
        if len(packs) < len(names):
            raise DamagedError(f"evidence of session {session_id} is missing")
        return packs

    async def keep_measured(self, session_id: int, attempt: int, measured: dict[bytes, bytes]) -> None:
        """Store live measurements of an attempt's frames, by their digests, sealed until the attempt is judged.

        Nothing is stored if the evidence is gone or there is no room: everything can be measured again.
        """
        try:
            sealer = await self._evidence(session_id)
        except ErasedError:
            return
        rows = await self._database.all(
            "SELECT digest FROM frames WHERE session_id = :id AND attempt = :attempt", id=session_id, attempt=attempt
        )
        known = {bytes(digest): measured[bytes(digest)] for (digest,) in rows if bytes(digest) in measured}
        if not known:
            return
        name = measured_object(attempt)
        content = sealer.sealing(name, msgpack.encode(known))
        with contextlib.suppress(NoRoomError), self._room.taking(content.size):
            await self._objects.put(f"{session_folder(session_id)}/{name}", content)

    async def measured(self, session_id: int, attempt: int) -> dict[bytes, bytes]:
        """Return what `keep_measured` stored; empty if there is nothing, or it is damaged."""
        name = measured_object(attempt)
        try:
            content = await self._open(session_id, name, name, slice(None))
        except DamagedError:
            return {}
        return {} if content is None else msgpack.decode(content, type=dict[bytes, bytes])

    async def forget_measured(self, session_id: int, attempt: int) -> None:
        """Delete the measurements after the verdict is recorded. A later judgement measures again."""
        await self._objects.delete(f"{session_folder(session_id)}/{measured_object(attempt)}")

    async def frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None:
        """Return one frame's JPEG; None if there is none, or no longer."""
        row = await self._database.one(
            "SELECT object, start, size FROM frames WHERE session_id = :session_id AND attempt = :attempt"
            " AND sequence = :sequence",
            session_id=session_id,
            attempt=attempt,
            sequence=sequence,
        )
        if row is None:
            return None
        name, start, size = row
        return await self._open(session_id, name, _frame_field(attempt, sequence), slice(start, start + size))

    async def photo(self, session_id: int) -> bytes | None:
        """Return the photo that came with the token; None if none came, or no longer."""
        return await self._open(session_id, "photo", "photo", slice(None))

    async def video(self, session_id: int) -> bytes | None:
        """Return the evidence video, if it was made before."""
        return await self._open(session_id, "video", "video", slice(None))

    async def keep_video(self, session_id: int, mp4: bytes) -> None:
        """Store a video for later calls, if there is room. Nothing is stored if the evidence is gone."""
        try:
            sealer = await self._evidence(session_id)
        except ErasedError:
            return
        content = sealer.sealing("video", mp4)
        path = f"{session_folder(session_id)}/video"
        owner = await self._database.one(
            "SELECT account_id FROM sessions WHERE id = :session_id", session_id=session_id
        )
        if owner is None:
            return
        with contextlib.suppress(NoRoomError):  # the result for which it was made does not depend on it
            await evidence_use.check(self._database, owner[0], content.size)
            with self._room.taking(content.size):
                await self._objects.put(path, content)
            await self._count_video(session_id, path, content.size)

    async def _count_video(self, session_id: int, path: str, size: int) -> None:
        async def count(tx: Transaction) -> bool:
            return await evidence_use.add_to_session(tx, session_id, size)

        try:
            counted = await self._database.write(count)
        except Exception:
            counted = False
        if not counted:
            await self._objects.delete(path)

    async def _open(self, session_id: int, name: str, field: str, part: slice) -> bytes | None:
        try:
            sealer = await self._evidence(session_id)
        except ErasedError:
            return None
        content = await self._objects.get(f"{session_folder(session_id)}/{name}")
        if content is None:
            return None
        return await asyncio.to_thread(sealer.open, field, content[part])
