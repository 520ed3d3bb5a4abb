"""Copies of the records and of the keys, made beside a running server. Each is a consistent snapshot.

A copy of the keys that is made after one of the records opens all of it, as data keys are stored before what they seal.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from renzheng.store.engine import StoreError
from renzheng.store.files import ERASURES_FILE, EVIDENCE_FOLDER, KEYS_FILE, RECORDS_FILE
from renzheng.store.keyring import generations, master_path, sync_folder
from renzheng.store.locks import file_lock


class Copied(NamedTuple):
    """Files of evidence: how many are new in the copy, and how many were removed from it because the source is gone."""

    new: int
    gone: int


def copy_records(data_dir: Path, target: Path) -> Copied:
    """Update a folder with the records and, if it is a local folder, the evidence.

    Evidence never changes, so files that the target has are not copied again. Raises StoreError if the target holds
    something else, OSError if it cannot be written.
    """
    _prepare(target, RECORDS_FILE, KEYS_FILE, data_dir)
    _copy_database(data_dir / RECORDS_FILE, target / RECORDS_FILE)
    here, there = set(_files(data_dir / EVIDENCE_FOLDER)), set(_files(target / EVIDENCE_FOLDER))
    copied = [
        name
        for name in sorted(here - there)
        if _copy(data_dir / EVIDENCE_FOLDER / name, target / EVIDENCE_FOLDER / name)
    ]
    _sync_folders(target, {(target / EVIDENCE_FOLDER / name).parent for name in copied})
    for name in there - here:
        (target / EVIDENCE_FOLDER / name).unlink()
    return Copied(len(copied), len(there - here))


def _sync_folders(target: Path, folders: set[Path]) -> None:
    """Make the entries of these folders durable, and the folders' own entries in their parents."""
    above = {parent for folder in folders for parent in folder.parents if parent.is_relative_to(target)}
    for folder in folders | above:
        sync_folder(folder)


def copy_keys(keys_dir: Path, target: Path) -> None:
    """Update a folder with the keys and the list of erasures. Raises the same errors as `copy_records`."""
    _prepare(target, KEYS_FILE, RECORDS_FILE, keys_dir)
    with file_lock(keys_dir / "lock"):  # no rotation while the keys and their master key are copied
        for name in (KEYS_FILE, ERASURES_FILE):
            _copy_database(keys_dir / name, target / name)
        known = generations(keys_dir)
        for generation in known:
            if not master_path(target, generation).exists():
                _copy(master_path(keys_dir, generation), master_path(target, generation))
    for generation in set(generations(target)) - set(known):
        master_path(target, generation).unlink()
    sync_folder(target)


def _prepare(target: Path, mark: str, foreign: str, source: Path) -> None:
    inside, around = target.resolve(), source.resolve()
    if inside.is_relative_to(around) or around.is_relative_to(inside):
        raise StoreError(f"{target} and {source} lie inside each other; a copy belongs elsewhere, best on other media")
    if (target / foreign).exists():
        raise StoreError(f"{target} holds the other half; records and keys belong on media apart")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    if not (target / mark).exists() and any(target.iterdir()):
        raise StoreError(f"{target} is neither empty nor an earlier copy of this kind")


def _copy_database(source: Path, target: Path) -> None:
    temporary = target.with_name(target.name + ".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(temporary)) as writing,
    ):
        reading.backup(writing)
    temporary.replace(target)
    sync_folder(target.parent)


def _make_private(folder: Path) -> None:
    """Make a folder and its missing parents. `mkdir` would give its mode to the last one only."""
    for path in reversed([folder, *folder.parents]):
        if not path.exists():
            path.mkdir(mode=0o700)


def _copy(source: Path, target: Path) -> bool:
    """Copy a file durably, for the owner alone. False if the source has just been erased."""
    _make_private(target.parent)
    temporary = target.with_name(f".{target.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with source.open("rb") as reading, os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            shutil.copyfileobj(reading, out)
            out.flush()
            os.fsync(out.fileno())
    except FileNotFoundError:
        return False
    temporary.replace(target)
    return True


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of complete files below a folder. A name with a leading dot is still being written."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            yield str(path.relative_to(folder))
