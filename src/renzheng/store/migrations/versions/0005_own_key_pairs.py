"""Key pairs for sealed fields belong to an account; those that are there stay shared by the accounts that are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("encryption_keys", sa.Column("account_id", sa.BigInteger))
    op.add_column("encryption_keys", sa.Column("retired_at", sa.Double))
    op.add_column("accounts", sa.Column("shared_until", sa.Double))
    # Infinity: until somebody says when it ends.
    shared = sa.text("UPDATE accounts SET shared_until = :ever WHERE EXISTS (SELECT 1 FROM encryption_keys)")
    op.execute(shared.bindparams(ever=float("inf")))
