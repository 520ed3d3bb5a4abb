"""What the console of any server has to know: tries to sign in, forms that were sent, the last calls of a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_tries",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_index("sign_in_tries_begun", "sign_in_tries", ["begun_at"])
    op.create_table(
        "sent_forms",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("sent_at", sa.Float, nullable=False),
    )
    op.create_index("sent_forms_sent", "sent_forms", ["sent_at"])
    op.create_table(
        "console_calls",
        sa.Column("session", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
