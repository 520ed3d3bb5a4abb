"""Reasons are told in Chinese too: each one that the code raises has its sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.management.errors import OperationDeniedError
from renzheng.management.reasons import CHINESE, in_chinese

SOURCE = Path(__file__).resolve().parents[2] / "src" / "renzheng"
ROOMS = ("accounts", "operations", "management", "store")
RAISED = {"RefusedError", "NotFoundError", "BucketRefusedError", "ResourceNotFoundError"}
# Commands alone raise these, and they read files or rotate keys, which no call does.
COMMANDS_ALONE = {
    "account {} has no key pairs {}",
    "key pairs {} are retired already",
    "clients of account {} seal to key pairs {}; renzheng encryption rotate first",
    "the CSV file cannot be read: {}",
    "there is no enabled key: run `renzheng key create`",
}


def text_of(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join("{}" if isinstance(part, ast.FormattedValue) else part.value for part in node.values)  # type: ignore[attr-defined]
    elif isinstance(node, ast.IfExp):
        yield from text_of(node.body)
        yield from text_of(node.orelse)


def raised() -> set[str]:
    found: set[str] = set()
    for path in (path for room in ROOMS for path in (SOURCE / room).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                found |= {text for one in given[:1] for text in text_of(one)}
    return found


def test_every_reason_that_a_call_can_give_has_its_sentence() -> None:
    assert len(raised()) > 40
    assert not raised() - set(CHINESE) - COMMANDS_ALONE


@pytest.mark.parametrize("reason", CHINESE)
def test_a_reason_is_told_with_its_values(reason: str) -> None:
    count = reason.count("{}")
    assert CHINESE[reason].count("{}") == count
    values = [f"v{number}" for number in range(count)]
    assert in_chinese(reason.format(*values)) == CHINESE[reason].format(*values)


def test_the_message_of_each_language() -> None:
    error = OperationDeniedError(reason="rule 7 is yours: another person has to review it")
    assert error.message("zh-CN") == "操作被拒绝：规则 7 由您本人编写，须由其他人员审核。"
    assert "rule 7 is yours" in error.message("en-US")
    assert OperationDeniedError(reason="something new").message("zh-CN") == "操作被拒绝：something new。"
