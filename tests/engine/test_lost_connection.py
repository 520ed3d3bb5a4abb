"""Time without a face counts, time without frames does not: a lost connection is not the person's doing."""

from __future__ import annotations

import pytest

from renzheng.engine.continuity import Moment, Picture, without_face
from renzheng.engine.liveness import Glance

FACE = Glance(640, 480, faces=1, box=(200.0, 100.0, 150.0, 190.0))
NOBODY = Glance(640, 480)


def frames(*times: float, glance: Glance = FACE) -> list[Moment]:
    return [Moment(at, glance, Picture(str(at).encode())) for at in times]


def test_frames_without_a_face_count_from_the_last_face_to_the_next() -> None:
    seen = frames(0.0, 0.1) + frames(0.2, 0.6, 1.0, 1.4, glance=NOBODY) + frames(1.5, 1.6)
    assert without_face(seen, 1.0) == pytest.approx(1.4)


def test_the_silence_of_a_lost_connection_does_not_count() -> None:
    assert without_face(frames(0.0, 0.1, 3.4, 3.5), 1.0) == pytest.approx(0.1)


def test_a_silence_does_not_hide_the_faceless_frames_around_it() -> None:
    seen = frames(0.0) + frames(0.6, 1.2, glance=NOBODY) + frames(4.0, 4.6, glance=NOBODY) + frames(5.2)
    assert without_face(seen, 1.0) == pytest.approx(2.4)
