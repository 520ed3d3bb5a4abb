"""A crowd before a server under test: tokens, people, and what became of them."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from renzheng.engine.runtimes import Image
from renzheng.evaluation.crowd import Course, run_crowd
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.rehearsal import Rehearsal, rehearse
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue


def people(picture: Image | None = None) -> list[Rehearsal]:
    """The sample person, rehearsed."""
    return [rehearse(sample_puppet() if picture is None else Puppet(picture), 0)]


@dataclass
class Level:
    """What came of so many at once. `results`: GetFaceIdResult's Result, of those that this machine played in time."""

    at_once: int
    seconds: float
    courses: list[Course]
    results: Counter[str] = field(default_factory=Counter)
    own_cpu: float = 0.0

    @property
    def in_time(self) -> list[Course]:
        return [course for course in self.courses if not course.is_late]

    @property
    def discarded(self) -> int:
        return len(self.courses) - len(self.in_time)

    @property
    def told(self) -> int:
        """Who had to wait, or was sent away, and was told so."""
        return sum(course.position > 0 or course.close in (4503, 4504) for course in self.in_time)

    def a_minute(self, begin: float = 20.0) -> float:
        """Verifications that ended with an outcome, a minute, without those of the first seconds."""
        first = min(course.began for course in self.courses) + begin
        until = first - begin + self.seconds
        ended = sum(course.outcome is not None and first <= course.ended <= until for course in self.courses)
        return 60 * ended / max(1.0, until - first)

    def row(self) -> str:
        verdicts = [seconds for course in self.in_time for seconds in course.verdicts]
        waits = [course.waited for course in self.in_time if course.position]
        closes = Counter(str(course.close) for course in self.in_time if course.outcome is None)
        return (
            f"{self.at_once:3} at once: {self.a_minute():5.1f} a minute, Result {dict(self.results)},"
            f" no outcome {dict(closes)}, told to wait {self.told} of {len(self.in_time)}"
            f" ({statistics.median(waits) if waits else 0:.0f} s), given back"
            f" {sum(course.given_back for course in self.in_time)}, verdict after"
            f" {statistics.median(verdicts) if verdicts else 0:.1f} s, left out as late {self.discarded},"
            f" load {self.own_cpu:.2f} cores"
        )


def run_level(
    server: Server,
    crowd: Sequence[Rehearsal],
    at_once: int,
    seconds: float,
    ended: Callable[[], None] = lambda: None,
) -> Level:
    """Keep this many verifications under way for so long. `ended` is called before the results are fetched."""
    client, photo = server.sdk(), base64_of(sample())
    count = int(at_once * (2 + seconds / 10))
    with ThreadPoolExecutor(2) as pool:
        tokens = list(pool.map(lambda _: issue(client, CompareLib="LOCAL", ImageBase64=photo), range(count)))
    cpu, begin = time.process_time(), time.monotonic()
    courses = asyncio.run(run_crowd(server.url, tokens, crowd, at_once, seconds))
    spent = time.monotonic() - begin
    ended()
    level = Level(at_once, seconds, courses, own_cpu=(time.process_time() - cpu) / spent)
    for course in level.in_time:
        if course.outcome is not None:
            level.results[result(client, course.token).Result] += 1
    return level


def carried(server: Server) -> int:
    """How many attempts the server says that it carries at once."""
    found = re.search(r'renzheng_capture_attempts\{state="carried"\} (\S+)', server.metrics())
    assert found is not None
    return int(float(found.group(1)))
