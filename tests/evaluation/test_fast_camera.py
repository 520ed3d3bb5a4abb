"""A camera that films faster than frames are stored: what is kept of it is judged as a slow camera's frames are."""

from __future__ import annotations

import random

import pytest

from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.intake import Intake
from renzheng.capture.messages import FrameMessage
from renzheng.capture.sight import FrameHead
from renzheng.engine.judging import measure
from renzheng.engine.measurement import Frame
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.trials import as_jpeg

ASKED = (("neutral", 1.2), ("blink", 2.0), ("turn_left", 2.8))
"""Actions, and seconds in which each is on the screen."""
MAX_LATE = 0.012
"""Seconds by which a frame may arrive late."""


def stored(puppet: Puppet, fps: int) -> list[Frame]:
    """What the server keeps of a head that is filmed so fast."""
    scene, intake = Performance(puppet, seed=3), Intake(ChannelLimits())
    intake.new_attempt()
    intake.keeping = True
    late, begins, sequence = random.Random(fps), 0.0, 0
    for step, (action, seconds) in enumerate(ASKED):
        nonce = bytes([step]) * 16
        intake.expect(step, nonce, begins + seconds + 1)
        for number in range(int(seconds * fps)):
            at, sequence = number / fps, sequence + 1
            sent = FrameMessage(nonce, sequence, as_jpeg(scene.frame(action, at)))
            intake.take(sent, lambda jpeg: FrameHead(640, 480), begins + at + late.uniform(0, MAX_LATE))
        begins += seconds
    return [Frame(jpeg, record.step, ASKED[record.step][0], record.received_at) for record, jpeg in intake.pending]


@pytest.mark.stress
@pytest.mark.overload
@pytest.mark.parametrize("fps", [24, 30])
def test_a_head_before_a_fast_camera_is_judged_as_alive(puppet: Puppet, engine: FaceModels, fps: int) -> None:
    frames = stored(puppet, fps)
    assert len(frames) < 0.8 * fps * sum(seconds for _, seconds in ASKED)
    found = measure(frames, None, engine)
    assert found.challenge_passed, found.actions
    assert found.continuity is not None
    assert found.continuity.passed, found.continuity
    assert found.depth is not None
    assert found.depth.passed, found.depth
    assert found.doubt is not None
    assert found.doubt.passed, found.doubt
