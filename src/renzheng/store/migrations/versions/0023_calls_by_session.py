"""Old calls are found by their session, whose number is its time: an index less to write for each call."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("session_calls_at", "session_calls")
