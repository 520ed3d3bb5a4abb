"""`renzheng` commands as processes of their own that need not import everything anew: each is forked from one that has.

Such a process has its own environment, folder and standard streams, and ends as it does from a shell. `serve` is not
started by it: a server's start is tested as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

MAX_SECONDS = 120
STREAMS = ("stdin", "stdout", "stderr")

_forks = get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.support.commands", *(f"renzheng.cli.{noun}" for noun in ("account", "identity", "key", "rule", "session"))]
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


def _be_command(words: tuple[str, ...], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    from renzheng.__main__ import main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), descriptor)
        stream = open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, STREAMS[descriptor], stream)
    sys.argv = ["renzheng", *words]
    main()
