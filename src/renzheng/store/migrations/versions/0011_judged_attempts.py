"""The newest attempt that was judged and left its token alive; its verdict counts when the token's life ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("judged", sa.Integer, nullable=False, server_default=sa.text("0")))
    lapsing = sa.text("state = 'capturing' AND judged > 0")
    op.create_index("sessions_lapsing", "sessions", ["expires_at"], sqlite_where=lapsing, postgresql_where=lapsing)
