"""Deliveries to a customer's bucket: one for each verdict that asked for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from renzheng.accounts.buckets import Bucket


class DeliveryState(enum.StrEnum):
    WAITING = "waiting"  # due, or due again after a failure
    DELIVERED = "delivered"
    NOTHING = "nothing"  # nothing was captured, or the evidence was deleted before the delivery
    ERASING = "erasing"  # the delivered objects are to be deleted
    ERASED = "erased"
    LEFT = "left"  # erasing was given up: the key may not delete, or the bucket is gone


@dataclass(frozen=True, slots=True)
class Delivery:
    """`folder`: date and 128 random bits, the same on every try. `place`, `video_key`, `frame_key`: where it was put.

    `trouble`: why the last try failed. Times are unix seconds.
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
