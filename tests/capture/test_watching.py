"""What the server did not watch is told from its own clock: a device can make it neither longer nor shorter."""

from __future__ import annotations

import pytest

from renzheng.capture.watching import MAX_GAP_SECONDS, Missed, Pulse, Watch


def watch(arrivals: list[float], looks: list[tuple[float, float]], until: float) -> float:
    """Frames come at `arrivals`; each look begins, and takes the newest frame that has come, and ends."""
    found, left = Watch(), list(arrivals)
    for begin, end in looks:
        come = [at for at in left if at <= begin]
        if not come:
            continue
        left = [at for at in left if at > begin]
        missed = Missed(len(come) - 1, come[0]) if len(come) > 1 else Missed()
        if end >= 0:
            found.looked(come[-1], missed)
        else:
            found.lost(come[-1], missed)
    waiting = [at for at in left if at <= until]
    return found.blind_seconds(until, Missed(len(waiting), waiting[0]) if waiting else Missed())


TENTHS = [n / 10 for n in range(61)]


def test_looks_that_keep_up_or_skip_every_other_frame_leave_no_gap() -> None:
    assert watch(TENTHS, [(at, at + 0.05) for at in TENTHS], 6) == 0
    assert watch(TENTHS, [(n / 5, n / 5 + 0.2) for n in range(31)], 6) == 0


@pytest.mark.parametrize("pause", [0.9, 1.2, 4.0])
def test_a_look_that_takes_long_is_a_gap_and_one_that_never_ends_too(pause: float) -> None:
    looks = [(at, at) for at in TENTHS if not 1.0 < at < 1.0 + pause]
    assert watch(TENTHS, looks, 6) == pytest.approx(pause - 0.1, abs=0.11)
    assert watch(TENTHS, [(at, at) for at in TENTHS if at <= 1.0], 1.0 + pause) == pytest.approx(pause - 0.1, abs=0.11)


def test_frames_that_were_lost_are_a_gap() -> None:
    looks = [(at, -1 if 1.0 < at < 1.9 else at) for at in TENTHS]
    assert watch(TENTHS, looks, 6) == pytest.approx(0.8, abs=0.11)
    assert watch(TENTHS, [(at, -1 if at == 1.0 else at) for at in TENTHS], 6) == 0, "one lost frame hides nothing"


def test_a_device_that_sends_nothing_and_then_all_at_once_makes_no_gap() -> None:
    burst = [0.0, 0.1, *[3.0 + n / 1000 for n in range(20)]]
    assert watch(burst, [(0.0, 0.1), (0.1, 0.2), (3.02, 3.1)], 6) == 0
    assert watch(burst, [(0.0, 0.1), (0.1, 0.2), (3.0, 3.01), (3.02, 3.1)], 6) == 0
    assert watch([0.0, 5.9], [(0.0, 0.1)], 6) == 0, "one frame that waits is none"


def test_a_pulse_that_is_late_is_a_stall_and_one_a_little_late_is_not() -> None:
    now = 100.0
    pulse = Pulse(lambda: now)
    for _ in range(10):
        now += 0.1 + 0.9 * MAX_GAP_SECONDS
        pulse.beat()
    assert pulse.stalled_seconds(0) == 0
    begun = now
    now += 2.0
    pulse.beat()
    assert pulse.stalled_seconds(begun) == pytest.approx(2.0)
    assert pulse.stalled_seconds(begun + 1.5) == pytest.approx(0.5)
    assert pulse.stalled_seconds(now) == 0
    for _ in range(2000):
        now += 0.1
        pulse.beat()
    assert pulse.stalled_seconds(begun) == 0, "what is long over is forgotten"
