"""The processes that decode, measure and judge."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.base import defaults
from renzheng.base.defaults import MIB
from renzheng.settings.kinds import Folder, RayAddress


class EngineSection(BaseModel):
    """Read by the engine and its processes."""

    engine: RayAddress = Field(
        "",
        description="Where verifications are judged: empty means processes of this machine; ray://host:port is the "
        "client port of a Ray cluster on which the engine is deployed. RENZHENG_JUDGE_PROCESSES is then the number "
        "of verifications that this process sends at once.",
    )
    engine_seconds: float = Field(
        180,
        gt=0,
        description="Seconds to wait for an answer of the Ray cluster, including its queue; after that, the "
        "verification is judged again.",
    )
    engine_replicas: int = Field(
        1, ge=1, description="Replicas that `renzheng engine deploy` starts on the Ray cluster; each takes one CPU."
    )
    models_dir: Folder | None = Field(None, description="Folder of the model packs; unset: a cache of the user.")
    photo_pixels: int = Field(
        defaults.PHOTO_PIXELS, ge=1_000_000, description="Largest photo, pixels, as its header says."
    )
    decode_processes: int = Field(
        defaults.DECODE_PROCESSES, ge=1, description="Processes that decode images from outside."
    )
    hint_processes: int = Field(defaults.HINT_PROCESSES, ge=1, description="Processes that measure frames for hints.")
    judge_processes: int = Field(defaults.JUDGE_PROCESSES, ge=1, description="Processes that judge, at low priority.")
    mux_processes: int = Field(
        defaults.MUX_PROCESSES,
        ge=1,
        description="Processes that make evidence videos; as many videos are made at once.",
    )
    video_wait_seconds: float = Field(
        defaults.VIDEO_WAIT_SECONDS,
        ge=0,
        description="Seconds that GetFaceIdResult waits for a video. After that it returns null, and a later call "
        "gets the video.",
    )
    decode_memory: int = Field(
        defaults.DECODE_MEMORY, ge=256 * MIB, description="Maximum memory of a decoding process, bytes."
    )
    decode_seconds: float = Field(defaults.DECODE_SECONDS, gt=0, description="Seconds to decode one image.")
    attempt_decode_seconds: float = Field(
        defaults.ATTEMPT_DECODE_SECONDS,
        gt=0,
        description="CPU seconds to decode the frames of one attempt; the frames after that count as undecodable.",
    )
    judge_seconds: float = Field(defaults.JUDGE_SECONDS, gt=0, description="Seconds to measure one verification.")
    hint_queue: int = Field(
        defaults.HINT_QUEUE, ge=1, description="Maximum frames that wait for a hint; more are skipped."
    )
    judge_queue: int = Field(
        defaults.JUDGE_QUEUE,
        ge=1,
        description="Maximum verifications that wait inside the engine; others wait in the store.",
    )
    judge_raise_seconds: float = Field(
        defaults.JUDGE_RAISE_SECONDS, ge=0, description="Seconds after which a waiting job gets normal priority."
    )
