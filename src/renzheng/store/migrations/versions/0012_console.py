"""How people sign in to the console: credentials, recovery codes, sessions, links that are good once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "operators",
        sa.Column("id", number, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id")),
        sa.Column("disabled", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("mac", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "operator_credentials",
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("operators.id"), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("code_step", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("changed_at", sa.Double, nullable=False),
    )
    op.create_table("recovery_codes", _owner(), sa.Column("digest", sa.LargeBinary, primary_key=True))
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        _owner(),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("browser", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_index("console_sessions_operator", "console_sessions", ["operator_id"])
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("operators.id")),
        sa.Column("expires_at", sa.Double, nullable=False),
    )


def _owner() -> sa.Column[int]:
    return sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("operators.id"), nullable=False)
