"""Changes one thing of the code at a time and runs its tests: what no test notices is printed. `make mutate` runs it.

Nothing is changed in the checkout: it works on a copy. A run is bounded by `--minutes`, its choice of changes is drawn
by `--seed`, and a change counts as noticed where the tests fail or take far longer than without it.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("src", "tests", "docs", "lab", "scripts", "conftest.py", "pyproject.toml", "README.md", "README.zh-CN.md")
# What is changed, and the tests that should notice.
PARTS = {
    "signature": (("gateway/signature.py",), ("tests/gateway/test_signature.py", "tests/gateway/test_golden.py")),
    "authentication": (
        ("gateway/authentication.py",),
        ("tests/gateway/test_signature.py", "tests/gateway/test_refusals.py", "tests/gateway/test_methods.py"),
    ),
    "verification": (("verification/*.py",), ("tests/verification",)),
    "store": (("store/*.py",), ("tests/store",)),
    "liveness": (("engine/liveness.py",), ("tests/engine/test_liveness.py",)),
    "continuity": (("engine/continuity.py",), ("tests/engine/test_continuity.py",)),
    "light": (("engine/light.py",), ("tests/engine/test_light.py",)),
    "conversation": (("capture/conversation.py",), ("tests/capture/test_conversation.py",)),
}
COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
TOO_SLOW = 4  # times the seconds of the unchanged code, and ten more


class Change(NamedTuple):
    """`number`: of the change among all of its file."""

    path: Path
    number: int


def changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, object]]:
    """A node, its field, and what takes the field's place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            yield node, "ops", [COMPARED[type(node.ops[0])](), *node.ops[1:]]
        elif isinstance(node, ast.BoolOp):
            yield node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node, "test", ast.UnaryOp(ast.Not(), node.test)
        elif isinstance(node, ast.BinOp) and type(node.op) in COUNTED:
            yield node, "op", COUNTED[type(node.op)]()
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, "value", not node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, "value", node.value + 1


def changed(source: str, number: int) -> tuple[str, str]:
    """The whole source with that change, and what was changed, in words."""
    tree = ast.parse(source)
    node, field, value = list(changes(tree))[number]
    before = ast.unparse(node).split("\n")[0]
    setattr(node, field, value)
    ast.fix_missing_locations(tree)
    line = getattr(node, "lineno", 0)
    return ast.unparse(tree), f"{line}: {before}  ->  {ast.unparse(node).splitlines()[0]}"


def passes(copy: Path, tests: tuple[str, ...], seconds: float) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not stress", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def run_part(name: str, copy: Path, until: float, dice: random.Random) -> bool:
    """Try changes of one part until its time is over; whether its tests pass at all."""
    patterns, tests = PARTS[name]
    began = time.monotonic()
    if not passes(copy, tests, 600):
        print(f"{name}: its tests fail before anything is changed")
        return False
    limit = TOO_SLOW * (time.monotonic() - began) + 10
    files = [path for pattern in patterns for path in sorted((copy / "src" / "renzheng").glob(pattern))]
    found = [Change(path, n) for path in files for n in range(len(list(changes(ast.parse(path.read_text())))))]
    dice.shuffle(found)
    tried, survivors = 0, []
    for change in found:
        if time.monotonic() > until:
            break
        source = change.path.read_text()
        text, words = changed(source, change.number)
        change.path.write_text(text)
        if passes(copy, tests, limit):
            survivors.append(f"  {change.path.relative_to(copy)}:{words}")
        change.path.write_text(source)
        tried += 1
    print(f"{name}: {tried} of {len(found)} changes tried, {len(survivors)} not noticed", *survivors, sep="\n")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--minutes", type=float, default=10, help="for all parts together")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    parts = given.parts or list(PARTS)
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for entry in COPIED:
            source = ROOT / entry
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / entry)
        for name in parts:
            until = time.monotonic() + 60 * given.minutes / len(parts)
            good &= run_part(name, copy, until, random.Random(given.seed))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
