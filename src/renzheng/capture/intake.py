"""Decides which of a device's frames count, and where they go: to be looked at, to be stored, or nowhere.

It knows no socket and reads no clock. An intake lives as long as its socket and serves all of its attempts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.messages import Close, ClosingError, FrameMessage
from renzheng.capture.sight import FrameHead
from renzheng.capture.watching import Missed
from renzheng.verification.session import FrameRecord

ReadHead = Callable[[bytes], FrameHead | None]
"""Returns what a JPEG's header says; None if it has no header."""

HeldFrame = tuple[FrameRecord, bytes]

ROUNDING = 1e-6
"""Tolerance in frames, so that rounding makes a camera at exactly the allowed rate lose none."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest frame of the current step, and when the server received it. `missed`: the frames between the last one
    that was taken to be looked at and this one."""

    jpeg: bytes
    step: int
    at: float
    missed: Missed


class _Pace:
    """Limits how many frames count: `most` per second in the long run, and a burst of one second's worth after a stall.

    If a camera is faster, every second or third frame counts. Counting all frames until the second's share is used up
    would leave part of each second unseen, and a blink with it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = float(most)
        self._at = 0.0

    def has_room(self, now: float) -> bool:
        self._left = min(self._most, self._left + self._most * max(0.0, now - self._at))
        self._at = now
        return self._left >= 1 - ROUNDING

    def count(self) -> None:
        self._left -= 1


class Intake:
    """Accepts the frames that carry the current step's nonce. All of them go into `pending`, to be stored; the newest
    one can be taken to be looked at.

    Before the neutral second is known, frames wait in `early`; those that turn out to belong to it are stored. An
    unknown nonce ends the socket of a new device. A frame with an older nonce is dropped.
    """

    def __init__(self, limits: ChannelLimits) -> None:
        self._limits = limits
        self._pace = _Pace(limits.max_frames_per_second)
        self._times: deque[float] = deque()
        self._nonces: dict[bytes, int] = {}
        self._step: int | None = None
        self._until = 0.0
        self._newest: Newest | None = None
        self._last_sequence = -1
        self._is_tall: bool | None = None
        self._kept = self._kept_bytes = self._held_bytes = 0
        self._early: deque[HeldFrame] = deque()
        self.keeping = False
        self.is_behind = False
        """Whether a frame was dropped because the disk is too slow."""
        self.pending: list[HeldFrame] = []
        self.came_back = False
        """Whether the device was here before: it may still send frames of an attempt that no longer exists."""

    def new_attempt(self, kept: int = 0, last_sequence: int = -1, kept_bytes: int = 0) -> None:
        """Prepare for a new attempt. Older nonces stay known, so that late frames do no harm, but none of them counts.

        `kept`, `last_sequence`, `kept_bytes`: describe the attempt's frames that are already stored.
        """
        self._nonces = dict.fromkeys(self._nonces, -1)
        self._step = self._newest = self._is_tall = None
        self._last_sequence = last_sequence
        self._kept, self._kept_bytes = kept, kept_bytes
        self.keeping = self.is_behind = False
        while self._early:
            self._forget_early()

    def remember(self, nonce: bytes) -> None:
        """Note a nonce that was shown on an earlier socket of this attempt: known, but not current."""
        self._nonces.setdefault(nonce, -1)

    def expect(self, step: int, nonce: bytes, until: float) -> None:
        """Count only frames with this nonce from now on, until the step's deadline."""
        self._until = until
        self._nonces[nonce] = step
        self._step = step
        self._newest = None

    def expect_nothing(self) -> None:
        """Count no frames from now on."""
        self._step = None

    def take(self, frame: FrameMessage, read_head: ReadHead, now: float) -> bool:
        """Take a frame if it counts. Returns True if the phone was turned, so that earlier measurements no longer fit.

        A frame that does not count is dropped before its picture is read. Raises ClosingError for what the protocol
        forbids.
        """
        step = self._nonces.get(frame.nonce)
        if step is None and self.came_back:
            return False
        if step is None:
            raise ClosingError(Close.UNKNOWN_NONCE)
        if step != self._step or frame.sequence <= self._last_sequence or now > self._until:
            return False
        while self._times and self._times[0] <= now - 1:
            self._times.popleft()
        if not self._pace.has_room(now):
            return False
        if self.keeping and self._held_bytes + len(frame.jpeg) > self._limits.pending_bytes:
            self.is_behind = True
            return False  # a frame that cannot be stored does not count
        head = self._check(read_head(frame.jpeg))
        if head.width != head.height:
            if self._is_tall is not None and self._is_tall != (head.height > head.width):
                return True
            self._is_tall = head.height > head.width
        self._pace.count()
        self._times.append(now)
        self._last_sequence = frame.sequence
        self._newest = Newest(frame.jpeg, step, now, self.waiting)
        record = FrameRecord(frame.sequence, step, frame.nonce, now, hashlib.sha256(frame.jpeg).digest())
        if self.keeping:
            self._keep(record, frame.jpeg)
        else:
            self._hold(record, frame.jpeg)
        return False

    def _check(self, head: FrameHead | None) -> FrameHead:
        if head is None:
            raise ClosingError(Close.MALFORMED, "a frame that is not a JPEG")
        if head.progressive:
            # Each of its scans is a pass over the whole picture, and no browser writes one from a canvas.
            detail = "a progressive JPEG; send baseline ones, as a browser's canvas makes them"
            raise ClosingError(Close.MALFORMED, detail)
        if head.width * head.height > self._limits.frame_pixels:
            raise ClosingError(Close.TOO_LARGE, f"a frame of more than {self._limits.frame_pixels} pixels")
        return head

    # -- frames to be looked at --

    @property
    def waiting(self) -> Missed:
        """Frames of the current step that arrived and were not taken to be looked at."""
        newest = self._newest
        return Missed() if newest is None else newest.missed + Missed(1, newest.at)

    def take_newest(self) -> Newest | None:
        """Return the newest frame; None if it was taken before."""
        newest, self._newest = self._newest, None
        return newest

    def frames_per_second(self, now: float) -> int:
        """Frames that counted within the last second."""
        return sum(1 for at in self._times if at > now - 1)

    # -- frames to be stored --

    def take_pending(self) -> list[HeldFrame]:
        """Return all frames that wait to be stored. They count as held until `let_go`."""
        batch, self.pending = self.pending, []
        return batch

    def let_go(self, frames: Sequence[HeldFrame]) -> None:
        """Release frames that are stored or given up."""
        self._held_bytes -= sum(len(jpeg) for _, jpeg in frames)

    def drop_early(self, at: float, itself: bool = False) -> None:
        """Drop held frames of before the neutral second that arrived before `at`. `itself`: also the one that arrived
        at it."""
        while self._early and (self._early[0][0].received_at < at or (itself and self._early[0][0].received_at == at)):
            self._forget_early()

    def keep_early(self) -> None:
        """End the neutral second: the held frames belong to it, and all later frames are stored."""
        self.keeping = True
        while self._early:
            record, jpeg = self._early[0]
            self._forget_early()
            self._keep(record, jpeg)

    def _keep(self, record: FrameRecord, jpeg: bytes) -> None:
        """Queue a frame to be stored, within the attempt's bounds."""
        fits = self._kept_bytes + len(jpeg) <= self._limits.attempt_bytes
        if self._kept < self._limits.frames_per_attempt and fits:
            self._kept += 1
            self._kept_bytes += len(jpeg)
            self._held_bytes += len(jpeg)
            self.pending.append((record, jpeg))

    def _hold(self, record: FrameRecord, jpeg: bytes) -> None:
        """Hold a frame while the neutral second is not known. The oldest ones are dropped when memory runs out."""
        self._early.append((record, jpeg))
        self._held_bytes += len(jpeg)
        while self._early and self._held_bytes > self._limits.pending_bytes:
            self._forget_early()

    def _forget_early(self) -> None:
        self._held_bytes -= len(self._early.popleft()[1])
