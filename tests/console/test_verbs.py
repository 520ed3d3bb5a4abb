"""Whatever the audit may say has its Chinese: the verbs are read off the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import renzheng
from renzheng.accounts.operators import Role
from renzheng.accounts.rules import RuleState
from renzheng.console.verbs import VERBS, chinese_verb

SOURCE = Path(renzheng.__file__).parent
PLACE = {"record": 0, "_record": 0, "add": 1, "set_credential": 3, "end": 2}
"""Where a call has the verb among its arguments."""
OF_RULES = {f"rule {state.value}" for state in RuleState}
OF_OPERATORS = {"operator is {}", "operator is {}, disabled"}


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def of_call(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Attribute) and (place := PLACE.get(node.func.attr)) is not None:
        owner = ast.unparse(node.func.value)
        is_audit = {"add": owner.endswith("audit"), "end": owner.endswith("sign_in")}.get(node.func.attr, True)
        if is_audit and len(node.args) > max(place, 1):
            yield from texts(node.args[place])


def verbs() -> set[str]:
    found: set[str] = set()
    for path in (one for room in ("store", "operations", "management", "server", "console", "cli")
                 for one in (SOURCE / room).rglob("*.py")):  # fmt: skip
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found.update(of_call(node))
            named = node.targets if isinstance(node, ast.Assign) else []
            if path.parent.name == "store" and any(isinstance(one, ast.Name) and one.id == "verb" for one in named):
                found.update(texts(node.value))  # type: ignore[attr-defined]
            if isinstance(node, ast.arg) and node.arg == "verb":
                found.add("signed out")  # the one that is a default
    return found - {"rule {}", "operator is {}{}"} | OF_RULES | OF_OPERATORS


def test_each_verb_of_the_code_has_its_chinese_and_no_other_is_there() -> None:
    assert verbs() == set(VERBS)


@pytest.mark.parametrize(
    ("verb", "chinese"),
    [
        ("key created", "创建密钥"),
        ("balance changed by -3", "余额变动 -3"),
        ("denied: another account", "越权访问其他账号，已拒绝"),
        ("denied: EraseVerification", "无权限，已拒绝：EraseVerification"),
        (f"operator is {Role.AUDITOR}, disabled", "人员角色设为 auditor，已停用"),
        ("what an older version wrote", "what an older version wrote"),
    ],
)
def test_a_verb_in_chinese(verb: str, chinese: str) -> None:
    assert chinese_verb(verb) == chinese
