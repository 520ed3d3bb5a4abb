"""New databases of the tests: copies of a migrated one, as the revisions take most of the time of opening a store."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from renzheng.store import schema


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
