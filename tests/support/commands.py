"""`renzheng` commands as processes of their own that need not import everything anew: each is forked from one that has.

Such a process has its own environment, folder and standard streams, and ends as it does from a shell.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

MAX_SECONDS = 120
STREAMS = ("stdin", "stdout", "stderr")

_forks = get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "tests.support.commands",
        *(f"renzheng.cli.{noun}" for noun in ("account", "identity", "key", "rule", "session", "serve")),
    ]
)


def run_command(
    words: tuple[str, ...], environment: dict[str, str], folder: Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `renzheng` with these words. `given`: its standard input. Raises TimeoutExpired."""
    with TemporaryDirectory() as kept:
        streams = [Path(kept, name) for name in STREAMS]
        streams[0].write_text(given or "", encoding="utf-8")
        process = _forks.Process(target=_be_command, args=(words, environment, folder, streams))
        process.start()
        process.join(MAX_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, MAX_SECONDS)
        said, told = (path.read_text(encoding="utf-8") for path in streams[1:])
    return subprocess.CompletedProcess(words, process.exitcode, said, told)


class Forked:
    """A command that goes on beside the test, in a session of its own, and what a test may do with it: as of Popen.

    `log`: what it prints goes to the end of this file.
    """

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], folder: Path, log: Path) -> None:
        streams = [Path(os.devnull), log, log]
        self._process = _forks.Process(target=_be_command, args=(words, environment, folder, streams))
        self._process.start()
        atexit.register(self.kill)  # or the test's process would wait at its end for one that nobody stopped

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Raises TimeoutExpired."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("renzheng", seconds or 0.0)
        atexit.unregister(self.kill)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _be_command(words: tuple[str, ...], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    from renzheng.__main__ import main

    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
        # What is written to a log is read while the command runs.
        stream = open(descriptor, "w" if descriptor else "r", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, STREAMS[descriptor], stream)
    sys.argv = ["renzheng", *words]
    main()
