"""The last signatures that failed, explained, for the operator of a running server.

What is kept is bounded and masked: digests in the place of values, a SecretId by its ends, no key, no body. The
work is done in a thread and at most so often a second, so that a flood of wrong signatures costs little.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path

import msgspec

from renzheng.gateway.contract import Log
from renzheng.gateway.explain import explain
from renzheng.gateway.explanation import Captured, Explanation, mask_id

FILE_NAME = "recent-signature-failures.json"


class Failure(msgspec.Struct, frozen=True):
    """`at`: unix seconds. `secret_id` is masked, and so is the explanation."""

    at: float
    request_id: str
    account_id: int
    secret_id: str
    explanation: Explanation


class RecentFailures:
    """The last `size` failures, in memory and, where `path` names one, in a file of mode 600 for the command.

    `secret_keys`: all SecretKeys by SecretId, asked for in the thread, so that the key of another account can be
    recognised. `per_second`: failures that are explained in one second at most; `skipped` counts the others.
    """

    def __init__(
        self,
        secret_keys: Callable[[], Mapping[str, str]],
        log: Log,
        *,
        path: Path | None = None,
        size: int = 50,
        per_second: int = 5,
        executor: Executor | None = None,
    ) -> None:
        self._secret_keys = secret_keys
        self._log = log
        self._path = path
        self._failures: list[Failure] = []
        self._size = size
        self._per_second = per_second
        self._executor = executor
        self._lock = threading.Lock()
        self._second = 0
        self._in_second = 0
        self.skipped = 0

    def note(
        self,
        captured: Captured,
        *,
        at: float,
        request_id: str,
        account_id: int,
        secret_id: str,
        secret_key: str,
        unsigned: bool,
    ) -> None:
        """Take up one failure, or count it as skipped. Returns at once; to be called on the event loop."""
        second = int(at)
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self._per_second:
            self.skipped += 1
            return

        def examine() -> None:
            try:
                keys = {**self._secret_keys(), secret_id: secret_key}
                found = explain(captured, keys, unsigned=unsigned, masked=True)
                with self._lock:
                    self._keep(Failure(at, request_id, account_id, mask_id(secret_id), found))
                    self._write()
            except Exception as error:  # it must never harm the request that it is about
                self._log.error("a failure was not explained", request_id=request_id, error=type(error).__name__)

        asyncio.get_running_loop().run_in_executor(self._executor, examine)

    def recent(self) -> list[Failure]:
        """The last failures, the newest first."""
        return list(self._failures)

    def _keep(self, failure: Failure) -> None:
        """By its time: threads may finish in another order than they began."""
        self._failures = sorted([*self._failures, failure], key=lambda kept: kept.at, reverse=True)[: self._size]

    def _write(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(self.recent()))
        fresh.replace(self._path)


def read_failures(path: Path) -> list[Failure]:
    """What a server wrote to `path`, the newest first; nothing where there is no file. ValueError: another file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Failure])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no list of failures") from error
