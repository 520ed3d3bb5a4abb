"""The keys folder: master keys in files of mode 600, in the clear or sealed.

Files that others can read are refused.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from renzheng.store.engine import StoreError
from renzheng.store.master_seal import MasterSeal, opened_text, seal_of, sealed_text

KEY_BYTES = 32

_NAME = re.compile(r"master-([0-9]+)\.key")


class KeysRefusedError(StoreError):
    """The keys folder must not be used as it is. The text says what is wrong and what to do."""


def prepare_folder(folder: Path) -> None:
    """Make the folder (mode 700) if it is missing. Refuse it if a group or others can reach it.

    Raises KeysRefusedError for the folder itself and for every file in it.
    """
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        return
    if not folder.is_dir():
        raise KeysRefusedError(f"the keys folder {folder} is not a folder")
    for path in (folder, *sorted(folder.iterdir())):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:  # another process has just closed this write-ahead log
            continue
        if mode & 0o077:
            wanted = "700" if path.is_dir() else "600"
            raise KeysRefusedError(
                f"{path} has mode {mode:03o}, so a group or others can reach the keys; run: chmod {wanted} {path}"
            )


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 600 durably and atomically. Raises FileExistsError and OSError."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(temporary, path)
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all bytes. A single write may take only part of them, for example on a full disk. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def master_path(folder: Path, generation: int) -> Path:
    return folder / f"master-{generation}.key"


def generations(folder: Path) -> list[int]:
    """Return the generations of the master keys in the folder, oldest first."""
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


def make_master(
    folder: Path, generation: int, entropy: Callable[[int], bytes], seals: Sequence[MasterSeal] = ()
) -> bytes:
    """Make a new master key. It is durable and was read back, as what it wraps has no other key.

    Raises OSError, MasterSealError if it cannot be sealed or opened, KeysRefusedError if reading gives another key.
    """
    key = entropy(KEY_BYTES)
    if len(key) != KEY_BYTES:
        raise ValueError("the source of randomness gave too few bytes")
    path = master_path(folder, generation)
    write_private(path, sealed_text(seals, key, generation))
    try:
        if read_master(folder, generation, seals) != key:
            raise KeysRefusedError(f"{path} was written, and another key was read back")
    except BaseException:
        path.unlink()
        raise
    return key


def master_made_at(folder: Path, generation: int) -> float:
    """Return when the file was made, in unix seconds, by the file system. Copies must keep it (`cp -a`)."""
    return master_path(folder, generation).stat().st_mtime


def master_seal(folder: Path, generation: int) -> str:
    """Return the name of the file's seal; empty for a file in the clear."""
    return seal_of(master_path(folder, generation).read_text("ascii"))


def read_master(folder: Path, generation: int, seals: Sequence[MasterSeal] = ()) -> bytes:
    """Read a master key. KeysRefusedError if the file is missing or not a master key, MasterSealError if no seal opens
    it."""
    path = master_path(folder, generation)
    try:
        key = opened_text(seals, path.read_text("ascii"), generation)
    except FileNotFoundError:
        raise KeysRefusedError(
            f"the master key {path} is missing; without it nothing that was sealed under it can be read. "
            "Put it back from the backup of the keys folder"
        ) from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeysRefusedError(f"{path} is damaged: a master key is one line of {2 * KEY_BYTES} hex digits, or sealed")
    return key
