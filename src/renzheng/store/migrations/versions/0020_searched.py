"""Verifications are found by their account and by their Result along an index, in the order of their lists."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("sessions_account", "sessions", ["account_id", "id"])
    op.create_index("verdicts_result", "verdicts", ["result", "session_id"])
