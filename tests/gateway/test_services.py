"""Several products behind one gateway, and a gateway that knows none of them by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from renzheng import gateway as room
from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.pipeline import Gateway
from tests.gateway.signing import signed_json
from tests.gateway.support import SECRET_ID, SECRET_KEY, Clock, Keys, build, call, make_action, make_service


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Name(msgspec.Struct, rename="pascal"):
    name: str


def two(settings: GatewaySettings | None = None, services: frozenset[str] = frozenset({"faceid", "second"})) -> Gateway:
    """Two services that have an action of one name."""

    def answering(name: str) -> Any:
        async def run(caller: object, request: object) -> Name:
            return Name(name)

        return run

    return Gateway(
        keys=Keys(Key(SECRET_ID, SECRET_KEY, 1, services=services)),
        services=[
            make_service(make_action("DescribeIt", Nothing, answering("first"))),
            make_service(
                make_action("DescribeIt", Nothing, answering("second")), service="second", version="2026-01-01"
            ),
        ],
        clock=Clock(),
        entropy=lambda count: bytes(count),
        log=build().gateway._log,
        settings=settings,
    )


async def test_a_call_reaches_the_service_of_its_signature_and_version() -> None:
    for service, version, name in (("faceid", "2018-03-01", "first"), ("second", "2026-01-01", "second")):
        answer = await call(two(), **signed_json({}, action="DescribeIt", service=service, version=version))
        assert answer.response["Name"] == name


@pytest.mark.parametrize(
    ("service", "version"), [("faceid", "2026-01-01"), ("second", "2018-03-01"), ("second", "2020-01-01")]
)
async def test_a_version_of_another_service_does_not_exist_in_the_one_that_is_named(service: str, version: str) -> None:
    answer = await call(two(), **signed_json({}, action="DescribeIt", service=service, version=version))
    assert answer.code == "NoSuchVersion"
    assert f"`{service}`" in answer.message


async def test_a_key_signs_for_the_services_that_it_was_granted_alone() -> None:
    assert Key(SECRET_ID, SECRET_KEY, 1).services == {"faceid"}
    merchant = two(services=frozenset({"faceid"}))
    assert (await call(merchant, **signed_json({}, action="DescribeIt"))).response["Name"] == "first"
    other = await call(merchant, **signed_json({}, action="DescribeIt", service="second", version="2026-01-01"))
    assert other.code == "AuthFailure.UnauthorizedOperation"
    operator = two(services=frozenset({"second"}))
    refused = await call(operator, **signed_json({}, action="DescribeIt"))
    assert refused.code == "AuthFailure.UnauthorizedOperation"


async def test_a_service_that_is_not_offered_is_no_service() -> None:
    answer = await call(two(), **signed_json({}, action="DescribeIt", service="third", version="2026-01-01"))
    assert answer.code == "AuthFailure.InvalidAuthorization"


async def test_where_the_endpoint_names_the_service_the_version_decides() -> None:
    house = two(GatewaySettings(endpoint_service="always"))
    for version, name in (("2018-03-01", "first"), ("2026-01-01", "second")):
        request = signed_json({}, action="DescribeIt", service="127", version=version, host="127.0.0.1:8400")
        assert (await call(house, **request)).response["Name"] == name
    # An endpoint whose name begins as another service is called.
    request = signed_json({}, action="DescribeIt", service="second", version="2018-03-01", host="second.example")
    assert (await call(house, **request)).response["Name"] == "first"


async def test_services_share_no_rate_where_their_actions_have_one_name() -> None:
    house = two(GatewaySettings(requests_per_second=1, per_second={(1, "DescribeIt"): 2}))

    async def codes(service: str, version: str, calls: int) -> list[str]:
        signed = signed_json({}, action="DescribeIt", service=service, version=version)
        return [(await call(house, **signed)).code for _ in range(calls)]

    assert await codes("faceid", "2018-03-01", 3) == ["", "", "RequestLimitExceeded"]
    assert await codes("second", "2026-01-01", 2) == ["", "RequestLimitExceeded"]


def test_no_word_of_a_product_stands_in_the_gateway() -> None:
    words = re.compile(
        r"face|2018-03-01|IdCard|ImageBase64|BizToken|RuleId|Arrears|activated|ap-beijing", re.IGNORECASE
    )
    for path in sorted(Path(room.__file__).parent.glob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        found = [line for line in lines if words.search(re.sub("(sur|inter)face", "", line))]
        assert not found, f"{path.name}: {found}"
