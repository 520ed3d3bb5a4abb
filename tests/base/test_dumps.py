"""No core of a process that holds keys or faces, not through a pipe either."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.server import PATIENCE

ASK = "import ctypes, resource; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"


def asked(program: str) -> str:
    """What the kernel says of a process, by PR_GET_DUMPABLE, once it has run the program."""
    done = subprocess.run([sys.executable, "-c", f"{program}\n{ASK}"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_kernel_would_say_otherwise_of_a_usual_process() -> None:
    assert asked("pass").startswith("1 ")


@pytest.mark.parametrize(
    "program",
    [
        "from renzheng.base.dumps import forbid_dumps; forbid_dumps()",
        "import sys, contextlib; sys.argv = ['renzheng', '--version']; from renzheng.__main__ import main\n"
        "with contextlib.suppress(SystemExit): main()\n",
        "import os; from renzheng.engine import worker; from renzheng.engine.limits import EngineLimits\n"
        "worker._confine('hint', os.getppid(), EngineLimits())\n",
    ],
    ids=["the function", "a command", "a worker"],
)
def test_it_may_not_be_dumped(program: str) -> None:
    assert asked(program) == "0 (0, 0)"
