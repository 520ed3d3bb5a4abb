"""Devices that get things wrong, by accident or on purpose: each gets an outcome or a documented close code, the
server outlives them all, and its memory does not grow with them."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import psutil
import pytest

from renzheng.evaluation.device import Device
from renzheng.evaluation.performance import Performance
from tests.support.images import ROOT, base64_of, sample, sample_picture
from tests.support.mutations import FAILED, MUTATIONS, PASSED, End
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue
from tests.support.streams import Stream, Tape, record

AT_ONCE = 8
MAX_PARTS = 10  # after each of which memory is read
MIB = 1024 * 1024
GROWTH = 32 * MIB  # of one process from the middle of the run to its end


@pytest.fixture(scope="module")
def tape() -> Tape:
    return record()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Short waits and one attempt, so that a verification ends soon; everything else as shipped."""
    running = Server(
        tmp_path,
        hello_seconds=3,
        idle_seconds=4,
        ready_seconds=8,
        step_seconds=6,
        neutral_seconds=0.5,
        attempts=1,
        min_frames_per_second=1,
    ).start()
    yield running
    running.stop()


def documented() -> set[int]:
    page = (ROOT / "docs" / "capture-protocol.md").read_text(encoding="utf-8")
    return {int(code) for code in re.findall(r"^\| (\d{4}) \|", page, re.MULTILINE)}


def resident(server: Server) -> dict[str, tuple[int, int]]:
    """Process id and bytes of memory by what a process does."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    found = {"server": (parent.pid, parent.memory_info().rss)}
    for child in parent.children():
        words = child.cmdline()
        if "renzheng.engine.worker" in words:
            found[words[words.index("renzheng.engine.worker") + 1]] = (child.pid, child.memory_info().rss)
    return found


async def play(server: Server, tape: Tape, seeds: list[int], names: list[str]) -> list[tuple[str, int, End, str]]:
    """Mutation, seed, end and Result of each, `AT_ONCE` at a time."""
    client, gate = server.sdk(), asyncio.Semaphore(AT_ONCE)
    photo = base64_of(bytes(cv2.imencode(".jpg", sample_picture())[1]))

    async def one(seed: int, name: str) -> tuple[str, int, End, str]:
        async with gate:
            token = await asyncio.to_thread(issue, client, CompareLib="LOCAL", ImageBase64=photo)
            try:
                end = await Stream(server.url, token, tape, MUTATIONS[name], seed).run()
            except TimeoutError:
                raise AssertionError(f"{name}, seed {seed}: neither an outcome nor a close") from None
            found = await asyncio.to_thread(result, client, token)
            return name, seed, end, found.Result

    return await asyncio.gather(*(one(seed, name) for seed, name in zip(seeds, names, strict=True)))


def check_ends(ends: list[tuple[str, int, End, str]], codes: set[int]) -> None:
    for name, seed, end, found in ends:
        assert end in MUTATIONS[name].ends, f"{name}, seed {seed}: ended with {end}"
        assert isinstance(end, str) or end in codes, f"{name}: close code {end} is not documented"
        decided = end in (PASSED, FAILED)
        assert (found == "17") != decided, f"{name}, seed {seed}: ended with {end}, Result {found}"


async def outlives(server: Server, tape: Tape, count: int) -> None:
    dice = random.Random(count)
    names = [*MUTATIONS] * (count // len(MUTATIONS) + 1)
    dice.shuffle(names)
    if count >= len(MUTATIONS):
        names[: len(MUTATIONS)] = dice.sample([*MUTATIONS], len(MUTATIONS))
    codes, ends, memory = documented(), Counter[End](), [resident(server)]
    parts = min(MAX_PARTS, max(2, count // AT_ONCE))
    for part in range(parts):
        numbers = list(range(part * count // parts, (part + 1) * count // parts))
        found = await play(server, tape, numbers, [names[number] for number in numbers])
        check_ends(found, codes)
        ends.update(end for _, _, end, _ in found)
        memory.append(resident(server))
    check_memory(memory)
    check_log(server.log.read_text(errors="replace"))
    print(f"{count} streams: {dict(ends)}")
    assert not re.search(r"^renzheng_worker_restarts\{.*\} [1-9]", server.metrics(), re.MULTILINE)
    await serves(server)


async def serves(server: Server) -> None:
    """Whoever makes no mistakes passes; on a busy machine too few frames may come, so in one of three tries."""
    found = ""
    for seed in range(3):
        token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        await Device(server.url, token, Performance(sample_puppet(), "head", seed=seed)).run()
        found = result(server.sdk(), token).Result
        if found == "0":
            return
    raise AssertionError(f"nobody passes, the last one ended with {found}")


def check_log(log: str) -> None:
    """Nothing went wrong within: all that was refused was refused on purpose.

    "Invalid UTF-8" is uvicorn's word for 1007; `attempt_unwatched` says that a busy machine was late, not the server.
    """
    troubles = re.findall(r"^\S+Z (?:warning|error) .*|^(?:ERROR|CRITICAL) .*", log, re.MULTILINE)
    assert not [line for line in troubles if not re.search("Invalid UTF-8|attempt_unwatched", line)]


def check_memory(memory: list[dict[str, tuple[int, int]]]) -> None:
    """No process was lost, and none grew over the second half of the run."""
    history = defaultdict(list)
    for reading in memory:
        for kind, (_, size) in reading.items():
            history[kind].append(size // MIB)
    print("MiB resident:", dict(history))
    first, last = ({kind: pid for kind, (pid, _) in reading.items()} for reading in (memory[0], memory[-1]))
    assert first == last, "a worker was replaced"
    for kind, (_, size) in memory[-1].items():
        assert size - memory[(len(memory) - 1) // 2][kind][1] < GROWTH, f"{kind} grows: {history[kind]}"


async def test_devices_that_get_things_wrong_get_an_outcome_or_a_documented_close(server: Server, tape: Tape) -> None:
    await outlives(server, tape, 12)


@pytest.mark.stress
@pytest.mark.attacks
async def test_five_hundred_mutated_streams_leave_the_server_alive_and_its_memory_flat(
    server: Server, tape: Tape
) -> None:
    await outlives(server, tape, 500)
