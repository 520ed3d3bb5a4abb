"""Every bound of the engine in one place; the server's settings fill it in."""

from __future__ import annotations

from dataclasses import dataclass, field

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class MediaLimits:
    """What a stranger's image may be."""

    max_bytes: int = 8 * MEBIBYTE
    max_pixels: int = 50_000_000
    """Width x height by the header; checked before a pixel is decoded."""
    min_side: int = 32
    """Shorter side in pixels below which an image cannot hold a usable face."""
    photo_side: int = 1280
    """Photos are decoded at the reduced scale whose longer side is still at least this."""
    frame_pixels: int = 2_100_000
    frame_side: int = 640


@dataclass(frozen=True)
class WorkerLimits:
    """How many processes there are, what they may use, and when a queue is full."""

    decoders: int = 1
    inferrers: int = 2
    threads: int = 1
    """Threads a process computes with."""
    decoder_memory: int = 1024 * MEBIBYTE
    """Address space of a process that decodes strangers' bytes (RLIMIT_AS)."""
    inferrer_memory: int = 1536 * MEBIBYTE
    """Resident bytes above which an inference process is replaced once it is idle."""
    decode_seconds: float = 10.0
    glance_seconds: float = 5.0
    measure_seconds: float = 60.0
    queue_glances: int = 64
    queue_measures: int = 256
    queue_decodes: int = 64
    promote_seconds: float = 5.0
    """A judging job that has waited this long runs at normal priority."""
    nice: int = 10
    """Niceness of judging; together with SCHED_BATCH it yields to the server and to hints."""


@dataclass(frozen=True)
class EngineLimits:
    """All bounds of the engine."""

    media: MediaLimits = field(default_factory=MediaLimits)
    workers: WorkerLimits = field(default_factory=WorkerLimits)
