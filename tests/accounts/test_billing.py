"""Who is served: the table of activation and balance."""

from __future__ import annotations

import pytest

from renzheng.accounts.billing import GOOD, BillingRefusal, BillingStatus

NO, ARREARS = BillingRefusal.NOT_ACTIVATED, BillingRefusal.IN_ARREARS


@pytest.mark.parametrize(
    ("active", "balance", "to_issue", "to_fetch"),
    [
        (True, None, None, None),
        (True, 1, None, None),
        (True, 0, ARREARS, None),  # the last verification is paid for, and its result can be fetched
        (True, -1, ARREARS, ARREARS),
        (False, None, NO, NO),
        (False, 5, NO, NO),
        (False, -1, NO, NO),
    ],
)
def test_who_gets_a_token_and_who_gets_a_result(
    active: bool, balance: int | None, to_issue: BillingRefusal | None, to_fetch: BillingRefusal | None
) -> None:
    standing = BillingStatus(active, balance)
    assert (standing.to_issue, standing.to_fetch) == (to_issue, to_fetch)


def test_an_account_is_served_unless_told_otherwise() -> None:
    assert GOOD.to_issue is None
    assert GOOD.to_fetch is None
