"""HTTP to servers of others: a request takes bounded time and memory, and no redirect is followed.

Such a server may send one byte every few seconds, or a body without an end. A limit on each wait does not limit many of
them, so a request that takes too long as a whole has its connection cut.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from typing import Any, NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

MAX_ANSWER = 1 << 18
"""Most bytes of an answer's body. Parsing 1 MiB of XML takes 0.1 s, in which the whole process stands still."""


class AnswerError(HTTPError):
    """An answer takes more time or bytes than allowed. The text says which."""


class Bounds(NamedTuple):
    """The limits of one request. `connect`, `read`: seconds of one wait. `whole`: seconds from its begin to the end of
    the answer."""

    connect: float
    read: float
    whole: float


class _Deadline:
    """Cuts the connections of a request that takes too long: a limit on each wait alone does not limit many."""

    def __init__(self, seconds: float) -> None:
        self._held: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self.is_over = False

    def __enter__(self) -> _Deadline:
        _of_thread.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._timer.cancel()
        _of_thread.deadline = None

    def holds(self, connection: HTTPConnection) -> None:
        """Remember the connection's socket, as the connection may release it before the answer has been read."""
        if connection.sock is not None:
            self._held.append(connection.sock)
        if self.is_over:
            self._cut()

    def _cut(self) -> None:
        self.is_over = True
        for held in self._held:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)  # ends a read or write that another thread is in


class _OfThread(threading.local):
    deadline: _Deadline | None = None


_of_thread = _OfThread()


class CutConnection(HTTPConnection):
    """A connection that registers with the deadline of its request."""

    def connect(self) -> None:
        super().connect()
        self._tell()

    def request(self, *given: Any, **named: Any) -> None:
        self._tell()
        super().request(*given, **named)

    def _tell(self) -> None:
        if _of_thread.deadline is not None:
            _of_thread.deadline.holds(self)


class CutSecureConnection(CutConnection, HTTPSConnection):
    """The same over TLS, whose handshake has a limit of its own."""


class BoundedClient(urllib3.PoolManager):
    """Follows no redirect, whatever its caller asks for, and reads an answer within limits before it returns it."""

    def __init__(
        self, bounds: Bounds, plain: type[HTTPConnection], secure: type[HTTPSConnection], **named: Any
    ) -> None:
        timeout = urllib3.Timeout(connect=bounds.connect, read=bounds.read)
        super().__init__(maxsize=4, timeout=timeout, retries=False, **named)
        self._bounds = bounds

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = secure

        self.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def urlopen(self, method: str, url: str, *given: Any, preload_content: bool = True, **named: Any) -> Any:
        """Send a request. Raises AnswerError in addition to urllib3's errors."""
        named |= {"redirect": False, "preload_content": False, "decode_content": False}
        with _Deadline(self._bounds.whole) as deadline:
            try:
                answer = super().urlopen(method, url, *given, **named)
                try:
                    body = answer.read(MAX_ANSWER + 1)
                finally:
                    answer.close()  # after a complete read, the connection is back in its pool already
                    answer.release_conn()
            except (HTTPError, OSError) as error:
                if not deadline.is_over:
                    raise
                raise self._too_slow() from error
        if deadline.is_over:
            raise self._too_slow()
        if len(body) > MAX_ANSWER:
            raise AnswerError(f"the answer has more than {MAX_ANSWER} bytes")
        return urllib3.HTTPResponse(
            io.BytesIO(body),
            answer.headers,
            answer.status,
            reason=answer.reason,
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,
        )

    def _too_slow(self) -> AnswerError:
        return AnswerError(f"no answer in {self._bounds.whole:g} seconds")
