"""Counts of attempts a day are found by their day, as the sweeper looks for old ones in every round."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("day_counts_day", "day_counts", ["day"])
