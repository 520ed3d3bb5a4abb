"""The server's end of its courier: many questions at once over one socket, and a new courier when one is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import TypeVar

import msgspec

from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits
from renzheng.engine.media import MediaError
from renzheng.engine.messages import Answer, FailureAnswer, Question, ReadyAnswer, RefusalAnswer, answer_to
from renzheng.engine.supervision import MAX_REPLY_BYTES, BusyError, WorkerDiedError
from renzheng.engine_ray import messages as m
from renzheng.engine_ray import stream

R = TypeVar("R", bound=Answer)

FIRST_PAUSE, MAX_PAUSE = 0.5, 15.0
STOP_SECONDS = 2.0
GRACE_SECONDS = 30.0
"""Seconds in which a courier can report that the cluster did not answer in time."""
FOREIGN_SECONDS = 15.0
"""Seconds after which a cluster of another version is asked again."""
STARTING = "the connection to Ray is not there yet"


class Link:
    """``address``: ``ray://host:port``. ``seconds``: time limit for one question, including its wait in the cluster's
    queue."""

    def __init__(self, address: str, limits: EngineLimits, seconds: float) -> None:
        self.address = address
        self._limits, self._seconds = limits, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._open: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._keeper: asyncio.Task[None] | None = None
        self._trouble: str | None = STARTING
        self._foreign_until = 0.0
        self.restarts = 0

    @property
    def trouble(self) -> str | None:
        """Why the cluster cannot be asked now; None if it can."""
        if self._trouble is None and time.monotonic() < self._foreign_until:
            return m.OTHER_ENGINE
        return self._trouble

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start the courier. Raises EngineUnusableError with a sentence."""
        try:
            await self._connect()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the courier. Questions under way raise WorkerDiedError."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        self._lose("the engine is stopping")
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        self._end()

    async def ask(self, question: Question[R], payload: bytes = b"") -> tuple[R, bytes]:
        """Ask a question and return its answer, each with its payload. If cancelled, the cluster stops working on it.

        Raises MediaError, BusyError if nothing was begun, WorkerDiedError if begun work is lost.
        """
        trouble, writer = self.trouble, self._writer
        if writer is None or trouble is not None:
            raise BusyError(trouble or STARTING)
        self._number += 1
        number, content = self._number, m.pack(question, payload)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[number] = answered
        try:
            writer.write(stream.packed(number, content))
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                found = await answered
            return self._read(found, question)
        except TimeoutError:
            writer.close()  # a courier that hangs is ended
            raise WorkerDiedError("the process that speaks to Ray stood still") from None
        except asyncio.CancelledError:
            if not writer.is_closing():
                writer.write(stream.packed(number, b""))
            raise
        finally:
            self._open.pop(number, None)

    async def _connect(self) -> None:
        """Start a courier, and wait until it has reached the cluster. Raises EngineUnusableError."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._spawn())
        try:
            async with asyncio.timeout(self._limits.workers.boot_seconds):
                _, content = await stream.read(self._reader, MAX_REPLY_BYTES)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            raise EngineUnusableError(f"Ray at {self.address} was not reached") from None
        if not content.endswith(m.pack(ReadyAnswer())):
            raise EngineUnusableError(_why(content))
        self._trouble = None

    def _spawn(self) -> socket.socket:
        """Start a courier and return our end of its socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "renzheng.engine_ray.courier", self.address, str(theirs.fileno())),
                    *(str(os.getpid()), str(self._seconds), msgspec.json.encode(self._limits).decode()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # Ray logs there; errors come over the socket
            )
        return ours

    def _read(self, content: bytes, question: Question[R]) -> tuple[R, bytes]:
        """Raises MediaError, BusyError, WorkerDiedError."""
        try:
            return _read(content, question)
        except BusyError as error:
            if str(error) == m.OTHER_ENGINE:
                self._foreign_until = time.monotonic() + FOREIGN_SECONDS
            raise

    async def _keep(self) -> None:
        """Read answers; when the courier is gone, start others, with growing pauses."""
        pause = FIRST_PAUSE
        while True:
            if self._trouble is None and self._reader is not None:
                await self._answers(self._reader)
                pause = FIRST_PAUSE
                self._lose(f"the connection to Ray at {self.address} was lost")
            self._end()
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)
            self.restarts += 1
            try:
                await self._connect()
            except (EngineUnusableError, OSError) as error:
                self._trouble = str(error)

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        """Read answers until there are no more."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, content = await stream.read(reader, MAX_REPLY_BYTES)
                answered = self._open.get(number)
                if answered is not None and not answered.done():
                    answered.set_result(content)

    def _lose(self, why: str) -> None:
        self._trouble = why
        for answered in self._open.values():
            if not answered.done():
                answered.set_exception(WorkerDiedError(why))
        self._hang_up()

    def _hang_up(self) -> None:
        """Close the socket, which ends the courier."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _end(self) -> None:
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _why(content: bytes) -> str:
    try:
        return msgspec.json.decode(content[m.HEAD.size :], type=m.UnusableAnswer).why
    except msgspec.MsgspecError:
        return "the courier sent nonsense"


def _read(content: bytes, question: Question[R]) -> tuple[R, bytes]:
    """Raises MediaError, BusyError, WorkerDiedError."""
    kind = answer_to(question)
    try:
        answer, payload = m.read_answer(content, kind)
    except msgspec.MsgspecError:
        raise WorkerDiedError("the cluster sent nonsense") from None
    if isinstance(answer, RefusalAnswer):
        raise MediaError(answer.kind, answer.message)
    if isinstance(answer, m.BusyAnswer):
        raise BusyError(answer.why)
    if isinstance(answer, FailureAnswer):
        raise WorkerDiedError(answer.error)
    return answer, payload
