"""What the page does at single moments, by its machine in Node: no browser and no waiting."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import page
from tests.support.node import NODE

STRANGER = {"attended": False, "phone": False}
PHONE = {"attended": False, "phone": True}
STEP = {"index": 1, "of": 2, "action": "nod", "nonce": "ab" * 16, "seconds": 6}
Event = tuple[int, dict[str, Any]]


def says(kind: str, **fields: Any) -> Event:
    return (10, {"type": "message", "message": {"type": kind, **fields}})


def happens(kind: str, after: int = 10, **fields: Any) -> Event:
    return (after, {"type": kind, **fields})


def welcome(**fields: Any) -> Event:
    usual = {"state": "ready", "attempts_left": 3, "expires_in": 600, "eases": True}
    return says("welcome", device="cd" * 16, **{**usual, **fields})


CONNECTED = [happens("connect"), happens("line", up=True)]
OPENED = [*CONNECTED, welcome(), happens("agree"), happens("opened")]
BEGUN = [*OPENED, happens("picture")]
STEPPED = [*BEGUN, says("step", **STEP), happens("painted", nonce="ab" * 16)]


Machine = Callable[[object], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = page.lay_out(tmp_path_factory.mktemp("page"))
    with subprocess.Popen(
        [NODE, "page_run.js"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        given, printed = process.stdin, process.stdout

        def run(run: object) -> list[dict[str, Any]]:
            print(json.dumps(run), file=given, flush=True)
            moments: list[dict[str, Any]] = json.loads(printed.readline())
            return moments

        yield run
        given.close()


class Play:
    def __init__(self, machine: Machine, events: list[Event], around: dict[str, bool] = STRANGER) -> None:
        self.moments = machine({"around": around, "events": events})
        self.state = self.moments[-1]["state"]
        self.effects: list[dict[str, Any]] = [effect for moment in self.moments for effect in moment["effects"]]
        self.sent = [effect["message"] for effect in self.effects if effect["do"] == "send"]
        self.drawn = [effect["change"] for effect in self.effects if effect["do"] == "draw"]
        self.shown = [effect for effect in self.effects if effect["do"] == "show"]
        self.screen = self.shown[-1]["screen"]
        self.ways = self.shown[-1]["ways"]


def test_who_has_to_wait_sees_where_they_stand_and_goes_on_by_themselves(machine: Machine) -> None:
    lines = [says("wait", position=4, seconds=100), says("wait", position=3, seconds=62)]
    waiting = Play(machine, [*BEGUN, *lines])
    assert (waiting.screen, waiting.ways) == ("waiting", ["cancel"])
    assert waiting.shown[-1]["data"]["turn"]["position"] == 3
    begun = Play(machine, [*BEGUN, *lines, says("step", **STEP)])
    assert begun.state == "capture"
    assert [message["type"] for message in begun.sent].count("start") == 1


@pytest.mark.parametrize(("fields", "around", "offers"), [
    ({"handover": True}, STRANGER, True),
    ({"handover": True, "loopback": True}, STRANGER, False),
    ({"handover": True}, PHONE, False),
    ({}, STRANGER, False),
])  # fmt: skip
def test_a_phone_is_offered_where_it_could_open_the_link(
    machine: Machine, fields: dict[str, bool], around: dict[str, bool], offers: bool
) -> None:
    assert Play(machine, [*CONNECTED, welcome(**fields)], around).ways == ["agree", *["hand"] * offers, "cancel"]


def test_who_used_up_the_day_is_sent_to_tomorrow(machine: Machine) -> None:
    play = Play(machine, [*STEPPED, says("judging"), says("outcome", passed=False, retry="tomorrow")])
    assert (play.state, play.screen) == ("not_passed", "failed_tomorrow")


def test_a_slow_line_is_told_for_as_long_as_it_is_slow(machine: Machine) -> None:
    slow = says("network", ok=False, reason="slow_round_trip")
    assert Play(machine, [*BEGUN, slow]).drawn[-1] == {"notice": "slow_round_trip"}
    assert Play(machine, [*BEGUN, slow, says("network", ok=True)]).drawn[-1] == {"notice": None}
    # While it is measured the server says nothing else, and is not taken for gone.
    minute = [(14_000, slow[1])] * 4
    assert Play(machine, [*BEGUN, *minute, happens("late")]).state == "starting"


def test_a_camera_that_gives_no_picture_is_given_up_after_eight_seconds(machine: Machine) -> None:
    early = Play(machine, [*OPENED, happens("late", 7900)])
    assert early.state == "looking"
    late = Play(machine, [*OPENED, happens("late", 8000)])
    assert (late.screen, late.ways) == ("camera_dark", ["open"])
    assert late.sent[-1] == {"type": "note", "camera": "dark"}


def test_no_camera_is_opened_before_the_person_agreed(machine: Machine) -> None:
    events = [happens("connect", no_camera=True), happens("line", up=True), welcome(), happens("open")]
    play = Play(machine, events)
    assert [effect["screen"] for effect in play.shown] == ["opening", "camera_none", "ready"]
    assert not [effect for effect in play.effects if effect["do"] == "open_camera"]


def test_frames_are_taken_only_of_what_is_painted_and_on_a_line_that_knows_it(machine: Machine) -> None:
    nonces = [moment["nonce"] for moment in Play(machine, [*STEPPED, happens("line", up=False)]).moments[-3:]]
    assert nonces == [None, "ab" * 16, None]
    again = [*STEPPED, happens("line", up=False), happens("line", up=True), welcome(state="capturing")]
    assert Play(machine, again).moments[-1]["nonce"] is None
    shown = [*again, says("step", **STEP), happens("painted", nonce="ab" * 16)]
    assert Play(machine, shown).moments[-1]["nonce"] == "ab" * 16


def test_a_server_that_lets_in_and_then_says_nothing_is_given_up_at_the_third_time(machine: Machine) -> None:
    silent = [happens("late", 15_000), happens("line", up=False), happens("line", up=True), welcome()]
    assert Play(machine, [*BEGUN, *silent, *silent]).state == "starting"
    third = Play(machine, [*BEGUN, *silent, *silent, happens("late", 15_000)])
    assert (third.screen, third.ways) == ("offline", ["connect"])


def test_help_that_was_asked_for_without_a_line_is_asked_for_once_there_is_one(machine: Machine) -> None:
    over = says("attempt_over", reason="timeout", counted=True, attempts_left=2, eases=True)
    asked = [*STEPPED, over, happens("line", up=False), happens("ease", alive=True)]
    assert {"type": "ease"} not in Play(machine, asked).sent
    back = Play(machine, [*asked, happens("line", up=True), welcome(attempts_left=2), happens("picture")])
    assert [message["type"] for message in back.sent][-2:] == ["ease", "start"]


def test_who_comes_back_after_a_verdict_that_was_missed_may_go_again(machine: Machine) -> None:
    lost = [*STEPPED, says("judging"), happens("line", up=False), happens("line", up=True)]
    play = Play(machine, [*lost, welcome(attempts_left=2)])
    assert (play.screen, play.ways[0]) == ("over_not_passed", "again")
