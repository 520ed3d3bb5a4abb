"""Repeats a delivery to a customer's bucket."""

from __future__ import annotations

from renzheng.accounts.buckets import Bucket
from renzheng.accounts.deliveries import Delivery, DeliveryState
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.open import Store
from renzheng.verification.session import Session

GONE = (DeliveryState.ERASING, DeliveryState.ERASED, DeliveryState.LEFT)


async def deliver_again(store: Store, session: Session, now: float) -> Delivery:
    """Deliver the evidence of a token with UseCos again, under the same keys.

    A waiting delivery is tried at once. Raises NotFoundError if there is none, RefusedError if it cannot be repeated.
    """
    found = await store.deliveries.get(session.account_id, session.id)
    if found is None:
        raise NotFoundError("this verification has no delivery: its token was without UseCos, or it is not judged yet")
    if found.state in GONE:
        raise RefusedError("what was delivered of this verification is erased")
    authorised = await store.buckets.get(session.account_id)
    if authorised is None:
        raise RefusedError("the account has authorised no bucket")
    if found.place is not None and _place(found.place) != _place(authorised.bucket):
        # A later erasure deletes from one place only.
        raise RefusedError("it was delivered to another bucket than the account has authorised now")
    if not await store.sessions.has_frames(session.id, found.attempt):
        raise RefusedError("its evidence is no longer kept")
    await store.audit.record("delivered again", f"session {session.id}")
    await store.deliveries.again(session.account_id, session.id, now)
    return await store.deliveries.get(session.account_id, session.id) or found


def _place(bucket: Bucket) -> tuple[str, str]:
    return bucket.host, bucket.name
