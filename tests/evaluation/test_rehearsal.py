"""What was rendered beforehand is joined as a person moves, and no frame is the file of another."""

from __future__ import annotations

import itertools

import simplejpeg

from renzheng.evaluation.crowd import Course
from renzheng.evaluation.device import DeviceEvent
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.rehearsal import COMMENT, FPS, SECONDS, Player, Rehearsal, rehearse

NAMES = Rehearsal(
    {
        action: [[b"\xff\xd8" + f"{action}{take}-{n}".encode() for n in range(50)] for take in range(2)]
        for action in ("neutral", "blink", "nod")
    }
)


def played(player: Player, action: str, seconds: float) -> str:
    frame = player.frame(action, seconds)
    assert frame[2:6] == COMMENT
    return frame[22:].decode()


def test_a_movement_is_finished_before_the_next_and_each_time_is_another_take() -> None:
    player = Player(NAMES)
    assert [played(player, "neutral", at) for at in (0.0, 0.2)] == ["neutral0-0", "neutral0-2"]
    assert played(player, "blink", 0.1) == "blink0-1", "nothing is under way after looking ahead"
    assert played(player, "blink", 2.0) == "blink0-20"
    assert [played(player, "nod", at) for at in (0.1, 0.4, 0.5)] == ["blink0-21", "blink0-24", "nod0-5"]
    assert [played(player, "nod", at) for at in (0.05, 0.6)] == ["nod0-5", "nod1-6"], "the same action once more"
    assert played(player, "wave", 0.6) == "neutral0-6", "what nobody rehearsed is met by looking ahead"
    assert played(player, "blink", 5.9) == "blink1-9", "who is asked for longer begins again"


def test_no_two_frames_are_the_same_file_though_their_picture_is() -> None:
    frames = {Player(NAMES).frame("blink", 1.0) for _ in range(100)}
    assert len(frames) == 100
    assert len({frame[22:] for frame in frames}) == 1


def test_rehearsed_frames_are_pictures_and_no_two_takes_share_one(puppet: Puppet) -> None:
    rehearsal = rehearse(puppet, 0, actions=("neutral",), takes=2)
    first, second = rehearsal.takes["neutral"]
    assert len(first) == len(second) == SECONDS * FPS
    assert len({*first, *second}) == 2 * SECONDS * FPS
    frame = Player(rehearsal).frame("neutral", 1.0)
    assert simplejpeg.decode_jpeg(frame).shape == (480, 640, 3)


def test_a_course_knows_how_long_it_waited_and_for_what() -> None:
    course = Course("token", 0.0)
    clock = itertools.count()
    for kind, fields in (
        ("welcome", {}),
        ("wait", {"position": 3}),
        ("wait", {"position": 1}),
        ("ping", {}),
        ("judging", {}),
        ("attempt_over", {"reason": "server"}),
        ("judging", {}),
        ("outcome", {}),
    ):
        course.hear(DeviceEvent(float(next(clock)), kind, fields))
    assert (course.position, course.waited, course.verdicts, course.given_back) == (3, 2.0, [1.0, 1.0], 1)
