"""The ledger by time: what the overview counts, of all accounts."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ledger_at", "ledger", ["at"])
