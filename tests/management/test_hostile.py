"""Whatever is in a parameter, the answer names what is wrong; nothing unforeseen happens inside an action."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from renzheng.gateway.manifest import Manifest
from renzheng.management import desk
from tests.management.conftest import PRODUCT, House

HOSTILE: dict[type, list[Any]] = {
    msgspec.inspect.IntType: [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30],
    msgspec.inspect.FloatType: [0.0, -1.5, 1e308, 1e-308, 2**70],
    msgspec.inspect.StrType: [
        "", " ", "\x00", "a" * 100_000, "'; DROP TABLE keys; --", "１２３",
        "9" * 40, "-1", "../../etc/passwd", "%00", "{reason}", "{0}", "http://[", "名" * 300, "\u202e",
    ],
    msgspec.inspect.BoolType: [True, False],
    msgspec.inspect.ListType: [[], [""], ["\x00"], ["x"] * 1000],
    msgspec.inspect.RawType: ["", "AA==", "not base64", "\\u0000"],
}  # fmt: skip
UNFORESEEN = {"InternalError", "FailedOperation.UnKnown"}


def kind(field: msgspec.inspect.Field) -> type:
    inner = field.type
    if isinstance(inner, msgspec.inspect.UnionType):
        (inner,) = (part for part in inner.types if not isinstance(part, msgspec.inspect.NoneType))
    return type(inner)


def cases(action: Manifest) -> list[dict[str, Any]]:
    """Requests in which one parameter is hostile and the needed others are harmless, and one with all hostile."""
    info = msgspec.inspect.type_info(action.request)
    assert isinstance(info, msgspec.inspect.StructType)
    harmless: dict[type, Any] = {
        msgspec.inspect.IntType: 1,
        msgspec.inspect.FloatType: 1.0,
        msgspec.inspect.StrType: "1",
        msgspec.inspect.BoolType: False,
        msgspec.inspect.ListType: ["x"],
    }
    needed = {field.encode_name: harmless[kind(field)] for field in info.fields if field.required}
    needed |= {"AccountId": 1} if any(field.encode_name == "AccountId" for field in info.fields) else {}
    single = [needed | {field.encode_name: value} for field in info.fields for value in _values(field)]
    every = [{field.encode_name: _values(field)[n % len(_values(field))] for field in info.fields} for n in range(8)]
    return single + every


def _values(field: msgspec.inspect.Field) -> list[Any]:
    values = HOSTILE[kind(field)]
    inner = field.type
    if isinstance(inner, msgspec.inspect.UnionType):
        inner = next(part for part in inner.types if not isinstance(part, msgspec.inspect.NoneType))
    if isinstance(inner, msgspec.inspect.ListType) and isinstance(inner.item_type, msgspec.inspect.IntType):
        return [[], [0], [2**63], [-1] * 1000]
    return values


async def test_a_list_or_a_text_that_is_too_long_is_refused_before_anything_goes_over_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of 700,000 kinds of actions stopped the server for a second, and was stored with each token of it."""
    assert (desk.MAX_ITEMS, desk.MAX_TEXT) <= (1000, 65_536)
    kinds = ["turn_left"] * (desk.MAX_ITEMS + 1)
    for action, given in (
        ("CreateRule", {"Name": "long", "ChallengeKinds": kinds}),
        ("CreateKey", {"Addresses": kinds}),
        ("DescribeAccounts", {"AccountIds": [1] * (desk.MAX_ITEMS + 1)}),
        ("DescribeVerification", {"VerificationId": "9" * (desk.MAX_TEXT + 1)}),
        ("CreateKey", {"Addresses": [":" * (desk.MAX_TEXT + 1)]}),
    ):
        own = given if "VerificationId" in given or "AccountIds" in given else given | {"AccountId": house.account.id}
        refused = await house.call(action, own)
        assert (refused.code, "too long" in refused.message) == ("InvalidParameterValue", True), action
    await house.do("DescribeAccounts", {"AccountIds": [house.account.id] * desk.MAX_ITEMS})


@pytest.mark.parametrize("action", PRODUCT.actions, ids=lambda action: action.name)
async def test_no_value_of_a_parameter_is_unforeseen(house: House, action: Manifest) -> None:
    for given in cases(action):
        answer = await house.call(action.name, given)
        assert answer.code not in UNFORESEEN, (given, answer.response)
        # Over PostgreSQL, whose texts have no NUL, the store would fail where SQLite finds nothing.
        if any(value in ("\x00", ["\x00"]) for value in given.values()):
            assert answer.code.startswith(("InvalidParameter", "MissingParameter", "Unauthorized")), (
                given,
                answer.code,
            )
        if answer.code in ("UnauthorizedOperation.RoleDenied", "AuthFailure.SecretIdNotFound"):
            return  # the action has done to its caller what it says
