"""An account's people by number: the order in which they are listed."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("persons_account", "persons", ["account_id", "id"])
