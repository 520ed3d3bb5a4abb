"""Which node a session's device is at, by which socket; and which node enrols the people of an import."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("node", sa.BigInteger))
    op.add_column("sessions", sa.Column("socket", sa.BigInteger))
    op.add_column("imports", sa.Column("node", sa.BigInteger))
