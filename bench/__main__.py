"""`python -m bench`: every measurement, one after another. `python -m bench token photo`: only those."""

from __future__ import annotations

import importlib
import sys

ALL = ("token", "photo", "beside", "compare", "hints", "overload", "listing", "detection", "accuracy")


def main() -> None:
    for name in sys.argv[1:] or ALL:
        print(f"\n=== {name} ===", flush=True)
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
