"""The last refused requests with their causes, for the operator of a running server.

The list is bounded and masked: digests instead of values, the ends of a SecretId, no key and no body. Strangers have a
list of their own, so that they cannot push an account's refusals out. Wrong signatures are explained in a thread, and
both explaining and writing the file are rate-limited, so that a flood costs little.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import msgspec

from renzheng.base.faults import fault_name
from renzheng.gateway.causes import OTHERS, UNKNOWN_KEY
from renzheng.gateway.contract import Log
from renzheng.gateway.explain import explain, unknown_id
from renzheng.gateway.explanation import CapturedRequest, Explanation

FILE_NAME = "recent-refusals.json"
_WRITE_SECONDS = 0.2


class RefusalSentences(msgspec.Struct, frozen=True):
    """Says why a request was refused, and what to do."""

    en: str
    zh: str


class RefusedRequest(msgspec.Struct, frozen=True):
    """`at`: unix seconds. `account_id` is 0 and `secret_id` empty if no key was found; the id is masked.

    `sentences` say why. For a wrong signature, the masked `explanation` does; it is None if too many came in one
    second.
    """

    at: float
    request_id: str
    account_id: int
    secret_id: str
    code: str
    action: str = ""
    sentences: RefusalSentences | None = None
    explanation: Explanation | None = None

    def sentence(self, language: str) -> str:
        """Return why, in `zh-CN` or else in English."""
        if self.explanation is not None:
            return self.explanation.sentence(language)
        if self.sentences is None:
            zh = language == "zh-CN"
            return "同一秒内失败过多，未逐一分析。" if zh else "Not examined: too many failed in the same second."
        return self.sentences.zh if language == "zh-CN" else self.sentences.en


class RecentRefusals:
    """Keeps the last `size` refusals of accounts and as many of strangers, in memory and, if `path` is given, in a file
    of mode 600 for the command.

    `secret_keys`: returns all SecretKeys by SecretId. It is called in the thread, and lets the key of another account
    be recognised. `per_second`: the most signatures explained per second; `skipped` counts the others.
    """

    def __init__(
        self,
        secret_keys: Callable[[], Mapping[str, str]],
        log: Log,
        *,
        path: Path | None = None,
        size: int = 50,
        per_second: int = 2,
        executor: Executor | None = None,
    ) -> None:
        self._secret_keys = secret_keys
        self._log = log
        self._path = path
        self._known: deque[RefusedRequest] = deque(maxlen=size)
        self._strange: deque[RefusedRequest] = deque(maxlen=size)
        self._per_second = per_second
        self._executor = executor
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._second = 0
        self._in_second = Counter[bool]()  # first those of accounts, then those of strangers
        self._writing = False
        self.skipped = 0

    def add(self, failure: RefusedRequest) -> None:
        """Keep one refusal, in constant time. To be called on the event loop, like all methods."""
        with self._lock:
            (self._known if failure.account_id else self._strange).append(failure)
        if self._path is not None and not self._writing:
            self._writing = True
            loop = asyncio.get_running_loop()
            loop.call_later(_WRITE_SECONDS, lambda: loop.run_in_executor(self._executor, self._write))

    def explain(
        self,
        failure: RefusedRequest,
        captured: CapturedRequest,
        secret_id: str,
        secret_key: str,
        unsigned: bool,
        services: Sequence[str],
        hosts: Sequence[str] = (),
    ) -> None:
        """Keep one wrong signature. It is explained a little later, unless too many came. Returns at once."""
        self.add(failure)

        def examine() -> RefusedRequest:
            keys = {**self._secret_keys(), secret_id: secret_key}
            found = explain(
                captured,
                keys,
                services=services,
                unsigned=unsigned,
                masked=True,
                hosts=hosts,
                endpoint_service=True,
            )
            self._log.info("signature explained", request_id=failure.request_id, cause=found.cause)
            return msgspec.structs.replace(failure, explanation=found)

        self._later(failure, examine)

    def look_for_key(self, failure: RefusedRequest, secret_id: str) -> None:
        """Keep the refusal of an unknown SecretId, and check whether it is a SecretKey, or almost a known SecretId."""
        self.add(failure)

        def examine() -> RefusedRequest:
            if (cause := unknown_id(secret_id, self._secret_keys())) == UNKNOWN_KEY:
                return failure
            return msgspec.structs.replace(failure, sentences=RefusalSentences(*OTHERS[cause]))

        self._later(failure, examine)

    def _later(self, failure: RefusedRequest, examine: Callable[[], RefusedRequest]) -> None:
        second = int(failure.at)
        if second != self._second:
            self._second = second
            self._in_second.clear()
        known = bool(failure.account_id)
        self._in_second[known] += 1
        if self._in_second[known] > self._per_second:
            self.skipped += 1
            return

        def work() -> None:
            try:
                found = examine()
                if found is not failure:
                    self._exchange(failure, found)
                    self._write()
            except Exception as error:  # an explanation must never harm its request
                self._log.error("a failure was not explained", request_id=failure.request_id, error=fault_name(error))

        asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _exchange(self, failure: RefusedRequest, found: RefusedRequest) -> None:
        with self._lock:
            kept = self._known if failure.account_id else self._strange
            for index, other in enumerate(kept):
                if other is failure:
                    kept[index] = found
                    return

    def recent(self) -> list[RefusedRequest]:
        """Return the last refusals, the newest first."""
        with self._lock:
            return sorted((*self._known, *self._strange), key=lambda failure: failure.at, reverse=True)

    def _write(self) -> None:
        self._writing = False
        if self._path is None:
            return
        try:
            with self._file_lock:  # so that an older list never replaces a newer one
                fresh = self._path.with_suffix(".new")
                with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    file.write(msgspec.json.encode(self.recent()))
                fresh.replace(self._path)
        except OSError as error:
            self._log.error("recent refusals were not written", error=fault_name(error))


def read_failures(path: Path) -> list[RefusedRequest]:
    """Read what a server wrote to `path`, the newest first; empty if there is no file. ValueError for another file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[RefusedRequest])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a list of refused requests") from error
