"""Runs the tests and prints, by room, how many statements and branches they reach. `make coverage` runs it.

What is given to it goes to pytest: `make coverage ARGS="tests/store"` for a part. The processes that the tests start
are counted too, but not those that end by a kill: the engine's workers, and servers whose death is what is tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "renzheng"
SUITE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "not stress")
COUNTED = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def main(arguments: list[str]) -> int:
    """The exit code is that of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COVERAGE_FILE": f"{folder}/data"}

        def coverage(command: str, *given: str) -> int:
            line = [sys.executable, "-m", "coverage", command, f"--rcfile={ROOT / 'pyproject.toml'}", *given]
            return subprocess.run(line, cwd=ROOT, env=environment).returncode

        code = coverage("run", "-m", "pytest", "-q", *SUITE, *arguments)
        report = Path(folder) / "report.json"
        if coverage("combine", "--quiet") or coverage("json", "--quiet", "--ignore-errors", "-o", str(report)):
            return code or 1
        show(by_room(json.loads(report.read_text())))
    return code


def by_room(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, Counter[str]]:
    """The counts of each room's files together; modules in no room stand under a dash."""
    rooms: dict[str, Counter[str]] = {}
    for name, file in report["files"].items():
        parts = (ROOT / name).relative_to(SOURCE).parts
        room = parts[0] if len(parts) > 1 else "-"
        rooms.setdefault(room, Counter()).update({what: file["summary"][what] for what in COUNTED})
    return rooms


def show(rooms: dict[str, Counter[str]]) -> None:
    total = sum(rooms.values(), Counter())
    print(f"\n{'room':<14}{'statements':>12}{'reached':>9}{'branches':>11}{'reached':>9}")
    for room, counts in [*sorted(rooms.items()), ("together", total)]:
        statements, lines, branches, taken = (counts[what] for what in COUNTED)
        print(f"{room:<14}{statements:>12}{share(lines, statements):>9}{branches:>11}{share(taken, branches):>9}")


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
