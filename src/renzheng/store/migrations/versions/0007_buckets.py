"""Buckets that accounts have authorised, and the outbox of what is due there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buckets",
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("authorised_at", sa.Double, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("session_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("id_hash", sa.LargeBinary),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("best_frame", sa.BigInteger().with_variant(sa.Integer, "sqlite")),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("lease_until", sa.Double),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("trouble", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("place", sa.Text),
        sa.Column("video_key", sa.Text),
        sa.Column("frame_key", sa.Text),
        sa.Column("finished_at", sa.Double),
    )
    due = sa.text("state IN ('waiting', 'erasing')")
    op.create_index("deliveries_due", "deliveries", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.create_index("deliveries_person", "deliveries", ["account_id", "id_hash"])
    op.create_index("deliveries_finished", "deliveries", ["created_at"])
    op.add_column("sessions", sa.Column("to_bucket", sa.Integer, nullable=False, server_default=sa.text("0")))
