"""What an account may: whether it is activated, and what it has left to pay verifications with.

The unit is one verification, as Tencent Cloud's list of results counts them; there are no prices here. A balance
is prepaid: it falls by one with every billed verdict. It may fall below zero, as a verification that began while
something was left is always finished; what is below zero is owed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BillingRefusal(enum.Enum):
    """Why an account is not served."""

    NOT_ACTIVATED = enum.auto()
    IN_ARREARS = enum.auto()


@dataclass(frozen=True, slots=True)
class BillingStatus:
    """`balance`: verifications left, below zero what is owed; None: unlimited."""

    active: bool = True
    balance: int | None = None

    @property
    def to_issue(self) -> BillingRefusal | None:
        """Why no new token is issued: nothing is left to pay a further verification with."""
        if not self.active:
            return BillingRefusal.NOT_ACTIVATED
        return BillingRefusal.IN_ARREARS if self.balance is not None and self.balance <= 0 else None

    @property
    def to_fetch(self) -> BillingRefusal | None:
        """Why no result is handed out: verifications are owed. One that took the last of a balance is paid for."""
        if not self.active:
            return BillingRefusal.NOT_ACTIVATED
        return BillingRefusal.IN_ARREARS if self.balance is not None and self.balance < 0 else None


GOOD = BillingStatus()
"""Activated, with an unlimited balance: what an account is unless told otherwise."""
