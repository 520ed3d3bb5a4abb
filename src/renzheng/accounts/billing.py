"""Whether an account is activated, and how many verifications it can still pay for.

The unit is one verification, as Tencent Cloud's list of results counts them; there are no prices here. A balance is
prepaid: it falls by one with every billed verdict. It may fall below zero, as a verification that began in time is
always finished; the negative part is owed.
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
    """`balance`: verifications left; below zero, those owed. None: unlimited."""

    active: bool = True
    balance: int | None = None

    @property
    def to_issue(self) -> BillingRefusal | None:
        """Why no new token is issued: nothing is left to pay another verification with."""
        if not self.active:
            return BillingRefusal.NOT_ACTIVATED
        return BillingRefusal.IN_ARREARS if self.balance is not None and self.balance <= 0 else None

    @property
    def to_fetch(self) -> BillingRefusal | None:
        """Why no result is returned: verifications are owed. The one that took the last of a balance is paid for."""
        if not self.active:
            return BillingRefusal.NOT_ACTIVATED
        return BillingRefusal.IN_ARREARS if self.balance is not None and self.balance < 0 else None


GOOD = BillingStatus()
"""The default status: activated, with an unlimited balance."""
