"""What was measured of an attempt's frames while they came, kept so that the judge need not measure them again.

Only a saving: a frame without it is measured at judging, with the same numbers, and a server that stops meanwhile
loses nothing but the time.
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
    """By the digest of the frame, the newest ``most`` at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_digest: dict[bytes, bytes] = {}

    def note(self, jpeg: bytes, measured: bytes) -> None:
        """One frame's, as the engine wrote it. What comes before the frames that are kept falls out first."""
        self._by_digest[hashlib.sha256(jpeg).digest()] = measured
        while len(self._by_digest) > self._most:
            del self._by_digest[next(iter(self._by_digest))]

    async def keep(self, sessions: MeasurementKeeper, session_id: int, attempt: int) -> None:
        """Hand over what there is. A failure costs the judge its time, and ends nobody's attempt."""
        try:
            await sessions.keep_measured(session_id, attempt, self._by_digest)
        except UnavailableError as error:
            log.warning("measured_not_kept", session=session_id, why=str(error))
        except Exception:
            log.exception("measured_not_kept", session=session_id)
