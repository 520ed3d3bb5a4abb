"""Which frames of a device count: by nonce, number, time, size and what the server can hold. No socket, no clock."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.intake import Intake
from renzheng.capture.messages import Close, ClosingError, FrameMessage
from renzheng.capture.sight import FrameHead

OLD, NONCE, NEXT = b"o" * 16, b"n" * 16, b"m" * 16
WIDE, TALL, SQUARE = FrameHead(640, 480), FrameHead(480, 640), FrameHead(512, 512)


class Device:
    """Sends one frame after the other, each a tenth of a second after the last."""

    def __init__(self, **limits: int) -> None:
        self.intake = Intake(ChannelLimits(**limits))
        self.intake.new_attempt()
        self.intake.expect(0, NONCE, 100.0)
        self.now = 0.0
        self.sequence = 0
        self.looked_at = 0

    def send(
        self, head: FrameHead | None = WIDE, *, nonce: bytes = NONCE, at: float | None = None, size: int = 100
    ) -> bool:
        """Whether it says that the phone was turned."""
        self.now = self.now + 0.1 if at is None else at
        self.sequence += 1

        def read_head(jpeg: bytes) -> FrameHead | None:
            self.looked_at += 1
            return head

        return self.intake.take(FrameMessage(nonce, self.sequence, b"\xff\xd8".ljust(size)), read_head, self.now)

    @property
    def stored(self) -> list[int]:
        return [record.sequence for record, _ in self.intake.pending]


@pytest.mark.parametrize(
    ("sizes", "turned"),
    [
        ([WIDE, WIDE, WIDE], [False, False, False]),
        ([TALL, WIDE, TALL], [False, True, False]),
        ([WIDE, TALL], [False, True]),
        ([SQUARE, SQUARE], [False, False]),
        ([TALL, SQUARE, TALL], [False, False, False]),
        ([WIDE, SQUARE, WIDE], [False, False, False]),
        ([TALL, SQUARE, WIDE], [False, False, True]),
        ([WIDE, SQUARE, TALL], [False, False, True]),
        ([SQUARE, TALL, SQUARE, WIDE], [False, False, False, True]),
        ([SQUARE, WIDE], [False, False]),
        ([SQUARE, TALL], [False, False]),
        ([FrameHead(480, 481), FrameHead(481, 480)], [False, True]),
    ],
)
def test_a_phone_is_turned_when_tall_becomes_wide_and_a_square_says_nothing(
    sizes: list[FrameHead], turned: list[bool]
) -> None:
    device = Device()
    device.intake.keeping = True
    assert [device.send(size) for size in sizes] == turned
    assert device.stored == [n for n, is_turned in enumerate(turned, 1) if not is_turned]


def test_another_attempt_may_be_held_the_other_way() -> None:
    device = Device()
    assert device.send(TALL) is False
    device.intake.new_attempt()
    device.intake.expect(0, NEXT, 100.0)
    assert device.send(WIDE, nonce=NEXT) is False


def test_a_nonce_that_was_never_given_out_ends_the_socket() -> None:
    device = Device()
    with pytest.raises(ClosingError) as caught:
        device.send(nonce=OLD)
    assert caught.value.code is Close.UNKNOWN_NONCE
    assert device.looked_at == 0


def test_a_device_that_came_back_may_send_frames_of_what_nothing_is_left_of() -> None:
    device = Device()
    device.intake.came_back = device.intake.keeping = True
    device.send(nonce=OLD)
    assert (device.looked_at, device.stored) == (0, [])


def test_frames_under_an_older_nonce_count_for_nothing() -> None:
    """Of an earlier step, an earlier attempt and an earlier socket: not stored, not shown, not even looked at."""
    device = Device()
    device.intake.remember(OLD)
    device.intake.keeping = True
    device.send(nonce=OLD)
    device.intake.expect(1, NEXT, 100.0)
    device.send(nonce=NONCE)
    device.intake.new_attempt()
    device.intake.keeping = True
    for step in (0, 1):
        device.intake.expect(step, bytes([step]) * 16, 100.0)
        for nonce in (OLD, NONCE, NEXT):
            device.send(nonce=nonce)
    assert (device.stored, device.looked_at, device.intake.take_newest()) == ([], 0, None)


def test_no_frame_counts_while_nothing_is_expected() -> None:
    device = Device()
    device.intake.expect_nothing()
    device.send()
    assert device.looked_at == 0


@pytest.mark.parametrize(("at", "counts"), [(99.9, 1), (100.0, 1), (100.001, 0)])
def test_a_frame_counts_up_to_the_steps_deadline(at: float, counts: int) -> None:
    device = Device()
    device.send(at=at)
    assert device.looked_at == counts


def test_a_number_that_does_not_rise_does_not_count() -> None:
    device = Device()
    device.intake.keeping = True
    device.send()
    for sequence in (0, -1, 1):
        device.sequence = sequence
        device.send()
    assert device.stored == [1, 2]
    device.intake.new_attempt(last_sequence=7)
    device.intake.expect(0, NEXT, 100.0)
    device.sequence = 6
    device.send(nonce=NEXT)
    assert device.looked_at == 2
    device.send(nonce=NEXT)
    assert device.looked_at == 3


def test_a_seconds_worth_of_frames_counts_at_once_and_then_as_many_as_time_brings() -> None:
    device = Device(max_frames_per_second=4)
    device.intake.keeping = True
    for at in (10.0, 10.0, 10.0, 10.0, 10.0, 10.2, 10.25, 10.45, 10.5):
        device.send(at=at)
    assert device.stored == [1, 2, 3, 4, 7, 9]
    assert device.intake.frames_per_second(10.6) == 6
    assert device.intake.frames_per_second(11.2) == 2
    assert device.intake.frames_per_second(12.0) == 0


@pytest.mark.parametrize("fps", [15, 16, 24, 25, 30, 60])
@pytest.mark.parametrize("jitter", [0.0, 0.012])
def test_of_a_fast_camera_frames_are_left_out_evenly(fps: int, jitter: float) -> None:
    """A blink takes a quarter of a second: were each second's share used up at once, half of them would be lost."""
    device = Device(max_frames_per_second=15)
    device.intake.keeping = True
    late = random.Random(fps)
    for number in range(10 * fps):
        device.send(at=number / fps + jitter * late.random())
    taken = [record.received_at for record, _ in device.intake.pending if record.received_at > 2]
    assert max(later - earlier for earlier, later in pairwise(taken)) <= 2 / 15 + jitter
    assert 8 * 15 - 2 <= len(taken) <= 9 * 15


@pytest.mark.parametrize("fps", [10, 30])
def test_what_a_line_held_back_comes_at_once_and_counts_as_far_as_it_would_have(fps: int) -> None:
    device = Device(max_frames_per_second=15)
    device.intake.keeping = True
    for number in range(10 * fps):
        sent = number / fps
        device.send(at=6.0 if 5.0 < sent < 6.0 else sent)
    held_back = [record for record, _ in device.intake.pending if record.received_at == 6.0]
    assert len(held_back) == min(fps, 15)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (None, Close.MALFORMED),
        (FrameHead(640, 480, progressive=True), Close.MALFORMED),
        (FrameHead(1001, 1000), Close.TOO_LARGE),
        (FrameHead(1000, 1000), None),
    ],
)
def test_what_no_browser_sends_ends_the_socket(head: FrameHead | None, code: Close | None) -> None:
    device = Device(frame_pixels=1_000_000)
    device.intake.keeping = True
    if code is None:
        device.send(head)
        assert device.stored == [1]
        return
    with pytest.raises(ClosingError) as caught:
        device.send(head)
    assert caught.value.code is code
    assert device.stored == []


def test_what_the_disk_does_not_take_does_not_count_until_it_has_taken_the_rest() -> None:
    device = Device(pending_bytes=250)
    device.intake.keeping = True
    for _ in range(3):
        device.send()
    assert (device.stored, device.intake.is_behind) == ([1, 2], True)
    batch = device.intake.take_pending()
    device.send()
    assert device.stored == []
    device.intake.let_go(batch)
    device.send()
    assert device.stored == [5]


def test_exactly_what_may_be_held_is_held() -> None:
    device = Device(pending_bytes=200)
    device.intake.keeping = True
    device.send()
    device.send()
    assert (device.stored, device.intake.is_behind) == ([1, 2], False)


def test_an_attempt_stores_so_many_frames_and_bytes_and_those_of_an_earlier_socket_count() -> None:
    device = Device(frames_per_attempt=3)
    device.intake.new_attempt(kept=1)
    device.intake.expect(0, NEXT, 100.0)
    device.intake.keeping = True
    for _ in range(4):
        device.send(nonce=NEXT)
    assert device.stored == [1, 2]
    device = Device(attempt_bytes=400)
    device.intake.new_attempt(kept_bytes=100)
    device.intake.expect(0, NEXT, 100.0)
    device.intake.keeping = True
    for size in (200, 101, 100, 1):
        device.send(nonce=NEXT, size=size)
    assert device.stored == [1, 3]


def test_of_what_came_before_the_neutral_second_the_newest_is_held() -> None:
    device = Device(pending_bytes=350)
    for _ in range(6):
        device.send()
    assert device.stored == []
    device.intake.keep_early()
    assert device.stored == [4, 5, 6]
    assert device.intake.keeping


@pytest.mark.parametrize(("itself", "stored"), [(False, [3, 4]), (True, [4])])
def test_what_came_before_a_time_is_forgotten_and_its_room_is_free(itself: bool, stored: list[int]) -> None:
    device = Device(pending_bytes=400)
    for at in (1.0, 2.0, 3.0, 4.0):
        device.send(at=at)
    device.intake.drop_early(3.0, itself=itself)
    device.intake.keep_early()
    assert device.stored == stored
    device.send(size=100 * (4 - len(stored)))
    assert device.stored == [*stored, 5]


def test_a_new_attempt_begins_with_nothing() -> None:
    device = Device(pending_bytes=500)
    device.send()
    device.send()
    device.intake.new_attempt()
    device.intake.expect(0, NEXT, 100.0)
    assert device.intake.take_newest() is None
    for _ in range(3):
        device.send(nonce=NEXT)
    device.intake.keep_early()
    assert device.stored == [3, 4, 5]


def test_the_newest_frame_is_given_once_with_what_was_missed_before_it() -> None:
    device = Device()
    for at in (1.0, 1.5, 2.5):
        device.send(at=at)
    newest = device.intake.take_newest()
    assert newest is not None
    assert (newest.at, newest.step, newest.missed.frames) == (2.5, 0, 2)
    assert device.intake.take_newest() is None
    assert device.intake.waiting.frames == 0


def test_before_the_neutral_second_exactly_what_may_be_held_is_held_and_all_of_it_can_be_forgotten() -> None:
    device = Device(pending_bytes=300)
    for _ in range(3):
        device.send()
    device.intake.keep_early()
    assert device.stored == [1, 2, 3]
    device = Device()
    device.send()
    device.intake.drop_early(99.0)
    device.intake.drop_early(99.0)
    device.intake.keep_early()
    assert device.stored == []
