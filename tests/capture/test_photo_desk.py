"""The merchant's photo is looked at once, before the person starts; what the server cannot tell counts for nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from renzheng.capture.photos import PAUSES, PhotoDesk
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, Session, State

LOCAL = Session(1, 1, State.ISSUED, 0.0, 600.0, 0, 0, Details(CompareLib.LOCAL), True, Policy())
BUSINESS = replace(LOCAL, details=Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝"), has_photo=False)


@dataclass
class Engine:
    """Answers as told, once the gate is open."""

    usable: bool | None = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    looked: int = 0

    async def photo(self, session_id: int) -> bytes | None:
        return b"photo"

    async def is_usable(self, photo: bytes) -> bool | None:
        self.looked += 1
        await self.gate.wait()
        return self.usable


async def answer(engine: Engine, session: Session, *, started: bool, wait: float = 0.0) -> bool:
    begun = asyncio.Event()

    async def start() -> None:
        await begun.wait()

    if started:
        begun.set()
    return await PhotoDesk(engine, engine, wait).beside(session, asyncio.create_task(start()))


async def test_an_unusable_photo_is_told_though_nobody_started() -> None:
    engine = Engine()
    engine.gate.set()
    assert await answer(engine, LOCAL, started=False) is True


@pytest.mark.parametrize("usable", [True, None])
async def test_a_good_photo_and_one_that_could_not_be_looked_at_go_on(usable: bool | None) -> None:
    engine = Engine(usable)
    engine.gate.set()
    assert await answer(engine, LOCAL, started=True, wait=5) is False


async def test_a_start_waits_no_longer_than_it_may() -> None:
    assert await answer(Engine(), LOCAL, started=True) is False


async def test_a_start_waits_for_the_look() -> None:
    engine = Engine()
    asyncio.get_running_loop().call_soon(engine.gate.set)
    assert await answer(engine, LOCAL, started=True, wait=5) is True


async def test_an_enrolled_photo_is_not_asked_about() -> None:
    """Nobody may learn by an ID number who is enrolled, before they have shown that they live."""
    engine = Engine()
    engine.gate.set()
    assert await answer(engine, BUSINESS, started=True, wait=5) is False
    assert engine.looked == 0


@pytest.mark.parametrize(("usable", "looks"), [(True, 1), (False, 1), (None, 2 * len(PAUSES))])
async def test_a_photo_is_looked_at_once_unless_nothing_came_of_it(usable: bool | None, looks: int) -> None:
    engine = Engine(usable)
    engine.gate.set()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    desk = PhotoDesk(engine, engine, 1, sleep)
    for _ in range(2):
        assert await desk.is_unusable(LOCAL) is (usable is False)
    assert engine.looked == looks
    assert slept == (list(PAUSES * 2) if usable is None else [])


async def test_a_photo_for_which_there_was_no_room_is_looked_at_again() -> None:
    """The person reads the consent meanwhile; the judge would find it out only after all the work."""
    engine = Engine(usable=None)
    engine.gate.set()

    async def sleep(_: float) -> None:
        engine.usable = False

    assert await PhotoDesk(engine, engine, 1, sleep).is_unusable(LOCAL) is True
    assert engine.looked == 2


async def test_a_start_that_fails_is_raised() -> None:
    async def gone() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await PhotoDesk(Engine(), Engine(), 1).beside(LOCAL, asyncio.create_task(gone()))
