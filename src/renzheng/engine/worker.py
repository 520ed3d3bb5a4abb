"""The loop inside a worker process, which answers one message after another on its socket.

A message is two big-endian lengths, one of ``messages`` as JSON, and a payload of raw bytes. Pixels are in shared
memory slots that the parent passes at the start. Nothing is unpickled: a process that decodes strangers' bytes must not
be able to run code in the server.

Kinds: ``decode`` (limited address space, no models), ``hint`` and ``judge`` (models), ``mux`` (limited, PyAV).
"""

from __future__ import annotations

import mmap
import os
import resource
import socket
import struct
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from renzheng.base.child import become_child

from .limits import EngineLimits
from .messages import (
    Answer,
    AnyQuestion,
    FailureAnswer,
    ReadyAnswer,
    RefusalAnswer,
    SentQuestion,
    read_question,
    write_answer,
)

if TYPE_CHECKING:  # importing the duties takes a second, and the limits must be set before
    from .duties import Answered, Duty

HEAD = struct.Struct(">II")
CONFINED = frozenset({"decode", "mux"})
"""Kinds that open strangers' bytes, in little memory."""


def main(arguments: list[str]) -> None:
    """Run with ``KIND SOCKET_FD PARENT_PID OPTIONS SLOT_FD...``. Called by the parent only."""
    kind, descriptor, parent, options = arguments[0], int(arguments[1]), int(arguments[2]), arguments[3]
    limits = msgspec.json.decode(options.encode(), type=EngineLimits)
    _confine(kind, parent, limits)
    slots = [mmap.mmap(int(fd), os.fstat(int(fd)).st_size) for fd in arguments[4:]]
    duty = _duty(kind, limits, slots)
    low = _LowPriority(duty, limits.workers.nice, kind in CONFINED)
    with socket.socket(fileno=descriptor) as channel:
        send(channel, ReadyAnswer())
        while (message := receive(channel)) is not None:
            asked, payload = message
            if asked.low:
                answer, data = low.run(asked.question, payload)
            else:
                answer, data = _safely(duty, asked.question, payload, confined=kind in CONFINED)
            send(channel, answer, data)


def _confine(kind: str, parent: int, limits: EngineLimits) -> None:
    """Die with the parent, write no core dump (it would contain faces), ignore Ctrl-C, and bound memory."""
    become_child(parent)
    if kind in CONFINED:
        bound = limits.workers.decode_memory
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _safely(duty: Duty, question: AnyQuestion, payload: bytes, *, confined: bool = False) -> Answered:
    """Answer without raising. ``confined``: this process has little memory, so a picture that needs more is too
    large."""
    from .manifests import PackError
    from .media import MediaError

    try:
        return duty.answer(question, payload)
    except MediaError as error:
        return RefusalAnswer(error.kind, error.message), b""
    except MemoryError:
        if not confined:
            return FailureAnswer("MemoryError"), b""
        return RefusalAnswer("too_many_pixels", "the image needs more memory than is allowed"), b""
    except PackError as error:  # this text names a file of ours, and what to do
        return FailureAnswer(f"{type(error).__name__}: {error}"), b""
    except Exception as error:  # the parent decides what a failure means; this process continues
        return FailureAnswer(type(error).__name__), b""


class _LowPriority:
    """A thread that has given up priority permanently.

    Niceness and scheduling class belong to a thread on Linux, and an unprivileged thread cannot raise its priority
    again. So a job that has waited too long runs in the main thread, which never lowered its own.
    """

    def __init__(self, duty: Duty, nice: int, confined: bool) -> None:
        self._duty = duty
        self._nice = nice
        self._confined = confined
        self._jobs: SimpleQueue[tuple[AnyQuestion, bytes]] = SimpleQueue()
        self._answers: SimpleQueue[Answered] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, question: AnyQuestion, payload: bytes) -> Answered:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, daemon=True)
            self._thread.start()
        self._jobs.put((question, payload))
        return self._answers.get()

    def _loop(self) -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while True:
            self._answers.put(_safely(self._duty, *self._jobs.get(), confined=self._confined))


def _duty(kind: str, limits: EngineLimits, slots: list[mmap.mmap]) -> Duty:
    from . import duties

    kinds: dict[str, type[duties.Duty]] = {
        "decode": duties.Decoding,
        "hint": duties.Hints,
        "judge": duties.Judging,
        "mux": duties.Muxing,
    }
    return kinds[kind](limits, slots)


def send(channel: socket.socket, answer: Answer, payload: bytes = b"") -> None:
    """Write one message."""
    head = write_answer(answer)
    channel.sendall(HEAD.pack(len(head), len(payload)) + head)
    if payload:
        channel.sendall(payload)


def receive(channel: socket.socket) -> tuple[SentQuestion, bytes] | None:
    """Read one message; None once the parent has closed its end."""
    sizes = _exactly(channel, HEAD.size)
    if sizes is None:
        return None
    head, payload = (_exactly(channel, size) for size in HEAD.unpack(sizes))
    return None if head is None or payload is None else (read_question(head), bytes(payload))


def _exactly(channel: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = channel.recv_into(view)
        if count == 0:
            return None
        view = view[count:]
    return data


if __name__ == "__main__":
    main(sys.argv[1:])
