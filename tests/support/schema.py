"""New stores of the tests: copies of a migrated one, as the revisions take most of the time of opening a store."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from renzheng.store import schema
from renzheng.store.open import open_store


class Template:
    """Stands in for `schema.migrate` where stores are opened. What begins without a file gets the migrated one."""

    def __init__(self, folder: Path) -> None:
        self._made = folder / "migrated.db"

    def migrate(self, path: Path) -> None:
        if not path.exists():
            if not self._made.exists():
                schema.migrate(self._made)
            own = path.with_name(f"{path.name}.{os.getpid()}")
            shutil.copyfile(self._made, own)
            own.chmod(0o600)
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(own)
            own.unlink()
        schema.migrate(path)


def lay_out(data: Path, keys: Path) -> None:
    """The two folders of a store with nothing in it, where neither is there yet."""
    if data.exists() or keys.exists():
        return
    shutil.copytree(_empty() / "data", data)
    shutil.copytree(_empty() / "keys", keys)


@cache
def _empty() -> Path:
    """A store that was opened once, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="renzheng-empty-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def make() -> None:
        store = open_store(folder / "data", folder / "keys", time.time, os.urandom, actor="test")
        await store.start(serving=False)
        await store.stop()

    with ThreadPoolExecutor(1) as thread:  # the caller may be in a loop of its own
        thread.submit(asyncio.run, make()).result()
    return folder
