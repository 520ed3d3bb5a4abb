"""An attempt in front of the camera: times, light, frames, and how many run at once."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.base import defaults
from renzheng.base.defaults import MIB


class CaptureSection(BaseModel):
    """Read by the capture channel."""

    step_seconds: float = Field(defaults.STEP_SECONDS, ge=2, le=30, description="Seconds to do one action.")
    eased_step_seconds: float = Field(
        defaults.EASED_STEP_SECONDS,
        ge=2,
        le=30,
        description="Seconds to do one action, for a person who asked for more time or another action.",
    )
    spared_attempts: int = Field(
        defaults.SPARED_ATTEMPTS,
        ge=0,
        le=10,
        description="Attempts per token that may stop after their first action was shown without being counted: the "
        "phone was turned, the camera was lost, the network was slow, the person asked for help. They "
        "still count for the day.",
    )
    max_excused_attempts: int = Field(
        defaults.MAX_EXCUSED_ATTEMPTS,
        ge=0,
        le=10,
        description="Maximum attempts per token that are not counted because the server itself could not watch them "
        "in time, or was restarted. After that, such an attempt ends the verification with Result 1001, which is not "
        "billed.",
    )
    neutral_seconds: float = Field(
        defaults.NEUTRAL_SECONDS, ge=0.5, le=10, description="Seconds of looking straight before the first action."
    )
    ready_seconds: float = Field(
        defaults.READY_SECONDS, ge=5, le=300, description="Seconds in which an attempt must reach its first action."
    )
    crowded_ready_seconds: float = Field(
        defaults.CROWDED_READY_SECONDS,
        ge=5,
        le=300,
        description="The same while other people wait for a place; after that, the person goes to the end of the line.",
    )
    photo_wait_seconds: float = Field(
        3.0,
        ge=0,
        description="Maximum seconds that a capture waits before it starts, until the photo that came with the token "
        "is checked.",
    )
    light_colours: int = Field(
        defaults.LIGHT_COLOURS,
        ge=7,
        le=12,
        description="Number of colours that the page shows if a rule asks for the light challenge.",
    )
    light_seconds: float = Field(
        defaults.LIGHT_SECONDS,
        ge=0.35,
        le=2,
        description="Seconds that each colour stays; below 0.35, a screen would change more than three times per "
        "second.",
    )
    light_warning_seconds: float = Field(
        defaults.LIGHT_WARNING_SECONDS, ge=1, le=4, description="Seconds of warning before the first colour."
    )
    captures: int = Field(
        defaults.CAPTURES,
        ge=1,
        description="Maximum attempts in progress at once, whatever the server measures of its capacity; an open page "
        "takes no place.",
    )
    captures_share: float = Field(
        defaults.CAPTURES_SHARE,
        gt=0,
        le=1,
        description="Share of these places that one account may use while it is alone. While others are active it "
        "may use less, by as many places as they use, so that some are left for an account that has "
        "none.",
    )
    place_seconds: float = Field(
        defaults.PLACE_SECONDS,
        ge=0,
        description="Maximum seconds that a person who starts waits for a place; if the wait would be longer, the "
        "socket is closed with 4503 at once.",
    )
    max_waiting: int = Field(
        defaults.MAX_WAITING,
        ge=1,
        description="Maximum people who wait for a place; the others are told to come later.",
    )
    min_looks_per_second: float = Field(
        defaults.MIN_LOOKS_PER_SECOND,
        ge=2,
        le=30,
        description="Frames per second that the server must be able to look at for each attempt; this limits how many "
        "attempts it admits at once.",
    )
    max_verdict_seconds: float = Field(
        defaults.MAX_VERDICT_SECONDS,
        gt=0,
        description="Maximum seconds that a person should wait for the verdict; a person who would wait longer is not "
        "admitted.",
    )
    captures_per_address: int = Field(
        defaults.CAPTURES_PER_ADDRESS,
        ge=1,
        description="Maximum capture sockets open at once from one address (IPv6: one /64).",
    )
    frame_bytes: int = Field(defaults.FRAME_BYTES, ge=16 * 1024, description="Largest frame, bytes.")
    frame_pixels: int = Field(defaults.FRAME_PIXELS, ge=160 * 120, description="Largest frame, pixels.")
    min_frames_per_second: float = Field(
        defaults.MIN_FRAMES_PER_SECOND, ge=1, description="Frames per second below which nothing is counted."
    )
    max_frames_per_second: int = Field(
        defaults.MAX_FRAMES_PER_SECOND, ge=4, le=60, description="Maximum frames per second that are stored."
    )
    frames_per_attempt: int = Field(
        defaults.FRAMES_PER_ATTEMPT, ge=30, description="Maximum frames stored per attempt."
    )
    attempt_bytes: int = Field(
        defaults.ATTEMPT_BYTES, ge=4 * MIB, description="Maximum bytes of frames stored per attempt."
    )
    pending_bytes: int = Field(
        defaults.PENDING_BYTES,
        ge=2 * MIB,
        description="Maximum bytes of frames that one device's socket holds before they are stored; more frames are "
        "dropped.",
    )
    round_trip_seconds: float = Field(
        defaults.ROUND_TRIP_SECONDS, gt=0, description="Round trip, seconds, above which nothing is counted."
    )
    hello_seconds: float = Field(defaults.HELLO_SECONDS, gt=0, description="Seconds in which a socket must send hello.")
    send_seconds: float = Field(
        defaults.SEND_SECONDS, gt=0, description="Seconds in which a device must receive what the server sends."
    )
    idle_seconds: float = Field(
        defaults.IDLE_SECONDS, gt=0, description="Seconds of silence before a socket is closed."
    )
    device_grace_seconds: float = Field(
        defaults.DEVICE_GRACE_SECONDS,
        ge=0,
        description="Seconds that a token stays reserved for a device that went silent.",
    )
    handover_seconds: float = Field(
        defaults.HANDOVER_SECONDS, gt=0, description="Seconds that a hand-over code is valid."
    )
