"""An index over the captures under way, so that those whose last attempt ran out are found at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    capturing = sa.text("state = 'capturing'")
    op.create_index(
        "sessions_capturing", "sessions", ["expires_at"], sqlite_where=capturing, postgresql_where=capturing
    )
