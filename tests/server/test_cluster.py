"""The installation of docs/growing.md on this machine, and processes of every kind killed while people verify
themselves."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.accounts.deliveries import DeliveryState
from tests.support.images import DATA, sample
from tests.support.installation import Installation, ready, running_installation
from tests.support.journeys import Journey, travel
from tests.support.ray import RayCluster, needs_ray, ray_cluster
from tests.support.rehearsed import rehearsed
from tests.support.server import until

pytestmark = [pytest.mark.stress, pytest.mark.cluster]

PEOPLE = 40
APART = 2.5
"""Seconds between two people: most come while processes are killed."""
KILLING_SECONDS = 120.0
FINISHED_WITHIN = 600.0
LIVENESS = ("1004", "1005")  # a machine too busy to play the person
PASSED, ANOTHER = "0", "2016"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with running(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def installation_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with ray_cluster() as ray, running(tmp_path, monkeypatch, ray.deploy()) as found:
        yield found


@contextlib.contextmanager
def running(folder: Path, patch: pytest.MonkeyPatch, ray: RayCluster | None = None) -> Iterator[Installation]:
    given = {"captures_per_address": PEOPLE, "attempts": 5, "lease_seconds": 5}
    with running_installation(folder, patch, ray=ray, **given) as found:
        yield found


def people() -> list[Journey]:
    """Every eighth says to be somebody else, where the test data has one."""
    other = DATA / "deepface" / "img20.jpg"
    stranger = other.read_bytes() if other.is_file() else None
    return [
        Journey(stranger, ANOTHER) if stranger and number % 8 == 7 else Journey(sample(), PASSED)
        for number in range(PEOPLE)
    ]


def is_wrong(journey: Journey) -> bool:
    """A verdict that is not this person's; one that this machine played too late may be found not alive."""
    said = str(journey.result.Result)
    return said != journey.expected and not (said in LIVENESS and journey.course.is_late)


@pytest.mark.timeout(FINISHED_WITHIN + 600)
def test_kills_of_every_kind_lose_nothing_and_judge_nothing_twice(installation: Installation) -> None:
    _kill_among(installation)


@needs_ray
@pytest.mark.timeout(FINISHED_WITHIN + 900)
def test_the_same_holds_where_a_ray_cluster_judges(installation_on_ray: Installation) -> None:
    """Replicas are killed too; and this machine gives the numbers that the cluster gave."""
    _kill_among(installation_on_ray)
    assert installation_on_ray.killed["replica"] + installation_on_ray.killed["replica, gently"]
    ((number,),) = installation_on_ray.rows("SELECT min(session_id) FROM verdicts WHERE result = '0'")
    again = installation_on_ray.servers[0].json("rejudge", str(number))
    assert (again["stands"], again["same_numbers"]) == (True, True)


def _kill_among(installation: Installation) -> None:
    journeys, begin = people(), time.monotonic()
    kill = functools.partial(asyncio.to_thread, installation.kill_for, KILLING_SECONDS, 7)
    asyncio.run(
        travel(journeys, installation.sdk(), installation.url, rehearsed(), APART, FINISHED_WITHIN, beside=kill)
    )
    _tell(installation, journeys, begin)
    until(lambda: _waiting(installation) == 0, max(1.0, begin + FINISHED_WITHIN - time.monotonic()))
    assert [journey.trouble for journey in journeys if journey.result is None] == []
    assert [(journey.result.Result, journey.expected) for journey in journeys if is_wrong(journey)] == []
    # A call whose answer was lost has left a token behind, which nobody used.
    states = dict(installation.rows("SELECT token, state FROM sessions WHERE state NOT IN ('issued', 'expired')"))
    assert set(states.values()) <= {"passed", "failed"}
    assert len(states) == PEOPLE
    for table in ("verdicts", "ledger"):
        counted = f"SELECT session_id FROM {table} GROUP BY session_id HAVING count(*) <> 1"
        assert installation.rows(counted) == [], table
    assert installation.rows("SELECT count(*) FROM verdicts") == [(PEOPLE,)]
    _check_deliveries(installation, journeys)


def _waiting(installation: Installation) -> int:
    return int(
        installation.rows(f"SELECT count(*) FROM deliveries WHERE state = '{DeliveryState.WAITING.value}'")[0][0]
    )


def _check_deliveries(installation: Installation, journeys: list[Journey]) -> None:
    """Every verdict's evidence is under the keys of its row, and nothing else is in the bucket."""
    rows = installation.rows("SELECT state, video_key, frame_key FROM deliveries")
    assert len(rows) == PEOPLE
    keys = [key for _, *both in rows for key in both if key is not None]
    stored = installation.store.buckets.objects()
    assert sorted(stored) == sorted(keys)
    assert all(stored[key][4:8] == b"ftyp" for key in keys if key.endswith("video.mp4"))
    assert all(stored[key][:2] == b"\xff\xd8" for key in keys if key.endswith(".jpg"))
    for journey in journeys:
        for address in (journey.result.VideoBase64, journey.result.BestFrameBase64):
            assert not address or address.partition(".myqcloud.com/")[2] in stored


def _tell(installation: Installation, journeys: list[Journey], begin: float) -> None:
    done = [journey for journey in journeys if journey.result is not None]
    waited = [journey.course.waited for journey in journeys if journey.course.position]
    errors = sum((journey.errors for journey in journeys), Counter[str]())
    tries = installation.rows("SELECT sum(tries), max(tries) FROM deliveries")[0]
    due = installation.rows("SELECT state, trouble, count(*) FROM deliveries GROUP BY 1, 2")
    states = installation.rows("SELECT state, count(*) FROM sessions GROUP BY 1")
    leases = installation.rows("SELECT sum(epoch), max(epoch) FROM sessions")[0]
    attempts = sum(journey.course.outcome.attempts for journey in done if journey.course.outcome)
    last = max(journey.ended_at for journey in journeys) - begin
    print(
        f"\n{installation.told()}\n{len(done)} of {len(journeys)} have a result, the last after {last:.0f} s:"
        f" {dict(Counter(str(journey.result.Result) for journey in done))}; wrong {sum(map(is_wrong, done))};"
        f" played late {sum(journey.course.is_late for journey in journeys)};"
        f" told to wait {len(waited)} ({max(waited, default=0):.0f} s at most);"
        f" connections lost {sum(journey.lines for journey in journeys)};"
        f" calls tried again {dict(errors)}; attempts {attempts}"
        f" of which given back {sum(journey.course.given_back for journey in journeys)};"
        f" leases (all, most of one) {leases}; deliveries tried (all, most of one) {tries},"
        f" {due}; sessions {states}; in vain {[journey.trouble for journey in journeys if journey.trouble]}"
    )


@pytest.mark.timeout(600)
def test_a_rolling_restart_ends_no_verification(installation: Installation) -> None:
    """Each server is asked to end, and started again, while people are in the middle of their attempts."""
    journeys, begin = [Journey(sample(), PASSED) for _ in range(12)], time.monotonic()

    def roll() -> None:
        for name, server in zip(("server a", "server b"), installation.servers, strict=True):
            time.sleep(4)  # into an attempt
            one = installation.kept[name]
            one.end(signal.SIGTERM)
            assert one.is_up.wait(180)
            until(functools.partial(ready, server), 180)

    asyncio.run(
        travel(
            journeys, installation.sdk(), installation.url, rehearsed(), 4, 500,
            beside=functools.partial(asyncio.to_thread, roll),
        )
    )  # fmt: skip
    _tell(installation, journeys, begin)
    assert sum(journey.lines for journey in journeys), "nobody was at a server that ended"
    assert [journey.trouble for journey in journeys if journey.result is None] == []
    assert not any(map(is_wrong, journeys))
