"""Worker processes and pools of them: start, talk, kill, replace.

A worker does one thing at a time. Whoever needs one leases it from its pool; what dies, hangs or grows too
large is killed and replaced, and only the request that it served fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from .limits import EngineLimits
from .media import MediaError
from .messages import (
    Answer,
    FailureAnswer,
    Question,
    ReadyAnswer,
    RefusalAnswer,
    answer_to,
    read_answer,
    write_question,
)
from .silence import Silence, sample

R = TypeVar("R", bound=Answer)

HEAD = struct.Struct(">II")
PAGE = os.sysconf("SC_PAGE_SIZE")
MAX_REPLY_BYTES = 256 * 1024 * 1024
SHORT = frozenset({"decode", "hint"})
"""Kinds whose exchanges take milliseconds. Those of the others are cancelled when nobody waits for them any more."""


class BusyError(Exception):
    """The queue is full. Nothing was begun."""


class WorkerDiedError(Exception):
    """The process of this request crashed, failed or took too long. The next request will be served."""


class Worker:
    """One process and the socket to it."""

    def __init__(self, kind: str, limits: EngineLimits, slots: list[int]) -> None:
        self.kind = kind
        self._limits, self._slots = limits, slots
        self._process: subprocess.Popen[bytes] | None = None
        self._has_work = False
        self._silence = Silence()
        self._stood_still = False
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises WorkerDiedError."""
        self._spawn()
        try:
            async with asyncio.timeout(self._limits.workers.boot_seconds):
                await self._receive(ReadyAnswer)
        except TimeoutError:
            self.kill()
            raise WorkerDiedError(f"the {self.kind} process did not start in time") from None
        except BaseException:
            self.kill()
            raise

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        options = msgspec.json.encode(self._limits).decode()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "renzheng.engine.worker", self.kind, str(theirs.fileno())),
                    *(str(os.getpid()), options, *map(str, self._slots)),
                ],
                pass_fds=(theirs.fileno(), *self._slots),
                stdin=subprocess.DEVNULL,
                # The runtimes write about themselves there; what went wrong comes back over the socket.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._socket = ours
        self._stood_still = False

    async def call(
        self, question: Question[R], payload: bytes = b"", *, seconds: float, low: bool = False
    ) -> tuple[R, bytes]:
        """Ask one question and return its answer, each with its payload. ``low``: at low priority.

        Raises MediaError, or WorkerDiedError, after which the process is gone. If it is cancelled in the middle, a
        short exchange is waited for: its answer must not be taken for another question's, its pixels must not be
        written into a reused slot, and a new process would cost all others a second.
        """
        exchange = asyncio.ensure_future(self._exchange(question, payload, seconds, low))
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            if self.kind not in SHORT:
                exchange.cancel()
            while not exchange.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([exchange])
            if not exchange.cancelled():
                exchange.exception()  # retrieved, as nobody is left to receive it
            raise

    async def _exchange(self, question: Question[R], payload: bytes, seconds: float, low: bool) -> tuple[R, bytes]:
        kind = answer_to(question)
        self._has_work = True
        try:
            async with asyncio.timeout(seconds):
                await self._send(write_question(question, low=low), payload)
                answer, data = await self._receive(kind)
        except TimeoutError:
            self.kill()
            raise WorkerDiedError(f"the {self.kind} process took longer than {seconds:g} s") from None
        except BaseException:
            # Cut off in the middle of an exchange: the next answer would be taken for another question's.
            self.kill()
            raise
        finally:
            self._has_work = False
            self._silence.ended()
        if isinstance(answer, RefusalAnswer):
            raise MediaError(answer.kind, answer.message)
        if isinstance(answer, FailureAnswer):
            raise WorkerDiedError(f"the {self.kind} process failed: {answer.error}")
        return answer, data

    async def _send(self, head: bytes, payload: bytes) -> None:
        channel = self._channel()
        try:
            await asyncio.get_running_loop().sock_sendall(channel, HEAD.pack(len(head), len(payload)) + head)
            if payload:
                await asyncio.get_running_loop().sock_sendall(channel, payload)
        except OSError as error:
            raise WorkerDiedError(f"the {self.kind} process is gone") from error

    async def _receive(self, kind: type[R]) -> tuple[R | RefusalAnswer | FailureAnswer, bytes]:
        sizes = HEAD.unpack(await self._exactly(HEAD.size))
        if sum(sizes) > MAX_REPLY_BYTES:
            raise WorkerDiedError(f"the {self.kind} process sent nonsense")
        head, payload = [await self._exactly(size) for size in sizes]
        try:
            return read_answer(head, kind), payload
        except msgspec.MsgspecError:
            raise WorkerDiedError(f"the {self.kind} process sent nonsense") from None

    async def _exactly(self, size: int) -> bytes:
        channel, data = self._channel(), bytearray(size)
        left = memoryview(data)
        while left:
            try:
                count = await asyncio.get_running_loop().sock_recv_into(channel, left)
            except OSError:
                count = 0
            if count == 0:
                how = "stood still and was ended" if self._stood_still else "died"
                raise WorkerDiedError(f"the {self.kind} process {how}")
            left = left[count:]
        return bytes(data)

    def _channel(self) -> socket.socket:
        if self._socket is None:
            raise WorkerDiedError(f"the {self.kind} process is not running")
        return self._socket

    def end_if_silent(self) -> None:
        """Make one check of many, and end the process if it has had work and done none for some seconds.

        Its socket stays, so whoever waits for the answer reads its end.
        """
        if self._process is not None and self._has_work and self._silence.lasts(sample(self._process.pid)):
            self._stood_still = True
            self._process.kill()

    def kill(self) -> None:
        """End the process at once. Harmless if it is gone."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def resident(self) -> int:
        """Bytes of memory in use; 0 if the process is gone."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * PAGE
        except (OSError, IndexError, ValueError):
            return 0


class Pool:
    """Workers of one kind, leased for one request at a time. Urgent requests go first.

    `max_urgent`: how many of them pass a patient one that waits, so that it is not delayed forever.
    """

    def __init__(
        self,
        kind: str,
        size: int,
        limits: EngineLimits,
        slots: list[int],
        memory: int,
        max_urgent: float = math.inf,
    ) -> None:
        self.kind = kind
        self._max_urgent = max_urgent
        self._urgent_in_a_row = 0
        self._workers = [Worker(kind, limits, slots) for _ in range(size)]
        self._memory = memory
        self._idle: deque[Worker] = deque()
        self._urgent: deque[asyncio.Future[Worker]] = deque()
        self._patient: deque[asyncio.Future[Worker]] = deque()
        self._healing: set[asyncio.Task[None]] = set()
        self.restarts = 0

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def end_silent(self) -> None:
        """Make one check of all workers. Those that hang are ended and replaced."""
        for worker in self._workers:
            worker.end_if_silent()

    async def start(self) -> None:
        await asyncio.gather(*(worker.start() for worker in self._workers))
        self._idle.extend(self._workers)

    async def stop(self) -> None:
        for task in self._healing:
            task.cancel()
        await asyncio.gather(*self._healing, return_exceptions=True)
        for queue in (self._urgent, self._patient):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_exception(WorkerDiedError("the engine is stopping"))
        self._idle.clear()
        for worker in self._workers:
            worker.kill()

    @contextlib.asynccontextmanager
    async def lease(self, *, urgent: bool = False) -> AsyncIterator[Worker]:
        """Lease a worker for the block. Waiting may be cancelled, which frees the place in the queue."""
        worker = await self._take(urgent)
        try:
            yield worker
        finally:
            self._give_back(worker)

    async def _take(self, urgent: bool) -> Worker:
        if self._idle:
            return self._idle.popleft()
        waiter: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._patient).append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            raise

    def _give_back(self, worker: Worker) -> None:
        if worker.pid is None or worker.resident > self._memory:
            task = asyncio.get_running_loop().create_task(self._heal(worker))
            self._healing.add(task)
            task.add_done_callback(self._healing.discard)
            return
        is_patients_turn = self._urgent_in_a_row >= self._max_urgent
        for queue in (self._patient, self._urgent) if is_patients_turn else (self._urgent, self._patient):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    self._urgent_in_a_row = self._urgent_in_a_row + 1 if queue is self._urgent else 0
                    waiter.set_result(worker)
                    return
        self._idle.append(worker)

    async def _heal(self, worker: Worker) -> None:
        """Replace the process. If the machine has no room for one, try again after growing pauses."""
        pause = 0.1
        while True:
            worker.kill()
            self.restarts += 1
            try:
                await worker.start()
                break
            except (WorkerDiedError, OSError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
        self._give_back(worker)
