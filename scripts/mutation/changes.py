"""What may be changed in a source file: one thing at a time, each a mistake that somebody could make."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CONDITION = re.compile(r" AND [a-z_.]+ (?:=|<|>|<=|>=|<>) (?::[a-z_]+|'[a-z]+'|[0-9]+)")
"""A condition of a statement of SQL that goes on with others."""
MADE_LIKE = frozenset({"frozen", "slots", "gc", "kw_only", "maxsize"})
TELLING = frozenset({"log", "_log", "logger", "counter", "_counter", "meter", "_meter"})
"""What is only told, to a log or a metric, is not left out."""


class Change(NamedTuple):
    """`number`: of the change among all of its file. `lines`: the first and last line of what is changed, and of the
    statement around it."""

    path: Path
    number: int
    lines: tuple[int, int]
    around: tuple[int, int]


class _Edit(NamedTuple):
    """A node, its field, and what takes the field's place."""

    node: ast.AST
    field: str
    value: object


def changes_of(path: Path) -> list[Change]:
    """All changes of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    around = _statements(tree)
    found = []
    for number, edit in enumerate(_edits(tree)):
        node = edit.node.test if isinstance(edit.node, ast.If | ast.While) else edit.node
        outer = around[edit.node]
        lines = (node.lineno, node.end_lineno or node.lineno) if isinstance(node, ast.expr | ast.stmt) else outer
        found.append(Change(path, number, lines, outer))
    return found


def changed(source: str, number: int) -> tuple[str, str]:
    """The whole source with that change, and what was changed, in words."""
    tree = ast.parse(source)
    node, field, value = list(_edits(tree))[number]
    before = _first_line(node)
    line = getattr(node, "lineno", 0)
    if field:
        setattr(node, field, value)
        after = _first_line(node)
    else:
        node.__class__, after = ast.Pass, "left out"
    ast.fix_missing_locations(tree)
    return ast.unparse(tree), f"{line}: {before}  ->  {after}"


def _first_line(node: ast.AST) -> str:
    return (ast.unparse(node).splitlines() or [""])[0]


def _statements(tree: ast.AST) -> dict[ast.AST, tuple[int, int]]:
    """Return, for each node, the lines of the innermost statement around it; for a compound one, its head."""
    found: dict[ast.AST, tuple[int, int]] = {}

    def walk(node: ast.AST, lines: tuple[int, int]) -> None:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            lines = (node.lineno, max(node.lineno, last))
        found[node] = lines
        for child in ast.iter_child_nodes(node):
            walk(child, lines)

    walk(tree, (1, 1))
    return found


def _edits(tree: ast.AST) -> Iterator[_Edit]:
    left = {part for node in ast.walk(tree) for part in _left_alone(node)}
    for node in ast.walk(tree):
        if node in left:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            yield _Edit(node, "ops", [COMPARED[type(node.ops[0])](), *node.ops[1:]])
        elif isinstance(node, ast.BoolOp):
            yield _Edit(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            if not _is_for_types(node.test):
                yield _Edit(node, "test", ast.UnaryOp(ast.Not(), node.test))
        elif isinstance(node, ast.BinOp) and type(node.op) in COUNTED:
            yield _Edit(node, "op", COUNTED[type(node.op)]())
        elif isinstance(node, ast.Constant):
            yield from (_Edit(node, "value", value) for value in _other_values(node.value))
        elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and _does_something(node.value)):
            yield _Edit(node, "", None)


def _left_alone(node: ast.AST) -> Iterator[ast.AST]:
    """What forms a text, and what a class is made like: no test would be the better for it."""
    if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
        yield from ast.walk(node.format_spec)
    if isinstance(node, ast.keyword) and node.arg in MADE_LIKE:
        yield node.value


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _other_values(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        # One more where it counts; of a size or a time twice as much, as one more would hardly be another.
        yield value + 1 if abs(value) < 16 else 2 * value + 1
    elif isinstance(value, str):
        yield from (value[: found.start()] + value[found.end() :] for found in CONDITION.finditer(value))


def _does_something(value: ast.expr) -> bool:
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call):
        return False
    names = {part.id if isinstance(part, ast.Name) else part.attr
             for part in ast.walk(call.func) if isinstance(part, ast.Name | ast.Attribute)}  # fmt: skip
    return not names & TELLING
