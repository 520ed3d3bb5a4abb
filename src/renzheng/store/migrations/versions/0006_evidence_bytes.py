"""Bytes of evidence by session and by account; an index over photos that nobody has used yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("sessions", "accounts"):
        op.add_column(table, sa.Column("evidence_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    # Photos of before are not counted: only their files know their size.
    op.execute(
        "UPDATE sessions SET evidence_bytes = (SELECT coalesce(sum(size), 0) FROM frames"
        " WHERE session_id = sessions.id) WHERE has_evidence = 1"
    )
    op.execute(
        "UPDATE accounts SET evidence_bytes = (SELECT coalesce(sum(evidence_bytes), 0) FROM sessions"
        " WHERE account_id = accounts.id AND has_evidence = 1)"
    )
    unused = sa.text("has_photo = 1 AND attempt = 0")
    op.create_index("sessions_unused", "sessions", ["expires_at"], sqlite_where=unused, postgresql_where=unused)
