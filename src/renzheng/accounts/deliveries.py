"""What is due in a customer's bucket: one delivery a verdict that asked for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from renzheng.accounts.buckets import Bucket


class DeliveryState(enum.StrEnum):
    WAITING = "waiting"  # due, or due again after a failure
    DELIVERED = "delivered"
    NOTHING = "nothing"  # nothing was captured, or its evidence was gone before the bucket took it
    ERASING = "erasing"  # what was delivered is to be deleted
    ERASED = "erased"
    LEFT = "left"  # its erasure was given up: the bucket's key may not delete, or the bucket is gone


@dataclass(frozen=True, slots=True)
class Delivery:
    """`folder`: date and 128 random bits, the same on every try. `place`, `video_key`, `frame_key`: where it went.

    `trouble`: what the last try met. Times are unix seconds.
    """

    session_id: int
    account_id: int
    attempt: int
    best_frame: int | None
    folder: str
    state: DeliveryState
    created_at: float
    due_at: float
    tries: int
    trouble: str = ""
    place: Bucket | None = None
    video_key: str | None = None
    frame_key: str | None = None
