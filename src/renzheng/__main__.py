"""The command `renzheng`. The base install is the client's alone, so missing server packages get a sentence."""

from __future__ import annotations

import os
import sys

from renzheng.base.dumps import forbid_dumps


def main() -> None:
    asked = _completing() or sys.argv[1:2]
    forbid_dumps()  # nearly every command opens keys or sees faces
    try:
        from renzheng.cli import COMMANDS, build, run

        app = build(asked if asked and asked[0] in COMMANDS else COMMANDS)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("renzheng"):
            raise
        sys.exit(f"The commands need the server's packages ({error.name} is missing): pip install 'renzheng[server]'")
    run(app)


def _completing() -> list[str]:
    """The command whose words a shell completes, as typer's scripts hand them over; empty where there is none yet."""
    if "_RENZHENG_COMPLETE" not in os.environ:
        return []
    words = (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or "").split()
    return words[1:2]


if __name__ == "__main__":
    main()
