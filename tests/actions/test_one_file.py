"""A new action is one new file: it can then be called, and the explorer and the docs tell of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from renzheng import actions
from renzheng.accounts.keys import Key
from renzheng.actions.product import make_product
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.manifest import Service, error_texts
from renzheng.gateway.pipeline import Gateway
from scripts import docs
from tests.gateway.signing import signed_json
from tests.gateway.support import SECRET_ID, SECRET_KEY, Clock, Keys, build, call

FILE = """
import msgspec

from renzheng.gateway.errors import FailedOperationError
from renzheng.gateway.manifest import Manifest, Message, Parameter


class NoEchoError(FailedOperationError):
    code = "FailedOperation.NoEcho"
    zh = "没有回声。"
    en = "There is no echo."
    advice = ("请大声一点。", "Say it louder.")


class Request(Message, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    text: str

    def check(self):
        if self.text == "psst":
            raise NoEchoError


class Reply(msgspec.Struct, rename="pascal"):
    echo: str


class DescribeEcho:
    def __init__(self, parts):
        self._account = parts["greeting"]

    async def __call__(self, caller, request):
        return Reply(f"{self._account} {caller.account_id}: {request.text}")


MANIFEST = Manifest(
    name="DescribeEcho",
    request=Request,
    reply=Reply,
    make=DescribeEcho,
    text=("回声。", "Says it again."),
    parameters={"Text": Parameter("要说的话。", "What to say.")},
    errors=(NoEchoError,),
)
"""
KNOWN: Any = {"greeting": "account"}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "describe_echo.py").write_text(FILE, "utf-8")
    monkeypatch.setattr(actions, "__path__", [*actions.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    sys.modules.pop("renzheng.actions.describe_echo", None)
    vars(actions).pop("describe_echo", None)


@pytest.mark.usefixtures("toy")
async def test_an_action_of_one_file_can_be_called() -> None:
    product = make_product()
    toy_alone = Service.of(_only(product, "DescribeEcho"), KNOWN)
    gateway = Gateway(
        keys=Keys(Key(SECRET_ID, SECRET_KEY, 7)),
        services=[toy_alone],
        clock=Clock(),
        entropy=lambda count: bytes(count),
        log=build().gateway._log,
    )
    answer = await call(gateway, **signed_json({"Text": "hello"}, action="DescribeEcho"))
    assert answer.response["Echo"] == "account 7: hello"
    refused = await call(gateway, **signed_json({"Text": "psst"}, action="DescribeEcho"))
    assert (refused.code, refused.message) == ("FailedOperation.NoEcho", "There is no echo.")
    unsigned = await call(gateway, **signed_json({"Text": "hello"}, action="DescribeEcho", secret_key="another"))
    assert unsigned.code == "AuthFailure.SignatureFailure"


def _only(product: Any, name: str) -> Any:
    """The product with one of its actions, as the others need a whole server's parts."""
    return replace(product, actions=tuple(action for action in product.actions if action.name == name))


@pytest.mark.usefixtures("toy")
def test_an_action_of_one_file_is_described_in_the_explorer() -> None:
    product = make_product()
    assert [action.name for action in product.actions] == ["GetFaceIdToken", "GetFaceIdResult", "DescribeEcho"]
    description = describe([product], error_texts([product]), Limits(1, 1, 1))
    echo = description.actions[2]
    assert (echo.service, echo.version, echo.text.en) == ("faceid", "2018-03-01", "Says it again.")
    assert [(p.name, p.kind, p.required, p.text.zh) for p in echo.parameters] == [
        ("Text", "string", True, "要说的话。")
    ]
    assert description.errors["FailedOperation.NoEcho"].advice.en == "Say it louder."


@pytest.mark.usefixtures("toy")
def test_an_action_of_one_file_is_in_the_docs_and_in_the_help_texts() -> None:
    for zh, text in ((False, "Says it again."), (True, "回声。")):
        table = docs.actions(zh)
        assert f"| `DescribeEcho` | {text} |" in table
        assert "FailedOperation.NoEcho" in table
    page = (docs.DOCS / "compatibility.md").read_text("utf-8")
    assert "DescribeEcho" in docs.filled(page)
    assert "DescribeEcho" not in page
