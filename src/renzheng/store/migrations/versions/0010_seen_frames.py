"""An index over the digests of frames, so that one that an earlier session sent is found at once."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("frames_digest", "frames", ["digest"])
