"""The error for something that cannot be used for a while, in all rooms: callers are then told to try again later."""

from __future__ import annotations


class UnavailableError(Exception):
    """What the work needs cannot be used now. Nothing is wrong with the work itself, and it may be tried again.

    The text is a sentence for the log, without personal data and without secrets.
    """
