"""The bounds and the pace of a capture, as the settings give them."""

from __future__ import annotations

from dataclasses import dataclass

from renzheng.base import defaults
from renzheng.verification.policy import MAX_ACTION_SECONDS
from renzheng.verification.session import Session


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """The bounds of a capture. Each field is the setting of the same name."""

    frame_bytes: int = defaults.FRAME_BYTES
    frame_pixels: int = defaults.FRAME_PIXELS
    min_frames_per_second: float = defaults.MIN_FRAMES_PER_SECOND
    max_frames_per_second: int = defaults.MAX_FRAMES_PER_SECOND
    frames_per_attempt: int = defaults.FRAMES_PER_ATTEMPT
    round_trip_seconds: float = defaults.ROUND_TRIP_SECONDS
    hello_seconds: float = defaults.HELLO_SECONDS
    send_seconds: float = defaults.SEND_SECONDS
    idle_seconds: float = defaults.IDLE_SECONDS
    captures: int = defaults.CAPTURES
    captures_share: float = defaults.CAPTURES_SHARE
    place_seconds: float = defaults.PLACE_SECONDS
    pending_bytes: int = defaults.PENDING_BYTES
    attempt_bytes: int = defaults.ATTEMPT_BYTES
    captures_per_address: int = defaults.CAPTURES_PER_ADDRESS


@dataclass(frozen=True, slots=True)
class AttemptPace:
    """Seconds: of looking straight, for one action, for all before the first action; of the warning before the colours
    of a light challenge, and of each colour; for one action of who asked for more time; for all before the first action
    while others wait for a place."""

    neutral_seconds: float = defaults.NEUTRAL_SECONDS
    step_seconds: float = defaults.STEP_SECONDS
    ready_seconds: float = defaults.READY_SECONDS
    warning_seconds: float = defaults.LIGHT_WARNING_SECONDS
    colour_seconds: float = defaults.LIGHT_SECONDS
    eased_seconds: float = defaults.EASED_STEP_SECONDS
    crowded_ready_seconds: float = defaults.CROWDED_READY_SECONDS

    def for_one_action(self, session: Session, actions: int) -> float:
        """Return the seconds for one action: the rule's own value, or more if the person asked for more time.

        `actions`: how many actions the challenge has.
        """
        policy = session.policy
        plain = self.step_seconds if policy.step_seconds is None else policy.step_seconds
        if session.eased is None:
            return plain
        return max(plain, min(self.eased_seconds, MAX_ACTION_SECONDS / actions))


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    limits: ChannelLimits
    pace: AttemptPace
    device_grace_seconds: float = defaults.DEVICE_GRACE_SECONDS
    handover_seconds: float = defaults.HANDOVER_SECONDS
    evidence_days: float = defaults.EVIDENCE_DAYS
    result_seconds: float = 3 * 24 * 3600
    public_url: str = ""
    light_colours: int = defaults.LIGHT_COLOURS
    spared_attempts: int = defaults.SPARED_ATTEMPTS
    max_excused_attempts: int = defaults.MAX_EXCUSED_ATTEMPTS
    max_waiting: int = defaults.MAX_WAITING
