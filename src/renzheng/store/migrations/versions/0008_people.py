"""What people read of an account, attempts that were spared, help that was asked for, and advice after a failure."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("name_zh", "name_en", "privacy_url", "contact"):
        op.add_column("accounts", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("spared", sa.Integer, nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("eased", sa.Text))
    op.add_column("sessions", sa.Column("advice", sa.Text, nullable=False, server_default=""))
