"""Which attempts of a token count, within its budgets, and what the person may still ask for."""

from __future__ import annotations

import structlog

from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.effects import End
from renzheng.capture.parts import ChannelParts
from renzheng.verification.session import Attempt, EndReason, Session, State

FAULTLESS = frozenset({End.TURNED, End.CAMERA, End.EASED, End.SLOW_LINE})
"""Ends that are not the person's fault. They are spared within the token's budget; `SERVER` has a budget of its own."""

log = structlog.get_logger("renzheng.capture")


class Allowances:
    """Spares and excuses attempts, and eases the coming ones. Each has a budget per token, kept in the store."""

    def __init__(self, parts: ChannelParts, settings: ChannelSettings) -> None:
        self._parts = parts
        self._settings = settings

    async def settle(self, attempt: Attempt, end: End) -> bool:
        """Return whether an ended attempt counts, after it was spared or excused if it can be.

        Its end alone does not tell: another socket may have had the attempt.
        """
        known = await self._parts.sessions.attempt(attempt.session_id, attempt.number)
        if known is None or not known.counts:
            return False
        if end is End.SERVER:
            return not await self.excuse(attempt)
        if end not in FAULTLESS:
            return True
        most = self._settings.spared_attempts
        return not await self._parts.sessions.spare(attempt.session_id, attempt.number, most)

    async def excuse(self, attempt: Attempt) -> bool:
        """Give back an attempt that the server could not watch. False if the token has used up its excused attempts."""
        most = self._settings.max_excused_attempts
        excused = await self._parts.sessions.excuse(attempt.session_id, attempt.number, most)
        self._parts.counter.step("excused" if excused else "not_excused")
        log.warning("attempt_unwatched", session=attempt.session_id, attempt=attempt.number, excused=excused)
        return excused

    async def excuse_cut_off(self, session: Session, came_from: int | None) -> bool:
        """Return whether a stop of the server ended the attempt that this device left, and the attempt was given back.

        `came_from`: the node at which the device was before.
        """
        if session.state is not State.CAPTURING:
            return False
        attempt = await self._parts.sessions.attempt(session.id, session.attempt)
        if attempt is None or not attempt.counts or attempt.current is None:
            return False
        had_time = (session.device_seen or 0.0) < attempt.current.deadline
        return (attempt.unwatched or (had_time and await self.is_gone(came_from))) and await self.excuse(attempt)

    async def is_gone(self, node: int | None) -> bool:
        """Return whether the node that a device came from is gone or stands still; False if it came from none."""
        return node is not None and await self._parts.nodes.is_gone(node)

    async def ease(self, session_id: int, action: str) -> None:
        """Ease the coming attempts, once per token. A second request changes nothing."""
        if await self._parts.sessions.ease(session_id, action):
            self._parts.counter.step("eased")

    def can_ease(self, session: Session) -> bool:
        """Return whether the person can still ask for more time and another action without ending the verification."""
        spare = session.spared < self._settings.spared_attempts
        return session.eased is None and (spare or session.attempts_left(session.policy.attempts) > 1)

    async def ending(self, session: Session) -> EndReason:
        """Return the reason with which a session without attempts left is judged."""
        attempt = await self._parts.sessions.attempt(session.id, session.attempt)
        return EndReason.SERVER_LOST if attempt is not None and attempt.is_server_fault else EndReason.ATTEMPTS_USED
