"""One socket's visit to the capture channel: ties it to its session, and runs attempts until there is an outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from starlette.websockets import WebSocket

from renzheng.capture.allowances import Allowances
from renzheng.capture.asking import steps_of_next_attempt
from renzheng.capture.attempt import AttemptRunner, DayUsedUpError
from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.effects import End
from renzheng.capture.entry import Entry, Guest
from renzheng.capture.handover import Handing
from renzheng.capture.messages import (
    Cancel,
    Close,
    ClosingError,
    Ease,
    Handover,
    Message,
    Note,
    Restart,
    Start,
)
from renzheng.capture.parts import ChannelParts
from renzheng.capture.places import NoPlaceError, Patience, Place, Places, QueuePosition
from renzheng.capture.socket import DeviceSocket
from renzheng.verification.session import FINISHED, Attempt, EndReason, Session, State

MAX_HEARTBEAT_SECONDS = 3.0
MIN_HEARTBEAT_SECONDS = 0.3

SPARE_SECONDS = 15.0
"""Seconds that an attempt needs beside its actions, for the round trip and the neutral face."""


class Sockets(Protocol):
    """The sockets that are open in this process, by session, as a visit needs them from its channel."""

    def entered(self, session_id: int, visit: Visit) -> Visit | None: ...
    def left(self, session_id: int, visit: Visit) -> None: ...
    def is_open(self, session_id: int) -> bool: ...
    def moved(self, session_id: int) -> None: ...


class Visit:
    """One socket's visit: hello, claim, attempts, outcome."""

    def __init__(
        self,
        sockets: Sockets,
        places: Places,
        parts: ChannelParts,
        settings: ChannelSettings,
        websocket: WebSocket,
        device: DeviceSocket,
    ) -> None:
        self._sockets = sockets
        self._places = places
        self._parts = parts
        self._settings = settings
        self._websocket = websocket
        self._device = device
        self._session: Session | None = None
        self._guest: Guest | None = None
        self._running: AttemptRunner | None = None
        self._is_waiting = False
        self._was_unwatched = False
        self._last_action = ""
        self._handover = Handing(parts, settings, websocket)
        self._allowances = Allowances(parts, settings)
        self._socket = int.from_bytes(parts.entropy(8), "big") >> 2
        self._came_from: int | None = None
        self._is_stirred = asyncio.Event()

    async def run(self) -> Close:
        """Run the visit, and return the close code of its normal end. Raises ClosingError and DeviceGoneError
        otherwise."""
        stay = asyncio.create_task(self._stay())
        others = [
            asyncio.create_task(self._device.read(self._parts.lookout.head, self._intercept)),
            asyncio.create_task(self._keep_claim()),
        ]
        try:
            await asyncio.wait([stay, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in [*others, stay]:
                if task.done() and (error := task.exception()):
                    raise error
            return stay.result()
        finally:
            for task in [stay, *others]:
                task.cancel()
            await asyncio.gather(stay, *others, return_exceptions=True)

    async def leave(self) -> None:
        """Start the grace period, after which another device may have the session."""
        if (guest := self._guest) is not None:
            self._sockets.left(guest.session.id, self)
            with contextlib.suppress(Exception):
                now = self._parts.clock()
                await self._parts.sessions.touch_device(guest.session.id, guest.secret, now, self._socket)

    async def _keep_claim(self) -> None:
        """Send a heartbeat every few seconds. Raises ClosingError if another device has taken over."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._is_stirred.wait()
            self._is_stirred.clear()
            if (guest := self._guest) is None:
                continue
            now = self._parts.clock()
            if not await self._parts.sessions.touch_device(guest.session.id, guest.secret, now, self._socket):
                raise ClosingError(Close.TAKEN_OVER)
            self._sockets.entered(guest.session.id, self)  # if two came at once, the row says which one has it

    @property
    def _heartbeat_seconds(self) -> float:
        """A third of the grace period, so that another process does not take the device for gone."""
        return min(MAX_HEARTBEAT_SECONDS, max(MIN_HEARTBEAT_SECONDS, self._settings.device_grace_seconds / 3))

    # -- the whole visit --

    async def _stay(self) -> Close:
        session, attempt = await self._enter()
        self._parts.counter.step("opened")
        if session.state is State.JUDGING or session.state in FINISHED:
            if (close := await self._outcome()) is not None:
                return close
            session, attempt = await self._reload(), None
        while True:
            if attempt is None:
                if session.attempts_left(session.policy.attempts) == 0:
                    return await self._finish(session, session.attempt, await self._allowances.ending(session))
                start = asyncio.create_task(self._wait_for_start(session))
                if await self._parts.photos.beside(session, start):
                    return await self._refuse_photo(session)
                session = start.result()
            try:
                async with self._place(session, has_begun=attempt is not None) as place:
                    attempt = attempt or await self._begin(session)
                    if attempt is not None:
                        end = await self._run_attempt(session, attempt)
                        place.keeps_turn = end is not End.NOT_READY
            except DayUsedUpError:
                assert attempt is not None
                return await self._finish(session, attempt.number, EndReason.TOO_MANY_TODAY)
            if attempt is None:
                return await self._final_close()
            if end is End.COMPLETED:
                await self._hand_over_to_judging(session.id, attempt.number, EndReason.COMPLETED)
                if (close := await self._outcome()) is not None:
                    return close
                session, attempt = await self._reload(), None
                continue
            if end is End.TIMEOUT and (attempt.unwatched or await self._allowances.is_gone(self._came_from)):
                end = End.SERVER  # a restart of the server took time from it
            self._came_from = None
            if end is End.EASED:
                await self._allowances.ease(session.id, self._last_action)
            counted = await self._allowances.settle(attempt, end)
            session = await self._reload()
            self._parts.counter.step("attempt_over", str(end))
            if counted and end is End.SERVER:
                return await self._finish(session, attempt.number, EndReason.SERVER_LOST)
            if left := session.attempts_left(session.policy.attempts):
                await self._device.send(
                    "attempt_over",
                    reason=str(end),
                    counted=counted,
                    attempts_left=left,
                    eases=self._allowances.can_ease(session),
                )
            attempt = None

    @contextlib.asynccontextmanager
    async def _place(self, session: Session, has_begun: bool) -> AsyncIterator[Place]:
        """Hold a place for an attempt once it is this session's turn. Raises ClosingError if that would be too late."""
        self._is_waiting = self._device.waits = True
        try:
            async with self._places.place(
                session.id, session.account_id, lambda: self._patience(session), self._tell_turn, has_begun
            ) as place:
                self._is_waiting = False
                yield place
        except NoPlaceError as error:
            self._parts.counter.step("refused", "no_time" if error.too_late else "full")
            raise ClosingError(Close.NO_TIME if error.too_late else Close.FULL) from None
        finally:
            self._is_waiting = self._device.waits = False

    def _patience(self, session: Session) -> Patience:
        """Compute the longest useful wait: the rest of the token's life must be enough for an attempt."""
        pace = self._settings.pace
        actions, _ = session.policy.next_challenge(session.challenges_shown, session.eased)
        needed = SPARE_SECONDS + pace.neutral_seconds + actions * pace.for_one_action(session, actions)
        own, most = session.expires_at - self._parts.clock() - needed, self._settings.limits.place_seconds
        return Patience(min(own, most), own < most)

    async def _tell_turn(self, turn: QueuePosition) -> None:
        await self._device.send("wait", position=turn.position, seconds=round(turn.seconds))

    async def _enter(self) -> tuple[Session, Attempt | None]:
        """Let the device in. Returns the session, and the attempt that goes on. Raises ClosingError if it may not
        enter."""
        entry = Entry(self._parts, self._settings, self._websocket, self._device, self._sockets.is_open, self._socket)
        guest = self._guest = await entry.let_in()
        self._session = guest.session
        if guest.session.node not in (None, self._parts.nodes.number):
            self._came_from = guest.session.node
            self._sockets.moved(guest.session.id)
        if (before := self._sockets.entered(guest.session.id, self)) is not None and before is not self:
            before.look()
        attempt = await entry.attempt_under_way(guest.session) if guest.is_same else None
        if attempt is None and await self._allowances.excuse_cut_off(guest.session, self._came_from):
            guest.session = await self._reload()
        self._device.welcomed = True
        state = "capturing" if attempt else "ready" if guest.is_capturable else str(guest.session.state)
        eases = self._allowances.can_ease(guest.session)
        await entry.welcome(guest, state, is_loopback=self._handover.is_loopback, eases=eases)
        return guest.session, attempt

    def look(self) -> None:
        """Check at once whether another socket has this session now."""
        self._is_stirred.set()

    # -- attempts --

    async def _wait_for_start(self, session: Session) -> Session:
        """Wait for the person to start. Raises ClosingError when the token's life ends."""
        try:
            async with asyncio.timeout(max(0.0, session.expires_at - self._parts.clock())):
                while not isinstance(await self._device.message(), Start):
                    pass
        except TimeoutError:
            raise ClosingError(Close.EXPIRED) from None
        self._device.waits = True  # until the attempt runs: for the look at the photo, a place, the store
        return await self._reload()

    async def _begin(self, session: Session) -> Attempt | None:
        """Open a new attempt with a new challenge. If the day's attempts are used up, hand that to judging and return
        None."""
        parts, policy, now = self._parts, session.policy, self._parts.clock()
        used_up = (
            bool(policy.attempts_a_day)
            and session.id_hash is not None
            and await parts.sessions.attempts_today(session.account_id, session.id_hash, parts.day(now))
            >= policy.attempts_a_day
        )
        actions: tuple[str, ...] = ()
        if not used_up:
            colours = self._settings.light_colours
            actions = await steps_of_next_attempt(session, parts.sessions, parts.entropy, colours)
        number = await self._open_attempt(session, actions, now)
        if used_up:
            await self._hand_over_to_judging(session.id, number, EndReason.TOO_MANY_TODAY)
            return None
        parts.counter.step("started")
        return Attempt(session.id, number, now, actions)

    async def _refuse_photo(self, session: Session) -> Close:
        """End a session whose photo cannot be compared with: nothing is captured, and nothing billed."""
        number = await self._open_attempt(session, (), self._parts.clock())
        return await self._finish(session, number, EndReason.PHOTO_UNUSABLE)

    async def _open_attempt(self, session: Session, actions: tuple[str, ...], now: float) -> int:
        """Open an attempt and return its number. Raises ClosingError if another socket has the session or the token is
        dead."""
        number = await self._parts.sessions.begin_attempt(session.id, session.attempt, actions, now, self._socket)
        if number is None:
            raise ClosingError(Close.TAKEN_OVER if session.alive(now) else Close.EXPIRED)
        self._session = replace(session, attempt=number)
        return number

    async def _run_attempt(self, session: Session, attempt: Attempt) -> End:
        self._device.intake.new_attempt(*await self._parts.sessions.stored_frames(session.id, attempt.number))
        self._device.waits = False
        crowded = lambda: self._places.waiting > 0  # noqa: E731
        runner = AttemptRunner(session, attempt, self._device, self._parts, self._settings, self._socket, crowded)
        self._running = runner
        try:
            return await runner.run()
        finally:
            self._running = None
            self._was_unwatched = runner.conversation.was_unwatched
            self._last_action = runner.conversation.asked

    @property
    def _token(self) -> str:
        assert self._guest is not None
        return self._guest.token

    async def _reload(self) -> Session:
        session = await self._parts.sessions.find(self._token)
        if session is None or session.state is State.EXPIRED:
            raise ClosingError(Close.EXPIRED)
        self._session = session
        return session

    # -- the end --

    async def _finish(self, session: Session, attempt: int, ending: EndReason) -> Close:
        """End a session that can have no further attempt, and wait for its outcome."""
        await self._hand_over_to_judging(session.id, attempt, ending)
        return await self._final_close()

    async def _final_close(self) -> Close:
        close = await self._outcome()
        assert close is not None
        return close

    async def _hand_over_to_judging(self, session_id: int, attempt: int, ending: EndReason) -> None:
        now = self._parts.clock()
        unwatched = ending is EndReason.COMPLETED and self._was_unwatched
        if not await self._parts.sessions.submit(session_id, attempt, ending, now, unwatched, self._socket):
            session = await self._parts.sessions.find(self._token)
            alive = session is not None and session.alive(now)
            raise ClosingError(Close.TAKEN_OVER if alive else Close.EXPIRED)
        self._parts.counter.step("captured", str(ending))
        self._parts.verdicts.wake()

    async def _outcome(self) -> Close | None:
        """Wait for the verdict and tell the device passed or failed: not why, only what the person can do about it.

        None if liveness failed and another attempt may follow.
        """
        self._device.waits_for_outcome = True
        excused = 0 if self._session is None else self._session.excused
        await self._device.send("judging")
        session = await self._parts.verdicts.decided(self._token)
        if session is None or session.state is State.EXPIRED:
            raise ClosingError(Close.EXPIRED)
        advice = {"advice": session.advice} if session.advice else {}
        if session.state is State.CAPTURING:
            self._device.waits_for_outcome = False
            await self._device.send(
                "attempt_over",
                reason="not_passed" if session.excused == excused else str(End.SERVER),
                counted=session.excused == excused,
                attempts_left=session.attempts_left(session.policy.attempts),
                eases=self._allowances.can_ease(session),
                **advice,
            )
            return None
        passed = session.state is State.PASSED
        too_many = session.ending is EndReason.TOO_MANY_TODAY
        self._parts.counter.step("passed" if passed else "failed")
        await self._device.send("outcome", passed=passed, retry="tomorrow" if too_many else "never", **advice)
        return Close.DONE

    # -- what a device may say at any time --

    async def _intercept(self, message: Message) -> bool:
        """Handle the messages that a device may send at any time. Returns True if this was one."""
        if isinstance(message, Cancel):
            self._parts.counter.step("cancelled", message.reason or "")
            raise ClosingError(Close.DONE)
        if isinstance(message, Note):
            self._parts.counter.step("camera", message.camera)
            return True
        if isinstance(message, Restart | Ease):
            await self._interrupt(message)
            return True
        if isinstance(message, Start) and (self._running is not None or self._is_waiting):
            return True  # a second press of the button; if kept, it would start the next attempt by itself
        if not isinstance(message, Handover):
            return False
        if (guest := self._guest) is None or guest.is_bound:
            raise ClosingError(Close.MALFORMED, "a hand-over is not offered here")
        if (offer := await self._handover.offer(guest.session.id, guest.token, guest.secret)) is not None:
            left = round(offer.until - self._parts.clock(), 1)
            await self._device.send("handover", code=offer.code, expires_in=left, modules=offer.modules)
        return True

    async def _interrupt(self, message: Restart | Ease) -> None:
        """End the attempt under way. Between attempts, an Ease applies to the next one."""
        if self._guest is None:
            raise ClosingError(Close.MALFORMED, "the first message is hello")
        if self._running is not None:
            self._running.interrupt(End.EASED if isinstance(message, Ease) else End(message.reason))
        elif isinstance(message, Ease):
            await self._allowances.ease(self._guest.session.id, self._last_action)
