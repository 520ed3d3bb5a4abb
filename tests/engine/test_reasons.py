"""LivenessInfoTag values: each stands for what was measured, and whatever stops a sequence has one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.engine.limits import ContinuityLimits
from renzheng.engine.measurement import Continuity, Doubt, Measurement
from renzheng.engine.reasons import REASONS, reasons


def depth(measured: Measurement, **changes: object) -> Measurement:
    assert measured.depth is not None
    return replace(measured, depth=replace(measured.depth, passed=False, **changes))  # type: ignore[arg-type]


def faulty(measured: Measurement, fault: str, **changes: object) -> Measurement:
    assert measured.continuity is not None
    continuity = replace(measured.continuity, faults=(fault,), passed=False, **changes)  # type: ignore[arg-type]
    return replace(measured, continuity=continuity)


def test_a_sequence_that_a_live_person_answered_has_none(measured: Measurement) -> None:
    assert reasons(measured) == ()


def test_eyes_that_are_shut_in_the_neutral_second(measured: Measurement) -> None:
    assert measured.baseline is not None
    assert reasons(replace(measured, baseline=replace(measured.baseline, eye=0.05))) == ("01",)
    assert reasons(replace(measured, baseline=replace(measured.baseline, eye=None))) == ()


def test_an_action_that_was_not_done(measured: Measurement) -> None:
    first, *others = measured.actions
    assert reasons(replace(measured, actions=(replace(first, answered=False), *others))) == ("02",)
    assert reasons(replace(measured, actions=())) == ("02",)


def test_a_flat_picture_by_either_measure_of_depth(measured: Measurement) -> None:
    assert measured.depth is not None
    assert reasons(depth(measured, residual=measured.depth.threshold - 0.01)) == ("03",)
    assert reasons(depth(measured, solidity=measured.depth.solidity_threshold - 0.01)) == ("03",)


@pytest.mark.parametrize("changes", [{"residual": None, "solidity": None}, {"solidity": None}])
def test_a_turn_that_could_not_be_measured_is_an_action_not_done_and_no_print(
    changes: dict[str, object], measured: Measurement
) -> None:
    assert reasons(depth(measured, **changes)) == ("02",)


def test_a_challenge_without_a_turn_so_far_is_an_action_not_done(measured: Measurement) -> None:
    assert reasons(replace(measured, depth=None)) == ("02",)


@pytest.mark.parametrize(
    ("fault", "tag"),
    [
        *(
            (fault, "05")
            for fault in ("frontal", "turned", "link", "repeated", "frozen", "disorder", "speed", "growth")
        ),
        ("yaw_speed", "06"),
        ("gap", "11"),
    ],
)
def test_each_fault_of_continuity_has_its_value(fault: str, tag: str, measured: Measurement) -> None:
    assert reasons(faulty(measured, fault)) == (tag,)


def test_every_fault_that_continuity_can_find_has_a_value(measured: Measurement) -> None:
    assert measured.continuity is not None
    names = set(ContinuityLimits.__dataclass_fields__) & set(Continuity.__dataclass_fields__) | {"disorder"}
    for fault in names:
        assert reasons(faulty(measured, fault)), fault


def test_a_turned_face_that_was_never_compared_is_no_other_person(measured: Measurement) -> None:
    assert "05" not in reasons(faulty(measured, "turned", turned=None))


def test_actions_that_were_not_asked_for(measured: Measurement) -> None:
    first, *others = measured.actions
    assert reasons(replace(measured, actions=(replace(first, unasked=("nod",)), *others))) == ("06",)


def test_too_few_frames_to_compare(measured: Measurement) -> None:
    assert reasons(replace(measured, best=None)) == ("10",)
    assert reasons(replace(measured, continuity=None)) == ("10",)


@pytest.mark.parametrize(
    ("status", "tag"), [("no_face", "11"), ("several_faces", "11"), ("cut", "11"), ("too_few_pixels", "12")]
)
def test_frames_that_cannot_be_judged(status: str, tag: str, measured: Measurement) -> None:
    assert reasons(replace(measured, frames_status=status)) == (tag,)


def test_the_values_are_in_order_and_each_has_a_row_of_its_own() -> None:
    values = [value for value, _, _ in REASONS]
    assert values == sorted(set(values))
    assert all(text for _, text, _ in REASONS)


@pytest.mark.parametrize(
    ("part", "tag"),
    [("borders", "03"), ("blur", "03"), ("solidity", "03"), ("turned", "05"), ("frontal", "05"), ("gap", "11")],
)
def test_weak_measures_that_decide_together_are_named(part: str, tag: str, measured: Measurement) -> None:
    assert reasons(replace(measured, doubt=Doubt({part: 0.9}, 0.9, 1.0, passed=True))) == ()
    assert reasons(replace(measured, doubt=Doubt({part: 1.1}, 1.1, 1.0, passed=False))) == (tag,)
