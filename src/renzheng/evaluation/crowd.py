"""Many people at once: keeps a number of verifications under way, and reports what became of each."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from renzheng.evaluation.device import Device, DeviceError, DeviceEvent, DeviceLimits, DeviceOutcome
from renzheng.evaluation.rehearsal import FPS, Player, Rehearsal

LIMITS = DeviceLimits(fps=FPS, seconds=400, silence=120, reconnects=20)
LATE_SECONDS = 0.3
"""If this machine took a frame so much too late, the server is not at fault, and the verification is left out."""


class Member(Device):
    """A device whose person was rendered beforehand."""

    def __init__(
        self,
        server: str,
        token: str,
        rehearsal: Rehearsal,
        tell: Callable[[DeviceEvent], None],
        limits: DeviceLimits = LIMITS,
    ) -> None:
        super().__init__(server, token, None, limits=limits, tell=tell)
        self._player = Player(rehearsal)

    async def picture(self, action: str, seconds: float, allowed: float) -> bytes:
        return self._player.frame(action, seconds)


@dataclass
class Course:
    """One verification as its device saw it. `began`, `ended`: seconds of one clock. `waited`: seconds in the line.
    `position`: the first one; 0 without a wait. `verdicts`: seconds from the last frame to each verdict. `given_back`:
    attempts that the server said it could not watch. `close`: the code that ended it without an outcome."""

    token: str
    began: float
    ended: float = 0.0
    outcome: DeviceOutcome | None = None
    close: int | None = None
    waited: float = 0.0
    position: int = 0
    verdicts: list[float] = field(default_factory=list)
    given_back: int = 0
    hints: list[str] = field(default_factory=list)
    late: float = 0.0
    _waits_since: float | None = None
    _judging_since: float | None = None

    @property
    def is_late(self) -> bool:
        """Whether this machine was too slow to play the person."""
        return self.late > LATE_SECONDS

    def hear(self, event: DeviceEvent) -> None:
        """Take a message of the server."""
        if event.kind == "wait":
            self._waits_since = event.at if self._waits_since is None else self._waits_since
            self.position = self.position or int(event.fields["position"])
        elif self._waits_since is not None:
            self.waited += event.at - self._waits_since
            self._waits_since = None
        if event.kind == "judging":
            self._judging_since = event.at
        elif self._judging_since is not None and event.kind in ("outcome", "attempt_over"):
            self.verdicts.append(event.at - self._judging_since)
            self._judging_since = None
        if event.kind == "attempt_over":
            self.given_back += event.fields["reason"] == "server"


async def run_crowd(
    server: str, tokens: Sequence[str], people: Sequence[Rehearsal], at_once: int, seconds: float
) -> list[Course]:
    """Keep `at_once` verifications under way for so many seconds, and let the last of them end.

    Each takes the next token; it ends early where there are no more. People come one after another, not all in one
    moment.
    """
    begin, left, courses = time.monotonic(), iter(zip(tokens, itertools.cycle(people), strict=False)), list[Course]()

    async def one_after_another(number: int) -> None:
        await asyncio.sleep(10.0 * number / at_once)
        while time.monotonic() - begin < seconds:
            token, person = next(left, (None, None))
            if token is None or person is None:
                return
            course = Course(token, time.monotonic())
            courses.append(course)
            member = Member(server, token, person, course.hear)
            try:
                course.outcome = await member.run()
            except DeviceError as error:
                course.close = error.code
                await asyncio.sleep(1.0)
            course.ended, course.late = time.monotonic(), member.late

    await asyncio.gather(*(one_after_another(number) for number in range(at_once)))
    return courses
