"""Actions, baselines and hints: by the definition, and on clips of real people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from renzheng.engine.limits import JudgingLimits
from renzheng.engine.liveness import (
    ACTIONS,
    HINTS,
    ActionThresholds,
    ActionWatcher,
    Baseline,
    Glance,
    extent,
    hint,
    unasked_actions,
)
from renzheng.engine.observation import FaceModels

NEUTRAL = Glance(640, 480, 1, (220, 120, 200, 240), mouth=0.03, pitch=0.1, left_eye=0.33, right_eye=0.35)
NEUTRAL = replace(NEUTRAL, sharpness=0.01, brightness=130, presence=1.0)
ACTED = {
    "blink": replace(NEUTRAL, left_eye=0.08, right_eye=0.07),
    "open_mouth": replace(NEUTRAL, mouth=0.5),
    "turn_left": replace(NEUTRAL, yaw=0.6),
    "turn_right": replace(NEUTRAL, yaw=-0.6),
    "nod": replace(NEUTRAL, pitch=0.27),
    "tilt_left": replace(NEUTRAL, roll=18.0),
    "tilt_right": replace(NEUTRAL, roll=-18.0),
}


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    found = Baseline.from_glances([NEUTRAL] * 5)
    assert found is not None
    return found


def play(watcher: ActionWatcher, glances: list[Glance]) -> list[bool]:
    return [watcher.feed(glance, 0.1 * number) for number, glance in enumerate(glances)]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_completed_by_going_there_and_back(action: str, baseline: Baseline) -> None:
    watcher = ActionWatcher(action, baseline)
    there, back = [NEUTRAL, ACTED[action], ACTED[action]], [NEUTRAL]
    assert play(watcher, there + back) == [False, False, False, True]
    assert watcher.peak_at == pytest.approx(0.1)
    assert watcher.done_at == pytest.approx(0.3)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("other", ACTIONS)
def test_only_the_asked_action_counts(action: str, other: str, baseline: Baseline) -> None:
    done = play(ActionWatcher(action, baseline), [NEUTRAL, ACTED[other], ACTED[other], NEUTRAL, NEUTRAL])
    assert done[-1] == (action == other)


@pytest.mark.parametrize("action", ACTIONS)
def test_what_began_before_the_asking_does_not_count(action: str, baseline: Baseline) -> None:
    assert not any(play(ActionWatcher(action, baseline), [ACTED[action], ACTED[action], NEUTRAL, NEUTRAL]))


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_that_does_not_end_is_not_completed(action: str, baseline: Baseline) -> None:
    assert not any(play(ActionWatcher(action, baseline), [NEUTRAL, *[ACTED[action]] * 20]))


def test_a_turn_needs_a_yaw_proxy_of_a_half(baseline: Baseline) -> None:
    judge = ActionThresholds(reach=1.0)
    for yaw, done in ((0.49, False), (0.50, True)):
        glances = [NEUTRAL, replace(NEUTRAL, yaw=yaw), NEUTRAL]
        assert play(ActionWatcher("turn_left", baseline, judge), glances)[-1] is done
        glances[1] = replace(NEUTRAL, yaw=-yaw)
        assert play(ActionWatcher("turn_right", baseline, judge), glances)[-1] is done


def test_thirty_degrees_from_the_neutral_pose_are_a_turn_as_well(baseline: Baseline) -> None:
    judge = ActionThresholds(reach=1.0)
    aside = replace(baseline, turn=6.0)
    for degrees, done in ((35.0, False), (37.0, True)):
        glances = [replace(NEUTRAL, turn=6.0), replace(NEUTRAL, yaw=0.4, turn=degrees), replace(NEUTRAL, turn=6.0)]
        assert play(ActionWatcher("turn_left", aside, judge), glances)[-1] is done
        assert not play(ActionWatcher("turn_right", aside, judge), glances)[-1]
    others = [replace(NEUTRAL, turn=turn) for turn in (6.0, 50.0, 6.0)]
    assert unasked_actions("open_mouth", others, aside) == ("turn_left",)


def test_eyes_are_ignored_while_the_head_is_turned(baseline: Baseline) -> None:
    turned = replace(ACTED["blink"], yaw=0.45)
    assert extent("blink", turned, baseline) is None
    assert not any(play(ActionWatcher("blink", baseline), [NEUTRAL, turned, NEUTRAL]))


def test_frames_with_two_faces_or_none_do_not_count(baseline: Baseline) -> None:
    for fault in (replace(ACTED["turn_left"], faces=2), Glance(640, 480)):
        assert not any(play(ActionWatcher("turn_left", baseline), [NEUTRAL, fault, fault, NEUTRAL]))


def test_openings_are_judged_against_the_persons_own() -> None:
    smile = replace(NEUTRAL, mouth=0.24, left_eye=0.2, right_eye=0.2)
    baseline = Baseline.from_glances([smile] * 4)
    assert baseline is not None
    assert not any(play(ActionWatcher("open_mouth", baseline), [smile, replace(smile, mouth=0.3), smile]))
    assert play(ActionWatcher("open_mouth", baseline), [smile, replace(smile, mouth=0.4), smile])[-1]
    assert not any(play(ActionWatcher("blink", baseline), [smile, replace(smile, left_eye=0.16), smile]))


def test_no_baseline_without_enough_frontal_frames() -> None:
    assert Baseline.from_glances([NEUTRAL] * 2) is None
    assert Baseline.from_glances([replace(NEUTRAL, yaw=0.4)] * 9) is None
    without_eyes = Baseline.from_glances([replace(NEUTRAL, left_eye=None)] * 5)
    assert without_eyes is not None
    assert without_eyes.eye is None


def test_a_blink_during_the_neutral_second_does_not_move_the_baseline(baseline: Baseline) -> None:
    assert Baseline.from_glances([NEUTRAL, NEUTRAL, ACTED["blink"], ACTED["blink"], NEUTRAL]) == baseline


def test_actions_that_were_not_asked_are_named(baseline: Baseline) -> None:
    glances = [NEUTRAL, *[replace(NEUTRAL, yaw=-0.7)] * 3, *[ACTED["open_mouth"]] * 3, NEUTRAL]
    assert unasked_actions("turn_left", glances, baseline) == ("open_mouth", "turn_right")
    assert unasked_actions("turn_right", glances, baseline) == ("open_mouth",)
    assert unasked_actions("blink", [NEUTRAL] * 9, baseline) == ()


UNASKED = [action for action in ACTIONS if action != "blink"]


def test_a_head_that_is_held_otherwise_by_now_does_nothing_unasked(baseline: Baseline) -> None:
    lower = replace(NEUTRAL, pitch=baseline.pitch + 0.13)
    assert unasked_actions("blink", [lower, replace(lower, left_eye=0.08, right_eye=0.07), lower], baseline) == ()


@pytest.mark.parametrize("late", range(6))
@pytest.mark.parametrize("before", UNASKED)
@pytest.mark.parametrize("action", ACTIONS)
def test_who_obeys_is_accused_of_nothing_however_late_the_frames_are(
    action: str, before: str, late: int, baseline: Baseline
) -> None:
    """A step is shown late, or its first frames are lost: the person is at the asked action, or at the one before it,
    which they do once more as it seemed not to be seen."""
    goes_on = [ACTED[before], ACTED[before], NEUTRAL]
    obeys = [NEUTRAL, ACTED[action], ACTED[action], NEUTRAL]
    for frames in (goes_on + obeys, obeys):
        assert unasked_actions(action, frames[late % len(frames) :], baseline, before=before) == ()


@pytest.mark.parametrize("action", [action for action in UNASKED if action != "nod"])
def test_an_action_that_began_between_two_steps_counts_where_it_ends_in_the_second(
    action: str, baseline: Baseline
) -> None:
    """A recording that skips it: no frame of its beginning is sent."""
    under_way = [ACTED[action], ACTED[action], NEUTRAL, ACTED["blink"], NEUTRAL]
    assert unasked_actions("blink", under_way, baseline, last=NEUTRAL) == (action,)
    assert unasked_actions("blink", under_way, baseline, before=action, last=NEUTRAL) == (action,)
    assert unasked_actions("blink", under_way, baseline) == ()
    assert (
        unasked_actions("blink", under_way, baseline, before=action, last=ACTED[action]) == ()
    )  # the step before ends late
    assert unasked_actions("blink", [ACTED[action]] * 5, baseline, last=NEUTRAL) == ()  # held so by now


@pytest.mark.parametrize(("share", "yaw", "found"), [(2.15, 0.0, ()), (2.25, 0.0, ("nod",)), (2.25, 0.26, ())])
def test_a_nod_that_began_between_two_steps_has_to_be_twice_as_clear_and_seen_from_the_front(
    share: float, yaw: float, found: tuple[str, ...], baseline: Baseline
) -> None:
    nodding = replace(NEUTRAL, pitch=baseline.pitch + share * ActionThresholds().nod)
    last = replace(NEUTRAL, yaw=yaw)
    assert unasked_actions("blink", [nodding, NEUTRAL, NEUTRAL], baseline, last=last) == found


@pytest.mark.parametrize(("tilt", "sign"), [("tilt_left", 1), ("tilt_right", -1)])
def test_a_neutral_face_that_was_shown_askew_hides_no_tilt(tilt: str, sign: int, baseline: Baseline) -> None:
    askew = replace(baseline, roll=sign * 13.0)
    tilted = [NEUTRAL, replace(NEUTRAL, roll=sign * 18.0), NEUTRAL]
    assert unasked_actions("nod", tilted, askew) == ()
    assert unasked_actions("nod", tilted, askew, last=NEUTRAL) == (tilt,)
    assert unasked_actions("nod", tilted, askew, before=tilt, last=NEUTRAL) == ()  # a tilt before it may not be over
    level = replace(NEUTRAL, roll=sign * 13.0)
    assert unasked_actions("nod", [*tilted[:2], level], askew, last=NEUTRAL) == ()  # leant for a moment only


@pytest.mark.parametrize(("tilt", "other"), [("tilt_left", "tilt_right"), ("tilt_right", "tilt_left")])
def test_a_tilt_is_measured_from_the_persons_own_level_and_not_held_against_a_turned_face(
    tilt: str, other: str, baseline: Baseline
) -> None:
    sign = 1 if tilt == "tilt_left" else -1
    askew = replace(baseline, roll=sign * 6.0)  # the telephone is held aslant
    leant = [replace(NEUTRAL, roll=sign * roll) for roll in (6.0, 6.0 + 13.0 * 1.12, 6.0)]
    assert play(ActionWatcher(tilt, askew), leant)[-1]
    assert not any(play(ActionWatcher(tilt, baseline), [replace(NEUTRAL, roll=sign * roll) for roll in (0, 14.2, 0)]))
    turned = [NEUTRAL, replace(ACTED[tilt], yaw=0.6), NEUTRAL]
    assert unasked_actions("turn_left", turned, baseline) == ()
    assert unasked_actions("nod", [NEUTRAL, ACTED[other], NEUTRAL], baseline) == (other,)


@pytest.mark.parametrize(("share", "found"), [(1.08, ()), (1.12, ("nod",))])
def test_an_action_counts_as_unasked_from_where_it_would_be_accepted(
    share: float, found: tuple[str, ...], baseline: Baseline
) -> None:
    pitch = baseline.pitch + share * ActionThresholds().nod
    assert unasked_actions("open_mouth", [NEUTRAL, replace(NEUTRAL, pitch=pitch), NEUTRAL], baseline) == found


HINTED = {
    "no_face": Glance(640, 480),
    "several_faces": replace(NEUTRAL, faces=2),
    "face_cut": replace(NEUTRAL, cut=True),
    "face_covered": replace(NEUTRAL, covered=17.0),
    "move_closer": replace(NEUTRAL, box=(300, 200, 60, 80)),
    "move_back": replace(NEUTRAL, box=(100, 2, 400, 470)),
    "center": replace(NEUTRAL, box=(20, 120, 160, 200)),
    "more_light": replace(NEUTRAL, brightness=20),
    "less_light": replace(NEUTRAL, brightness=240),
    "hold_still": replace(NEUTRAL, sharpness=0.0001),
    "look_straight": replace(NEUTRAL, yaw=0.3),
}


def test_every_hint_has_its_picture_and_a_good_picture_none() -> None:
    assert set(HINTED) == set(HINTS)
    assert {code: hint(glance, "neutral") for code, glance in HINTED.items()} == {code: code for code in HINTED}
    assert hint(NEUTRAL, "neutral") is None


def test_a_covered_face_is_told_before_the_challenge_only() -> None:
    assert hint(replace(NEUTRAL, covered=11.7), "neutral") is None  # the most of 264 photos of bare faces
    assert hint(replace(NEUTRAL, covered=17.0, yaw=0.25), "neutral") == "look_straight"
    assert hint(replace(NEUTRAL, covered=17.0), "turn_left") is None


def test_while_an_action_is_asked_its_own_movement_is_no_fault() -> None:
    for action, glance in ACTED.items():
        assert hint(replace(glance, sharpness=0.0), action) is None


def glances_of(models: FaceModels, path: Path) -> Iterator[tuple[int, float, Glance]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for number, picture in enumerate(container.decode(stream)):
            image = picture.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            yield number, number / 25, models.observe(image, eyes=True).glance


def completions(
    rows: list[tuple[int, float, Glance]], action: str, baseline: Baseline, thresholds: ActionThresholds
) -> list[tuple[int, int]]:
    """(first frame at the threshold, frame of completion) of every action in a clip."""
    found, watcher, begin = [], ActionWatcher(action, baseline, thresholds), -1
    for number, at, glance in rows:
        before = watcher.phase
        watcher.feed(glance, at)
        if before != "reached" and watcher.phase == "reached":
            begin = number
        if watcher.phase == "done":
            found.append((begin, number))
            watcher = ActionWatcher(action, baseline, thresholds)
    return found


SHIPPED = [JudgingLimits().actions, ActionThresholds()]
"""What the server's judge asks for, and what its live side asks for."""
TALKING = ActionThresholds(reach=1.0, released=0.5, mouth_rise=0.04, mouth_wide=0.05)
"""A mouth that talks opens to a tenth of its width; the one that is asked to open has to reach a quarter."""


@pytest.fixture(scope="module")
def blinking(models: FaceModels, data: Path) -> list[tuple[int, float, Glance]]:
    return list(glances_of(models, data / "video" / "blinking_4.mp4"))


@pytest.fixture(scope="module")
def talking(models: FaceModels, data: Path) -> list[tuple[int, float, Glance]]:
    return list(glances_of(models, data / "video" / "dinoman_example.mp4"))


@pytest.mark.parametrize("shipped", SHIPPED, ids=["judge", "live"])
def test_all_four_blinks_of_a_clip_are_found_and_nothing_else(
    blinking: list[tuple[int, float, Glance]], shipped: ActionThresholds
) -> None:
    baseline = Baseline.from_glances([glance for _, _, glance in blinking[:25]])
    assert baseline is not None
    blinks = completions(blinking, "blink", baseline, shipped)
    assert len(blinks) == 4
    for (begin, _), known in zip(blinks, (42, 93, 165, 222), strict=True):
        assert abs(begin - known) <= 3
    for action in ("open_mouth", "turn_left", "turn_right", "nod"):
        assert completions(blinking, action, baseline, shipped) == []


def test_a_mouth_that_opens_to_talk_is_found_where_it_does(talking: list[tuple[int, float, Glance]]) -> None:
    baseline = Baseline.from_glances([glance for number, _, glance in talking if number >= 62])
    assert baseline is not None
    openings = completions(talking, "open_mouth", baseline, TALKING)
    assert any(begin in range(25, 34) for begin, _ in openings)
    assert all(end <= 62 for _, end in openings), "it is still from there on"
    widest = max(talking, key=lambda row: row[2].mouth)
    assert widest[0] in range(28, 33)
    still = [glance.mouth for number, _, glance in talking if number >= 62]
    assert max(still) < 1.3 * baseline.mouth < 0.3 * widest[2].mouth


@pytest.mark.parametrize("shipped", SHIPPED, ids=["judge", "live"])
def test_talking_is_no_answer_to_open_mouth(
    talking: list[tuple[int, float, Glance]], shipped: ActionThresholds
) -> None:
    baseline = Baseline.from_glances([glance for number, _, glance in talking if number >= 62])
    assert baseline is not None
    extents = [extent("open_mouth", glance, baseline, shipped) or 0.0 for _, _, glance in talking]
    assert 0.2 < max(extents) < shipped.released
    for action in ("open_mouth", "turn_left", "turn_right", "nod"):
        assert completions(talking, action, baseline, shipped) == []
    assert [begin for begin, _ in completions(talking, "blink", baseline, shipped)] in ([14], [15])


def test_what_was_begun_for_the_step_before_is_not_held_against_the_next(baseline: Baseline) -> None:
    closing = [ACTED["open_mouth"], replace(NEUTRAL, mouth=0.35), NEUTRAL, NEUTRAL]
    assert unasked_actions("turn_left", closing, baseline, before="open_mouth") == ()


def test_a_wide_movement_is_over_when_it_is_well_on_its_way_back(baseline: Baseline) -> None:
    wide, back = replace(NEUTRAL, pitch=0.5), replace(NEUTRAL, pitch=0.2)
    assert play(ActionWatcher("nod", baseline), [NEUTRAL, wide, back])[-1]
    assert not play(ActionWatcher("nod", baseline), [NEUTRAL, ACTED["nod"], back])[-1]


def test_a_face_without_a_place_is_none() -> None:
    assert not replace(NEUTRAL, box=None).single
    assert not replace(NEUTRAL, faces=0).single
    assert not replace(NEUTRAL, faces=2).single
    assert not replace(NEUTRAL, cut=True).usable
    assert NEUTRAL.usable


def test_an_eye_of_which_one_side_is_unknown_is_unknown() -> None:
    assert replace(NEUTRAL, left_eye=None).eye is None
    assert replace(NEUTRAL, right_eye=None).eye is None


def test_each_threshold_of_a_pose_holds_at_its_value(baseline: Baseline) -> None:
    limits = ActionThresholds()
    for yaw, known in ((limits.neutral_yaw, True), (limits.neutral_yaw + 0.001, False)):
        for side in (yaw, -yaw):
            assert (Baseline.from_glances([replace(NEUTRAL, yaw=side)] * 3) is not None) is known
    shut = ACTED["blink"]
    for yaw, told in ((limits.eye_yaw, True), (limits.eye_yaw + 0.001, False)):
        assert (extent("blink", replace(shut, yaw=-yaw), baseline) is not None) is told
    level = replace(baseline, pitch=0.0)
    for pitch, told in ((limits.eye_pitch, True), (limits.eye_pitch + 0.001, False)):
        assert (extent("blink", replace(shut, pitch=-pitch), level) is not None) is told


def test_without_open_eyes_in_the_neutral_second_a_blink_cannot_be_told(baseline: Baseline) -> None:
    for eye in (None, 0.0):
        assert extent("blink", ACTED["blink"], replace(baseline, eye=eye)) is None
    blind = [replace(NEUTRAL, left_eye=None)] * 3
    assert Baseline.from_glances([*blind, NEUTRAL, NEUTRAL]).eye is None  # type: ignore[union-attr]
    assert Baseline.from_glances([*blind, NEUTRAL, NEUTRAL, NEUTRAL]).eye == NEUTRAL.eye  # type: ignore[union-attr]


def test_a_turn_is_told_by_what_shows_it_more() -> None:
    level = Baseline(0.0, 0.0, 0.0, None, 3)
    limits = ActionThresholds()
    assert extent("turn_left", replace(NEUTRAL, yaw=limits.turn, turn=0.0), level) == 1.0
    assert extent("turn_left", replace(NEUTRAL, yaw=0.0, turn=limits.turn_degrees), level) == 1.0
    assert extent("turn_right", replace(NEUTRAL, yaw=-limits.turn, turn=-15.0), level) == 1.0


def watched(values: list[float], **changes: float) -> str:
    """The phase of a nod of these extents, frame by frame."""
    limits = replace(ActionThresholds(), nod=1.0, **changes)
    watcher = ActionWatcher("nod", Baseline(0.0, 0.0, 0.0, None, 3), limits)
    for number, value in enumerate(values):
        watcher.feed(replace(NEUTRAL, pitch=value), float(number))
    return watcher.phase


@pytest.mark.parametrize(
    ("values", "phase"),
    [
        ([0.5], "ready"),
        ([0.501], "waiting"),
        ([0.0, 1.0], "reached"),
        ([0.0, 0.999], "ready"),
        ([1.0, 0.0], "ready"),
        ([0.0, 1.0, 0.501], "reached"),
        ([0.0, 1.0, 0.5], "done"),
        ([0.0, 2.0, 0.801], "reached"),
        ([0.0, 2.0, 0.8], "done"),
        ([0.0, 1.0, 0.5, 2.0], "done"),
    ],
)
def test_an_action_begins_is_reached_and_ends_at_its_shares(values: list[float], phase: str) -> None:
    assert watched(values, released=0.5, reach=1.0, returned=0.4) == phase


def test_the_time_of_the_widest_point_is_of_the_first_frame_that_shows_it() -> None:
    watcher = ActionWatcher("nod", Baseline(0.0, 0.0, 0.0, None, 3), replace(ActionThresholds(), nod=1.0))
    for number, value in enumerate((0.0, 1.5, 1.5, 0.0)):
        watcher.feed(replace(NEUTRAL, pitch=value), float(number))
    assert (watcher.peak, watcher.peak_at, watcher.done_at) == (1.5, 1.0, 3.0)
    assert watcher.feed(replace(NEUTRAL, faces=0, box=None), 9.0)


def test_an_action_that_is_none_is_refused(baseline: Baseline) -> None:
    with pytest.raises(ValueError, match="unknown action"):
        extent("wink", NEUTRAL, baseline)
    with pytest.raises(ValueError, match="unknown action"):
        ActionWatcher("wink", baseline)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"box": None}, "no_face"),
        ({"faces": 0}, "no_face"),
        ({"faces": 2}, "several_faces"),
        ({"faces": 2, "cut": True}, "several_faces"),
        ({"cut": True}, "face_cut"),
        ({"box": (220, 120, 119.9, 119.9)}, "move_closer"),
        ({"box": (260, 180, 120, 120)}, None),
        ({"box": (260, 180, 60, 120)}, None),
        ({"box": (270, 190, 99.9, 99.9), "height": 300, "width": 300}, "move_closer"),
        ({"box": (100, 100, 100, 100), "height": 300, "width": 300}, None),
        ({"box": (92, 12, 456, 456)}, None),
        ({"box": (90, 10, 456.1, 100)}, "move_back"),
        ({"brightness": 44.9, "contrast": 5.9}, "more_light"),
        ({"brightness": 45.0, "contrast": 5.9}, None),
        ({"brightness": 44.9, "contrast": 6.0}, None),
        ({"brightness": 225.1, "contrast": 29.9}, "less_light"),
        ({"brightness": 225.0, "contrast": 29.9}, None),
        ({"brightness": 225.1, "contrast": 30.0}, None),
        ({"covered": 13.0}, None),
        ({"covered": 13.1, "yaw": 0.20}, "face_covered"),
        ({"covered": 13.1, "yaw": 0.21}, "look_straight"),
        ({"box": (340, 120, 200, 240)}, None),
        ({"box": (340.1, 120, 200, 240)}, "center"),
        ({"box": (220, -0.1, 200, 240)}, "center"),
        ({"yaw": -0.20}, None),
        ({"yaw": -0.21}, "look_straight"),
        ({"sharpness": 0.0006}, None),
        ({"sharpness": 0.00059}, "hold_still"),
    ],
)
def test_each_hint_begins_at_its_bound(change: dict[str, object], code: str | None) -> None:
    calm = replace(NEUTRAL, contrast=40.0)
    assert hint(replace(calm, **change)) == code  # type: ignore[arg-type]


def test_of_a_frame_without_a_face_all_is_neutral() -> None:
    empty = Glance(640, 480)
    assert (empty.faces, empty.box, empty.cut, empty.left_eye, empty.right_eye) == (0, None, False, None, None)
    assert (empty.yaw, empty.pitch, empty.turn, empty.roll, empty.mouth) == (0.0,) * 5
    assert (empty.sharpness, empty.brightness, empty.contrast, empty.covered, empty.presence) == (0.0,) * 5
    assert not empty.single


@pytest.mark.parametrize(("left", "right", "mean"), [(0.25, 0.75, 0.5), (None, 0.5, None), (0.5, None, None)])
def test_the_opening_of_the_eyes_is_the_mean_of_both(
    left: float | None, right: float | None, mean: float | None
) -> None:
    assert replace(NEUTRAL, left_eye=left, right_eye=right).eye == mean


def test_a_watcher_that_has_seen_nothing_has_no_peak(baseline: Baseline) -> None:
    watcher = ActionWatcher("nod", baseline)
    assert (watcher.peak, watcher.peak_at, watcher.done_at) == (0.0, None, None)
    watcher.feed(replace(NEUTRAL, pitch=baseline.pitch + 0.05), 3.0)
    assert watcher.peak == pytest.approx(0.5)
    assert watcher.peak_at == 3.0


@pytest.mark.parametrize(
    ("before", "share", "found"),
    [("nod", 2.15, ()), ("nod", 2.25, ("nod",)), ("blink", 1.15, ("nod",)), ("blink", 1.05, ())],
)
def test_after_a_nod_one_more_has_to_be_twice_as_clear(
    before: str, share: float, found: tuple[str, ...], baseline: Baseline
) -> None:
    nodding = replace(NEUTRAL, pitch=baseline.pitch + share * ActionThresholds().nod)
    assert unasked_actions("open_mouth", [NEUTRAL, nodding, NEUTRAL], baseline, before=before) == found


@pytest.mark.parametrize(
    ("change", "tells"),
    [({"yaw": 0.40}, True), ({"yaw": -0.41}, False), ({"pitch": 0.29}, True), ({"pitch": 0.31}, False),
     ({"pitch": -0.09}, True), ({"pitch": -0.11}, False)],
)  # fmt: skip
def test_eyes_are_told_while_the_head_is_hardly_turned_or_tilted(
    change: dict[str, float], tells: bool, baseline: Baseline
) -> None:
    assert (extent("blink", replace(ACTED["blink"], **change), baseline) is not None) is tells  # type: ignore[arg-type]


@pytest.mark.parametrize(("yaw", "found"), [(0.25, ("nod",)), (-0.25, ("nod",)), (0.26, ())])
def test_a_nod_is_held_against_a_face_that_looks_ahead(yaw: float, found: tuple[str, ...], baseline: Baseline) -> None:
    nodding = replace(ACTED["nod"], yaw=yaw)
    assert unasked_actions("open_mouth", [NEUTRAL, nodding, NEUTRAL], baseline) == found


def test_a_baseline_of_which_nothing_else_is_said_looks_ahead_and_is_level() -> None:
    plain = Baseline(yaw=0.0, pitch=0.1, mouth=0.03, eye=None, frames=5)
    assert (plain.turn, plain.roll) == (0.0, 0.0)


@pytest.mark.parametrize(("across", "down"), [(1, 0), (-1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize(("away", "told"), [(119, None), (121, "center")])
def test_a_face_is_off_centre_by_a_quarter_of_the_shorter_side(
    across: int, down: int, away: int, told: str | None
) -> None:
    box = (320 - 90 + across * away, 240 - 110 + down * away, 180, 220)
    assert hint(replace(NEUTRAL, box=box), "neutral") == told
