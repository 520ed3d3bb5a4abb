"""`python -m bench`: every measurement, one after another. `python -m bench token photo`: only those.

`python -m bench.against ../before token` compares this checkout with another one."""

from __future__ import annotations

import importlib
import importlib.util
import sys

ALL = ("token", "photo", "beside", "compare", "hints", "verdict", "overload", "listing", "detection", "accuracy")


def main() -> None:
    asked = sys.argv[1:] or ALL
    if unknown := [name for name in asked if importlib.util.find_spec(f"bench.{name}") is None]:
        raise SystemExit(f"no measurement {', '.join(unknown)}; there are: {', '.join(ALL)}")
    for name in asked:
        print(f"\n=== {name} ===", flush=True)
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
