"""What the server's channel notices during capture: whether the asked action was seen, live."""

from __future__ import annotations

from renzheng.engine.frames import measure_frame
from renzheng.engine.judging import decode_frame
from renzheng.engine.limits import MediaLimits
from renzheng.engine.liveness import NEUTRAL, ActionWatcher, Baseline, Glance
from renzheng.engine.observation import FaceModels


class SimulatedChannel:
    """Looks at the frames of one clip like the channel: each by itself, with the live thresholds.

    A step continues until its action has been noticed or its time is over. The person, who sees that it continues,
    repeats the action more clearly.
    """

    def __init__(self, engine: FaceModels) -> None:
        self._engine = engine
        self._media = MediaLimits()
        self._neutral: list[Glance] = []
        self._watcher: ActionWatcher | None = None
        self._step = -1
        self._seen = 0

    def noticed(self, step: int, action: str, shots: list[tuple[float, bytes]]) -> bool:
        """Return whether the frames of a step so far, (seconds, JPEG) each, show that it is done."""
        if step != self._step:
            baseline = Baseline.from_glances(self._neutral)
            self._watcher = ActionWatcher(action, baseline) if baseline and action != NEUTRAL else None
            self._step, self._seen = step, 0
        done = False
        for at, jpeg in shots[self._seen :]:
            image = decode_frame(jpeg, self._media)
            if image is None:
                continue
            glance = measure_frame(image, action, self._engine).glance
            if action == NEUTRAL:
                self._neutral.append(glance)
            elif self._watcher is not None:
                done = self._watcher.feed(glance, at)
        self._seen = len(shots)
        return done or action == NEUTRAL
