"""Changes one thing of the code at a time and runs its tests: what no test notices is printed. `make mutate` runs it.

It works on a copy that is made once, at the start. For each part all of its tests run once, to see which of them reach
which line; a change is tried by those that reach its lines, the quickest first. A run is bounded by `--minutes`, its
choice of changes is drawn by `--seed`, and a change counts as noticed where a test fails or takes far longer.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.mutation.changes import Change, changed, changes_of
from scripts.mutation.checkout import Checkout, Reached

# What is changed, and the tests that should notice.
PARTS = {
    "gateway": (
        (
            *(
                "authentication",
                "body",
                "ciphers",
                "context",
                "encryption",
                "failures",
                "pairs",
                "parameters",
                "pipeline",
            ),
            *("processes", "public_keys", "quota", "refusals", "sealing", "shares", "signature", "sm2"),
        ),
        ("tests/gateway", "tests/client/test_sealing.py", "tests/hostile"),
    ),
    "verification": (("*",), ("tests/verification", "tests/capture/test_examining.py")),
    "store": (("*",), ("tests/store",)),
    "liveness": (("engine/liveness",), ("tests/engine/test_liveness.py",)),
    "continuity": (("engine/continuity",), ("tests/engine/test_continuity.py",)),
    "light": (("engine/light",), ("tests/engine/test_light.py", "tests/engine/test_light_challenge.py")),
    "conversation": (("capture/conversation",), ("tests/capture",)),
    "visit": (("capture/visit",), ("tests/capture",)),
}
FIRST = 10  # tests that are asked before all others are, of which many would only be collected
TOO_SLOW = 4  # times the seconds of the slowest test, and ten more


def files_of(part: str, copy: Path) -> list[Path]:
    """A pattern without a folder is of the part's own room."""
    patterns = [pattern if "/" in pattern else f"{part}/{pattern}" for pattern in PARTS[part][0]]
    return [path for pattern in patterns for path in sorted((copy / "src" / "renzheng").glob(f"{pattern}.py"))]


def tests_for(change: Change, reached: Reached) -> list[str]:
    """Those that reach what is changed; all, where none does, as it is read when modules are imported."""
    file = str(change.path)
    found: set[str] = set()
    for first, last in (change.lines, change.around):
        found = found or set().union(*(reached.tests.get((file, line), ()) for line in range(first, last + 1)))
    return sorted(found or reached.seconds, key=lambda test: reached.seconds.get(test, 0.0))


def run_part(name: str, checkout: Checkout, minutes: float, dice: random.Random) -> bool:
    """Try changes of one part until its time is over; whether its tests pass at all."""
    until = time.monotonic() + 60 * minutes
    files = files_of(name, checkout.folder)
    reached = checkout.reach(PARTS[name][1], files)
    if reached.failed:
        print(f"{name}: fails before anything is changed:", *reached.failed, sep="\n  ")
    found = [change for path in files for change in changes_of(path)]
    dice.shuffle(found)
    tried, survivors = 0, []
    for change in found:
        if time.monotonic() > until:
            break
        tests = tests_for(change, reached)
        source, kept = change.path.read_text(encoding="utf-8"), change.path.stat()
        text, words = changed(source, change.number)
        change.path.write_text(text, encoding="utf-8")
        limit = TOO_SLOW * max((reached.seconds.get(test, 0.0) for test in tests), default=0) + 10
        groups = [group for group in (tests[:FIRST], tests[FIRST:]) if group]
        if all(checkout.passes(group, limit) for group in groups):
            survivors.append(f"  {change.path.relative_to(checkout.folder / 'src' / 'renzheng')}:{words}")
        change.path.write_text(source, encoding="utf-8")
        os.utime(change.path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # what is compiled of it counts again
        tried += 1
    told = f"{name}: {tried} of {len(found)} changes tried, {tried - len(survivors)} noticed"
    print(told, *sorted(survivors), sep="\n", flush=True)
    return not reached.failed


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
        checkout = Checkout(Path(folder))
        try:
            for name in parts:
                good &= run_part(name, checkout, given.minutes / len(parts), random.Random(given.seed))
        finally:
            checkout.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
