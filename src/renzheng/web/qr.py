"""A QR code for a page, as rows of 0 and 1."""

from __future__ import annotations

import segno


def qr_rows(text: str) -> list[str]:
    """Make a QR code as rows of 0 and 1, without its quiet zone."""
    return ["".join("1" if module else "0" for module in row) for row in segno.make(text, error="m").matrix]
