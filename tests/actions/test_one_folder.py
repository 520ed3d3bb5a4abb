"""A second service is one new folder: it can then be called beside FaceID, and the explorer tells of both."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renzheng.accounts.keys import Key
from renzheng.actions.product import make_product
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.manifest import Product, Service, error_texts
from renzheng.gateway.pipeline import Gateway
from tests.actions.test_one_file import FILE
from tests.gateway.signing import signed_json
from tests.gateway.support import SECRET_ID, SECRET_KEY, Clock, Keys, build, call

PRODUCT = """
import toy_service
from renzheng.gateway.manifest import Product, manifests_in

PRODUCT = Product(
    service="echo",
    version="2026-02-02",
    title=("回声", "Echo"),
    regions=frozenset(),
    example_region="",
    actions=manifests_in(toy_service),
)
"""
KNOWN: Any = {"greeting": "account"}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    folder = tmp_path / "toy_service"
    folder.mkdir()
    for name, text in (("__init__.py", ""), ("product.py", PRODUCT), ("describe_echo.py", FILE)):
        (folder / name).write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("toy_service.product").PRODUCT
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_service"]:
        del sys.modules[name]


async def test_a_service_of_one_folder_is_called_by_keys_that_were_granted_it(toy: Product) -> None:
    def gateway(*services: str) -> Gateway:
        return Gateway(
            keys=Keys(Key(SECRET_ID, SECRET_KEY, 7, services=frozenset(services))),
            services=[Service(make_product(), ()), Service.of(toy, KNOWN)],
            clock=Clock(),
            entropy=lambda count: bytes(count),
            log=build().gateway._log,
        )

    signed = signed_json({"Text": "hello"}, action="DescribeEcho", service="echo", version="2026-02-02")
    assert (await call(gateway("faceid", "echo"), **signed)).response["Echo"] == "account 7: hello"
    assert (await call(gateway("faceid"), **signed)).code == "AuthFailure.UnauthorizedOperation"
    refused = signed_json({"Text": "psst"}, action="DescribeEcho", service="echo", version="2026-02-02")
    assert (await call(gateway("echo"), **refused)).code == "FailedOperation.NoEcho"


def test_the_explorer_describes_a_service_of_one_folder_beside_the_others(toy: Product) -> None:
    products = [make_product(), toy]
    description = describe(products, error_texts(products), Limits(1, 1, 1))
    assert [(action.name, action.service, action.version) for action in description.actions] == [
        ("GetFaceIdToken", "faceid", "2018-03-01"),
        ("GetFaceIdResult", "faceid", "2018-03-01"),
        ("DescribeEcho", "echo", "2026-02-02"),
    ]
    assert description.errors["FailedOperation.NoEcho"].message.en == "There is no echo."
