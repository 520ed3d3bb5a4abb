"""A newer version of the program: this one with one more revision of the schema."""

from __future__ import annotations

from pathlib import Path

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
