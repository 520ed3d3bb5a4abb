"""Room on the disk: what is left of the file systems that the store writes to, and what is kept free of them.

Below the reserve no new photo is taken and no attempt begun; what has begun may use the half of it, and the rest is
for results, verdicts and erasing, which make room again.
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
"""The reserve, where nothing else is said: this part of a file system, and 1 GiB at most."""

BEGUN = 0.5
"""The part of the reserve that stays closed to frames of attempts that have begun."""


def is_full(error: BaseException) -> bool:
    """Whether a write failed because the disk, or its owner's part of it, is used up."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) or 0
        # The second is a log's shared index that could not grow.
        return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, NoRoomError)


class Room:
    """`folders` by their name for the operator. `min_free`: bytes kept free; None: by the size of the file system."""

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
        """Bytes that are left, by folder. A folder that cannot be asked is left out."""
        return {name: left for name, (left, _) in self._measured().items()}

    def reserves(self) -> dict[str, int]:
        """Bytes below which new photos and attempts are refused, by folder."""
        return {name: reserve for name, (_, reserve) in self._measured().items()}

    def _measured(self) -> dict[str, tuple[int, int]]:
        """By folder, the bytes that are left and the bytes that are to stay free."""
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
        """A sentence where `size` bytes more would leave less than this part of the reserve; else None."""
        for name, (left, reserve) in self._measured().items():
            if left - self._taken - size < reserve * part:
                return f"the disk of the {name} folder has {left} bytes left, and {int(reserve * part)} are kept free"
        return None

    def require(self, size: int = 0, part: float = 1.0) -> None:
        """Raises NoRoomError where there is not room for so much more."""
        if (why := self.shortage(size, part)) is not None:
            raise NoRoomError(why)

    @contextlib.contextmanager
    def taking(self, size: int, part: float = 1.0) -> Iterator[None]:
        """While `size` bytes are written: counted as gone for everybody who asks meanwhile. Raises NoRoomError."""
        self.require(size, part)
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size
