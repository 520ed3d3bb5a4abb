"""Attempts that the server could not watch: which they were, and how many a token was given back for that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("excused", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("attempts", sa.Column("unwatched", sa.Integer, nullable=False, server_default=sa.text("0")))
