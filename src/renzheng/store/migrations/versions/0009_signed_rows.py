"""Rows that decide have a signature. It is made when the store is opened, as the keys are needed for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("accounts", "keys", "rules", "verdicts"):
        op.add_column(table, sa.Column("mac", sa.LargeBinary))
