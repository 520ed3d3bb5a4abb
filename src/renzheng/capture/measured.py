"""Measurements of an attempt's frames, made while they arrived and kept so that the judge need not repeat them.

This only saves time: the judge measures a frame without one, with the same numbers.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import structlog

from renzheng.base.unavailable import UnavailableError

log = structlog.get_logger("renzheng.capture")


class MeasurementKeeper(Protocol):
    async def keep_measured(self, session_id: int, attempt: int, measured: dict[bytes, bytes]) -> None: ...


class FrameMeasurements:
    """Measurements by the digest of the frame: the newest ``most`` ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_digest: dict[bytes, bytes] = {}

    def note(self, jpeg: bytes, measured: bytes) -> None:
        """Keep the measurement of one frame, as the engine wrote it. The oldest one is dropped if there is no room."""
        self._by_digest[hashlib.sha256(jpeg).digest()] = measured
        while len(self._by_digest) > self._most:
            del self._by_digest[next(iter(self._by_digest))]

    async def keep(self, sessions: MeasurementKeeper, session_id: int, attempt: int) -> None:
        """Store the measurements for the judge. If that fails, the judge measures again; the attempt is not
        affected."""
        try:
            await sessions.keep_measured(session_id, attempt, self._by_digest)
        except UnavailableError as error:
            log.warning("measured_not_kept", session=session_id, why=str(error))
        except Exception:
            log.exception("measured_not_kept", session=session_id)
