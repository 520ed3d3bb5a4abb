"""Weak measures decide together: none alone refuses a person, two that agree do."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from renzheng.engine.doubts import along, weigh
from renzheng.engine.limits import DoubtLimits
from renzheng.engine.measurement import Continuity, Depth

LIMITS = DoubtLimits()
DEPTH = Depth(0.12, 0.1, 0.7, 9, 0.025, True, 0.2, 0.1, 1.0, -0.75)
CONTINUITY = Continuity(0.9, 0.8, 0.5, 1.2, 1.0, 0.0, 0, 0.1, 0, 0.4, 0.3, (), True)
BAD = {
    "solidity": replace(DEPTH, solidity=-9.0),
    "residual": replace(DEPTH, residual=0.0),
    "turned": replace(CONTINUITY, turned=-1.0),
    "frontal": replace(CONTINUITY, frontal=-1.0),
    "gap": replace(CONTINUITY, gap=99.0),
    "yaw_speed": replace(CONTINUITY, yaw_speed=99.0),
}


def test_a_person_raises_no_doubt() -> None:
    found = weigh(DEPTH, CONTINUITY, 0.0, 0.42, LIMITS)
    assert (found.parts, found.total, found.passed) == ({}, 0.0, True)


def test_what_could_not_be_measured_raises_no_doubt() -> None:
    assert weigh(None, None, None, None, LIMITS).passed
    unmeasured = replace(DEPTH, residual=None, solidity=None)
    assert weigh(unmeasured, replace(CONTINUITY, turned=None, frontal=None), None, None, LIMITS).parts == {}


def test_every_ramp_has_a_measure_that_raises_it_and_none_refuses_alone() -> None:
    ramps = {one.name for one in fields(DoubtLimits)} - {"limit", "most"}
    assert ramps == {*BAD, "borders", "blur"}
    for name in ramps:
        bad = BAD.get(name)
        depth = bad if isinstance(bad, Depth) else DEPTH
        continuity = bad if isinstance(bad, Continuity) else CONTINUITY
        found = weigh(depth, continuity, 1.0 if name == "borders" else 0.0, 1.0 if name == "blur" else 0.0, LIMITS)
        assert found.parts == {name: LIMITS.most}, name
        assert found.passed, name


def test_two_that_agree_refuse() -> None:
    found = weigh(DEPTH, CONTINUITY, 0.44, 0.56, LIMITS)  # medians of a filmed laptop
    assert set(found.parts) == {"borders", "blur"}
    assert not found.passed
    assert found.total == pytest.approx(2 * LIMITS.most)


@pytest.mark.parametrize("ramp", [(0.2, 0.6), (0.6, 0.2)])
def test_a_doubt_grows_along_its_ramp_and_stays_between_none_and_all(ramp: tuple[float, float]) -> None:
    begin, full = ramp
    values = [begin + (full - begin) * share for share in (-5, 0, 0.25, 0.5, 1, 6)]
    assert [along(value, ramp) for value in values] == pytest.approx([0, 0, 0.25, 0.5, 1, 1])
    assert along(None, ramp) == 0.0
