"""Shells complete the commands, their options and their sub-commands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("renzheng ses", "session"), ("renzheng session ", "list"), ("renzheng serve --p", "--port")],
)
def test_a_shell_is_told_what_can_follow(typed: str, offered: str) -> None:
    environment = {
        **os.environ, "_RENZHENG_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")),
    }  # fmt: skip
    program = "import sys; sys.argv = ['renzheng']; from renzheng.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert offered in done.stdout.split()


def test_the_script_for_a_shell_can_be_printed() -> None:
    program = (
        "import sys; sys.argv = ['renzheng', '--show-completion', 'bash']; from renzheng.__main__ import main; main()"
    )
    # The shell is named here: it is otherwise the one that the command runs in, whichever runs the tests.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "_RENZHENG_COMPLETE=complete_bash" in done.stdout
