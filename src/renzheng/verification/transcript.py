"""Checks whether an attempt's frames answer it: each under its step's nonce, in that step's time, in order.

A recording of an earlier verification, or one made before the questions were known, has other nonces or times, however
good its pictures are. This looks at no picture.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from itertools import pairwise

from renzheng.verification.session import FrameRecord, StepRecord


class TranscriptFault(enum.StrEnum):
    """What is wrong with a transcript."""

    NO_FRAMES = "no_frames"  # a step without a frame
    STEPS = "steps"  # steps that the challenge does not have, wrong order, or one nonce for two steps
    UNKNOWN_STEP = "unknown_step"  # a frame of a step that was never shown
    NONCE = "nonce"  # a frame with another nonce than its step's
    EARLY = "early"  # a frame from before its step was shown
    LATE = "late"  # a frame from after its step's time, or after the next step was shown
    ORDER = "order"  # a frame whose sequence, step or time decreases
    SEEN = "seen"  # frames of another verification of the account, or of an earlier attempt


def faults(
    actions: Sequence[str], steps: Sequence[StepRecord], frames: Sequence[FrameRecord]
) -> tuple[TranscriptFault, ...]:
    """Return what is wrong, each fault once; empty if the transcript is valid.

    `actions`: those of the challenge, without the neutral second before them. `frames`: in the order in which they were
    taken. Times are of one clock.
    """
    found = set[TranscriptFault]()
    if not _are_asked(actions, steps):
        found.add(TranscriptFault.STEPS)
    if not frames or {frame.step for frame in frames} != {step.index for step in steps}:
        found.add(TranscriptFault.NO_FRAMES)
    by_index = {step.index: step for step in steps}
    until = {step.index: min(step.deadline, later.revealed_at) for step, later in pairwise(steps)}
    for frame in frames:
        step = by_index.get(frame.step)
        if step is None:
            found.add(TranscriptFault.UNKNOWN_STEP)
            continue
        if frame.nonce != step.nonce:
            found.add(TranscriptFault.NONCE)
        if frame.received_at < step.revealed_at:
            found.add(TranscriptFault.EARLY)
        if frame.received_at > until.get(step.index, step.deadline):
            found.add(TranscriptFault.LATE)
    for one, next_one in pairwise(frames):
        if next_one.sequence <= one.sequence or next_one.step < one.step or next_one.received_at < one.received_at:
            found.add(TranscriptFault.ORDER)
    return tuple(fault for fault in TranscriptFault if fault in found)


def _are_asked(actions: Sequence[str], steps: Sequence[StepRecord]) -> bool:
    """Return whether these are the neutral second and then the challenge's actions, each shown after the one before."""
    in_order = all(later.revealed_at >= step.revealed_at for step, later in pairwise(steps))
    indexes = [step.index for step in steps] == list(range(len(actions) + 1))
    asked = [step.action for step in steps[1:]] == list(actions)
    return in_order and indexes and asked and len({step.nonce for step in steps}) == len(steps)
