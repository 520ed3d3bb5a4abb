"""Which calls were about a session, and how many calls there were by day, action and code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session_calls",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("session_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("secret_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("session_calls_session", "session_calls", ["session_id"])
    op.create_index("session_calls_at", "session_calls", ["at"])
    op.create_table(
        "call_counts",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.BigInteger, primary_key=True),
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
