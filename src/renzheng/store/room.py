"""Disk space: how much is left on the store's file systems, and how much is kept free.

Below the reserve no new photo is accepted and no attempt begins. Attempts that have begun may use half of the reserve.
The rest is for results, verdicts and erasing, which frees space.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from renzheng.verification.records import NoRoomError

MAX_RESERVE = 1 << 30
RESERVED_PART = 0.05
"""The default reserve: this part of a file system, and at most 1 GiB."""

BEGUN = 0.5
"""The part of the reserve that frames of running attempts must leave free."""


def is_full(error: BaseException) -> bool:
    """Return whether a write failed because the disk, or the user's quota, is used up."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) or 0
        # SQLITE_IOERR_SHMSIZE: a log's shared index could not grow.
        return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, NoRoomError)


class Room:
    """`folders`: by their name for the operator. `min_free`: bytes kept free; None: by the size of the file system."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        min_free: int | None = None,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._folders = dict(folders)
        self._min_free = min_free
        self._statvfs = statvfs
        self._taken = 0

    def free(self) -> dict[str, int]:
        """Return the free bytes by folder. A folder that cannot be examined is left out."""
        return {name: left for name, (left, _) in self._measure().items()}

    def reserves(self) -> dict[str, int]:
        """Return, by folder, the bytes below which new photos and attempts are refused."""
        return {name: reserve for name, (_, reserve) in self._measure().items()}

    def _measure(self) -> dict[str, tuple[int, int]]:
        """Return, by folder, the bytes that are free and the bytes that must stay free."""
        found: dict[str, tuple[int, int]] = {}
        for name, folder in self._folders.items():
            try:
                told = self._statvfs(folder)
            except OSError:
                continue
            whole = told.f_blocks * told.f_frsize
            reserve = min(MAX_RESERVE, int(whole * RESERVED_PART)) if self._min_free is None else self._min_free
            found[name] = (told.f_bavail * told.f_frsize, reserve)
        return found

    def shortage(self, size: int = 0, part: float = 1.0) -> str | None:
        """Return a sentence if `size` more bytes would leave less than this part of the reserve; else None."""
        for name, (left, reserve) in self._measure().items():
            if left - self._taken - size < reserve * part:
                return f"the disk of the {name} folder has {left} bytes left, and {int(reserve * part)} are kept free"
        return None

    def require(self, size: int = 0, part: float = 1.0) -> None:
        """Raise NoRoomError if there is no room for `size` more bytes."""
        if (why := self.shortage(size, part)) is not None:
            raise NoRoomError(why)

    @contextlib.contextmanager
    def taking(self, size: int, part: float = 1.0) -> Iterator[None]:
        """Reserve `size` bytes while they are written, so that other callers see them as used. Raises NoRoomError."""
        self.require(size, part)
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size
