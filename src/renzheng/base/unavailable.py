"""What is away for a while, said in one word by every room: whoever answers somebody then says "try again later"."""

from __future__ import annotations


class UnavailableError(Exception):
    """What the work needs cannot be used now, and nothing is wrong with the work itself: it may be tried again.

    The text is a sentence for the log, without personal data and without secrets.
    """
