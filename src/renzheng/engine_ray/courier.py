"""The process that talks to Ray for a server or judge: questions come on its socket, and answers go back there.

It seals what it sends and opens what it receives. It ends with its parent, or when its connection to the cluster is
lost: questions under way are lost then, and its parent starts another courier.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from renzheng.base.child import become_child
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits
from renzheng.engine.messages import FailureAnswer, ReadyAnswer
from renzheng.engine_ray import cluster, stream
from renzheng.engine_ray import messages as m
from renzheng.engine_ray.replica import maker
from renzheng.engine_ray.seal import Seal, SealError, token

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

WATCH_SECONDS = 1.0
HELLO_SECONDS = 10.0
NOTHING_BEGUN = {
    "BackPressureError": "the queue of the cluster is full",
    "DeploymentUnavailableError": "no replica runs in the cluster",
}
"""Names of Serve's errors after which the question has reached no replica. Names, as this class works without Ray."""


class Courier:
    """``seconds``: time limit for one question, including its wait in the cluster's queue."""

    def __init__(self, application: DeploymentHandle[Any], maker: bytes, seal: Seal, seconds: float) -> None:
        self._application, self._maker, self._seal, self._seconds = application, maker, seal, seconds

    async def is_same(self) -> bool:
        """Return whether the replicas run this engine. True if none had time to answer."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                return bool(await self._application.is_same.remote(self._maker))
        except Exception:  # each question checks this again
            return True

    async def carry(self, question: bytes) -> bytes:
        """Return the answer. An error is an answer too."""
        try:
            async with asyncio.timeout(self._seconds):
                sealed = await self._application.ask.remote(self._maker, self._seal.seal(question))
            return self._seal.open(sealed)
        except TimeoutError:
            # It is cancelled then, and the replica ends the process that works on it.
            return m.pack(FailureAnswer(f"no answer of the cluster in {self._seconds:g} s"))
        except SealError as error:
            return m.pack(FailureAnswer(f"an answer of the cluster is {error}"))
        except Exception as error:  # a replica or a node died, or Ray itself failed
            name = type(error).__name__
            if name in NOTHING_BEGUN:
                return m.pack(m.BusyAnswer(NOTHING_BEGUN[name]))
            return m.pack(FailureAnswer(f"the cluster failed: {name}"))


async def serve(courier: Courier, channel: socket.socket) -> None:
    """Carry questions until the parent closes its end."""
    reader, writer = await asyncio.open_connection(sock=channel)
    tasks: dict[int, asyncio.Task[None]] = {}

    async def answer(number: int, question: bytes) -> None:
        found = await courier.carry(question)
        writer.write(stream.packed(number, found))
        await writer.drain()

    is_same = await courier.is_same()
    writer.write(stream.packed(0, m.pack(ReadyAnswer() if is_same else m.UnusableAnswer(m.OTHER_ENGINE))))
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, question = await stream.read(reader)
                if question:
                    task = asyncio.create_task(answer(number, question), name=str(number))
                    tasks[number] = task
                    task.add_done_callback(lambda done: tasks.pop(int(done.get_name())))
                elif number in tasks:
                    tasks[number].cancel()
    finally:
        writer.close()
        for task in list(tasks.values()):
            task.cancel()


async def watch() -> None:
    """Wait until the connection is lost."""
    from ray.util.client import ray as client

    while client.is_connected():  # noqa: ASYNC110 - Ray tells nobody
        await asyncio.sleep(WATCH_SECONDS)


async def work(courier: Courier, channel: socket.socket) -> None:
    tasks = [asyncio.create_task(serve(courier, channel)), asyncio.create_task(watch())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


def main(arguments: list[str]) -> None:
    """Run with ``ADDRESS SOCKET_FD PARENT_PID SECONDS LIMITS``. Called by the parent only."""
    address, descriptor, parent, seconds, limits = arguments
    become_child(int(parent))
    channel = socket.socket(fileno=int(descriptor))
    try:
        cluster.connect(address)
        given = msgspec.json.decode(limits, type=EngineLimits)
        courier = Courier(cluster.handle(address), maker(given), Seal(token()), float(seconds))
    except EngineUnusableError as error:
        channel.sendall(stream.packed(0, m.pack(m.UnusableAnswer(str(error)))))
        os._exit(1)
    asyncio.run(work(courier, channel))
    os._exit(0)  # do not wait for threads of Ray that wait for the cluster


if __name__ == "__main__":
    main(sys.argv[1:])
