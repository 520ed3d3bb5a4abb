"""The transcript and its evidence: frames that are stored before they count, the photo, the cached video."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

from renzheng.store.database import Row
from renzheng.store.records import Context, session_folder
from renzheng.store.sealer import Damaged, Erased, Sealer
from renzheng.verification.session import FrameRecord

_FRAME_COLUMNS = "sequence, step, nonce, received_at, digest, object, start, size"


def _frame_field(attempt: int, sequence: int) -> str:
    return f"frame:{attempt}:{sequence}"


def _seal_frames(
    sealer: Sealer, attempt: int, frames: Sequence[tuple[FrameRecord, bytes]]
) -> tuple[bytes, list[tuple[int, int]]]:
    """One object out of several frames, each sealed for itself, and where each begins and how long it is."""
    sealed = [sealer.seal(_frame_field(attempt, record.sequence), jpeg) for record, jpeg in frames]
    places: list[tuple[int, int]] = []
    start = 0
    for blob in sealed:
        places.append((start, len(blob)))
        start += len(blob)
    return b"".join(sealed), places


class Transcript(Context):
    """Objects are written, and durable, before the rows that name them; what a crash leaves over is swept."""

    async def store_frames(self, session_id: int, attempt: int, frames: Sequence[tuple[FrameRecord, bytes]]) -> bool:
        """Durable when it returns True. False, and nothing stored, where the attempt is no longer current.

        A frame whose sequence is stored already stays as it was.
        """
        if not frames:
            return self._is_current(session_id, attempt)
        try:
            sealer = self._evidence(session_id)
        except Erased:
            return False
        if not self._is_current(session_id, attempt):
            return False
        content, places = await asyncio.to_thread(_seal_frames, sealer, attempt, frames)
        # A name of its own: a device that sends again after a lost answer must not overwrite what rows point at.
        name = f"{attempt:03d}-{frames[0][0].sequence:010d}-{self._entropy(4).hex()}"
        path = f"{session_folder(session_id)}/{name}"
        await self._objects.put(path, content)
        rows = [
            (session_id, attempt, f.sequence, f.step, f.nonce, f.received_at, f.digest, name, *place)
            for (f, _), place in zip(frames, places, strict=True)
        ]

        def add(connection: sqlite3.Connection) -> bool:
            current = connection.execute(
                "SELECT 1 FROM sessions WHERE id = ? AND attempt = ? AND state = 'capturing'", (session_id, attempt)
            ).fetchone()
            if current is None:
                return False
            connection.executemany(
                f"INSERT INTO frames (session_id, attempt, {_FRAME_COLUMNS})"  # noqa: S608
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            return True

        stored = await self._database.write(add)
        if not stored:
            await self._objects.delete(path)
        return stored

    def _is_current(self, session_id: int, attempt: int) -> bool:
        sql = "SELECT 1 FROM sessions WHERE id = ? AND attempt = ? AND state = 'capturing'"
        return self._database.fetch_one(sql, (session_id, attempt)) is not None

    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]:
        """The opened JPEGs of an attempt in the order of their sequence. Empty where the evidence is gone.

        Raises Damaged where an object is missing or changed.
        """
        rows = self._database.fetch_all(
            f"SELECT {_FRAME_COLUMNS} FROM frames"  # noqa: S608
            " WHERE session_id = ? AND attempt = ? ORDER BY sequence",
            (session_id, attempt),
        )
        return await self._opened_frames(session_id, attempt, rows)

    async def newest_frames(
        self, session_id: int, attempt: int, step: int, most: int
    ) -> list[tuple[FrameRecord, bytes]]:
        """As `frames`, the last `most` of one step."""
        rows = self._database.fetch_all(
            f"SELECT {_FRAME_COLUMNS} FROM frames"  # noqa: S608
            " WHERE session_id = ? AND attempt = ? AND step = ? ORDER BY sequence DESC LIMIT ?",
            (session_id, attempt, step, most),
        )
        return await self._opened_frames(session_id, attempt, rows[::-1])

    async def kept(self, session_id: int, attempt: int) -> tuple[int, int]:
        """How many frames of an attempt are stored, and the last one's sequence; -1 where there is none."""
        row = self._database.fetch_one(
            "SELECT count(*), coalesce(max(sequence), -1) FROM frames WHERE session_id = ? AND attempt = ?",
            (session_id, attempt),
        )
        return (row[0], row[1]) if row else (0, -1)

    async def _opened_frames(self, session_id: int, attempt: int, rows: list[Row]) -> list[tuple[FrameRecord, bytes]]:
        if not rows:
            return []
        try:
            sealer = self._evidence(session_id)
        except Erased:
            return []
        names = sorted({row[5] for row in rows})
        folder = session_folder(session_id)
        contents = await asyncio.gather(*(self._objects.get(f"{folder}/{name}") for name in names))
        packs = {name: content for name, content in zip(names, contents, strict=True) if content is not None}
        if len(packs) < len(names):
            raise Damaged(f"evidence of session {session_id} is missing")

        def open_all() -> list[tuple[FrameRecord, bytes]]:
            opened: list[tuple[FrameRecord, bytes]] = []
            for sequence, step, nonce, received_at, digest, name, start, size in rows:
                jpeg = sealer.open(_frame_field(attempt, sequence), packs[name][start : start + size])
                opened.append((FrameRecord(sequence, step, nonce, received_at, digest), jpeg))
            return opened

        return await asyncio.to_thread(open_all)

    async def frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None:
        """One frame's JPEG; None where there is none, or no longer."""
        row = self._database.fetch_one(
            "SELECT object, start, size FROM frames WHERE session_id = ? AND attempt = ? AND sequence = ?",
            (session_id, attempt, sequence),
        )
        if row is None:
            return None
        name, start, size = row
        return await self._opened(session_id, name, _frame_field(attempt, sequence), slice(start, start + size))

    async def photo(self, session_id: int) -> bytes | None:
        """The photo that came with the token; None where none came, or no longer."""
        return await self._opened(session_id, "photo", "photo", slice(None))

    async def video(self, session_id: int) -> bytes | None:
        """The evidence video, where it was muxed before."""
        return await self._opened(session_id, "video", "video", slice(None))

    async def keep_video(self, session_id: int, mp4: bytes) -> None:
        """Keep a muxed video for the next who asks; nothing is kept once the session's evidence is gone."""
        try:
            sealer = self._evidence(session_id)
        except Erased:
            return
        await self._objects.put(f"{session_folder(session_id)}/video", sealer.sealing("video", mp4))

    async def _opened(self, session_id: int, name: str, field: str, part: slice) -> bytes | None:
        try:
            sealer = self._evidence(session_id)
        except Erased:
            return None
        content = await self._objects.get(f"{session_folder(session_id)}/{name}")
        if content is None:
            return None
        return await asyncio.to_thread(sealer.open, field, content[part])
