"""A newer version of the program: this one with one more revision of the schema."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import renzheng
from renzheng.store.migrations import HEAD

NEXT = f"{int(HEAD) + 1:04}"
ADDS = 'op.add_column("sessions", sa.Column("toy", sa.Text, nullable=True))'
TAKES_AWAY = 'op.drop_column("sessions", "node")'
_REVISION = """import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{next}", "{head}", None, None


def upgrade() -> None:
    {change}
"""


def add_revision(migrations: Path, change: str) -> None:
    """One more in a copy of the folder `migrations`. `change`: a statement of Alembic."""
    (migrations / "versions" / f"{NEXT}_toy.py").write_text(_REVISION.format(next=NEXT, head=HEAD, change=change))


def newer_program(folder: Path, change: str, *, is_additive: bool) -> Path:
    """A folder to put before all others of Python's: its `renzheng` is the newer one."""
    source = Path(renzheng.__file__).parent
    made = folder / "renzheng"
    shutil.copytree(source, made, ignore=shutil.ignore_patterns("__pycache__"))
    migrations = made / "store" / "migrations"
    add_revision(migrations, change)
    text = (migrations / "__init__.py").read_text()
    text = re.sub(r'^HEAD = ".*"$', f'HEAD = "{NEXT}"', text, flags=re.MULTILINE)
    if not is_additive:
        text = re.sub(r'^BESIDE = ".*"$', f'BESIDE = "{NEXT}"', text, flags=re.MULTILINE)
    (migrations / "__init__.py").write_text(text)
    return folder
