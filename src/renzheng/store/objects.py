"""Evidence: sealed photos, frames and videos, in a folder or in S3/COS. Only sealed bytes are stored here."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import re
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from renzheng.base.faults import fault_name
from renzheng.store.engine import AwayError, StoreError
from renzheng.store.keyring import sync_folder, write_all
from renzheng.store.room import is_full
from renzheng.verification.records import NoRoomError

T = TypeVar("T")


class Made(NamedTuple):
    """Content that is generated while it is written: `fill` gets a buffer of `size` bytes, in a thread of its own."""

    size: int
    fill: Callable[[memoryview], None]


Content = bytes | Made
DIRECT_BYTES = 1 << 20
"""Size from which generated content is written past the page cache."""
KEPT_BYTES = 8 << 20
"""Size of the largest buffer that a thread keeps for its next object. Fresh pages cost more than sealing."""

_LEFT_OVER = re.compile(r"(.+/)?\.([a-z0-9][a-z0-9.\-]*)")
_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]*(/[a-z0-9][a-z0-9.\-]*)*")


class ObjectEntry(NamedTuple):
    """`modified_at`: unix seconds."""

    name: str
    modified_at: float


class Objects(Protocol):
    """A place for objects. Names are lower-case paths such as `sessions/0496/1785/photo`. Nothing blocks the event
    loop."""

    async def put(self, name: str, content: Content) -> None:
        """Write an object, durably and atomically. Raises NoRoomError if the disk is full."""

    async def get(self, name: str) -> bytes | None: ...

    async def delete(self, name: str) -> None:
        """Delete an object. It is no error if there is none."""

    async def delete_all(self, folder: str) -> None:
        """Delete every object below a folder."""

    async def entries(self, folder: str, after: str = "", limit: int = 1000) -> list[ObjectEntry]:
        """Return the objects below a folder by rising name, those after `after`."""

    async def check(self) -> None:
        """Check that the place can be reached. Raises StoreError with a sentence."""

    async def identity(self) -> str:
        """Return a name for this place. Two processes that get the same name work on the same evidence."""
        ...

    async def close(self) -> None: ...


def checked_name(name: str) -> str:
    """Return the name if it is valid. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not an object's name: {name!r}")
    return name


class _Buffers(threading.local):
    """A page-aligned buffer for each thread, kept from one object to the next."""

    _kept: mmap.mmap | None = None

    def pages(self, size: int) -> memoryview:
        """Return at least `size` bytes of whole pages, which still have their old content."""
        whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._kept is None or len(self._kept) < whole:
            self._kept = None
            made = mmap.mmap(-1, whole, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if whole > KEPT_BYTES:
                return memoryview(made)
            self._kept = made
        return memoryview(self._kept)[:whole]


def _write_direct(descriptor: int, pages: memoryview, size: int) -> bool:
    """Write the first `size` bytes of whole pages past the page cache, as copying into it costs most.

    False, and nothing written, if the file system does not support that.
    """
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT)
        if os.write(descriptor, pages) != len(pages):
            raise OSError("a short write")
        os.ftruncate(descriptor, size)
    except OSError:  # not supported here, or no room: the ordinary write finds out which
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return False
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return True


class FolderObjects:
    """A folder (mode 700). A file is written under a temporary name, synced and renamed; then its folder is synced."""

    def __init__(self, root: Path, threads: int = 4) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="renzheng-objects")
        self._buffers = _Buffers()

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work in a thread. NoRoomError if the disk is full, AwayError if the folder cannot be used otherwise."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except OSError as error:
            if is_full(error):
                raise NoRoomError("the disk of the evidence is full") from error
            raise AwayError(f"the evidence folder cannot be used: {fault_name(error)}") from error

    async def put(self, name: str, content: Content) -> None:
        await self._run(self._put, self._root / checked_name(name), content)

    async def get(self, name: str) -> bytes | None:
        return await self._run(self._get, self._root / checked_name(name))

    async def delete(self, name: str) -> None:
        left_over = _LEFT_OVER.fullmatch(name)  # left by a write that a crash interrupted, as `entries` lists it
        checked_name((left_over[1] or "") + left_over[2] if left_over else name)
        await self._run(self._delete, self._root / name)

    async def delete_all(self, folder: str) -> None:
        await self._run(self._delete_all, self._root / checked_name(folder))

    async def entries(self, folder: str, after: str = "", limit: int = 1000) -> list[ObjectEntry]:
        found: list[ObjectEntry] = []
        await self._run(self._walk, self._root / checked_name(folder), after, limit, found)
        return found

    async def check(self) -> None:
        return None

    async def identity(self) -> str:
        return await self._run(self._identity)

    def _identity(self) -> str:
        """Read the identity from a file beside the folders of objects. The first process makes it."""
        path = self._root / ".identity"
        with contextlib.suppress(FileExistsError):
            made = path.with_name(f".identity.{secrets.token_hex(4)}")
            made.write_text(secrets.token_hex(16))
            try:
                os.link(made, path)
            finally:
                made.unlink()
        return path.read_text()

    async def close(self) -> None:
        self._threads.shutdown()

    def _make_folder(self, folder: Path) -> None:
        missing: list[Path] = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
            sync_folder(path.parent)

    def _put(self, path: Path, content: Content) -> None:
        # No object's name has a leading dot, so only the sweeper sees a file that a crash left behind.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        for _ in range(3):
            self._make_folder(path.parent)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
            except FileNotFoundError:  # the folder was emptied and removed meanwhile
                continue
        else:
            raise StoreError("the evidence folder is removed while it is written to")
        try:
            try:
                self._write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            self._prune(path.parent)
            raise
        sync_folder(path.parent)

    def _write(self, descriptor: int, content: Content) -> None:
        if not isinstance(content, Made):
            write_all(descriptor, content)
            return
        pages = self._buffers.pages(content.size)
        content.fill(pages[: content.size])
        if content.size < DIRECT_BYTES or not _write_direct(descriptor, pages, content.size):
            write_all(descriptor, pages[: content.size])

    def _get(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _delete(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            self._prune(path.parent)

    def _delete_all(self, folder: Path) -> None:
        try:
            children = list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for child in children:
            if child.is_dir():
                self._delete_all(child)
            else:
                child.unlink(missing_ok=True)
        self._prune(folder)

    def _prune(self, folder: Path) -> None:
        """Remove folders that became empty. A folder that is being written to is not empty, and stays."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _walk(self, folder: Path, after: str, limit: int, found: list[ObjectEntry]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name + ("/" if e.is_dir() else ""))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if len(found) >= limit:
                return
            name = str(Path(entry.path).relative_to(self._root))
            if entry.is_dir():
                if name + "/" > after or after.startswith(name + "/"):
                    self._walk(Path(entry.path), after, limit, found)
            elif name > after:
                with contextlib.suppress(FileNotFoundError):
                    found.append(ObjectEntry(name, entry.stat().st_mtime))
