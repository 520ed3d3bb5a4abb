"""The command `renzheng`. The base install is the client's alone, so missing server packages get a sentence."""

from __future__ import annotations

import sys


def main() -> None:
    asked = sys.argv[1:2]
    try:
        from renzheng.cli import COMMANDS, build

        app = build(asked if asked and asked[0] in COMMANDS else COMMANDS)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("renzheng"):
            raise
        sys.exit(f"The commands need the server's packages ({error.name} is missing): pip install 'renzheng[server]'")
    app()


if __name__ == "__main__":
    main()
