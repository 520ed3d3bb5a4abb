"""One socket's stay in the capture channel: ties it to its session, and runs attempts to an outcome."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from renzheng.capture.course import Course, DayUsedUp, End
from renzheng.capture.messages import PROTOCOL, Cancel, Close, Closing, Handover, Hello, Identity, Message, Note, Start
from renzheng.capture.parts import ChannelParts, ChannelSettings
from renzheng.capture.socket import DeviceSocket
from renzheng.verification import challenge
from renzheng.verification.policy import Policy
from renzheng.verification.session import DAY_SECONDS, FINISHED, Attempt, Ending, Session, State

HEARTBEAT_SECONDS = 3.0
MOST_HOST = 253 + 6  # a name of the domain name system (RFC 1035) and a port


class Places(Protocol):
    """The sockets that are open in this process, by session: what a visit needs of its channel."""

    def has_room(self, session_id: int) -> bool: ...
    def entered(self, session_id: int, visit: Visit) -> Visit | None: ...
    def left(self, session_id: int, visit: Visit) -> None: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A hand-over code. Who asks again in the first half of its life is told it again: a QR code costs milliseconds."""

    code: str
    until: float
    modules: list[str]


class Visit:
    """One socket's stay: hello, claim, attempts, outcome."""

    def __init__(
        self,
        places: Places,
        parts: ChannelParts,
        settings: ChannelSettings,
        websocket: WebSocket,
        device: DeviceSocket,
    ) -> None:
        self._places = places
        self._parts = parts
        self._settings = settings
        self._websocket = websocket
        self._device = device
        self._session: Session | None = None
        self._token = ""
        self._secret = ""
        self._is_bound = False
        self._offer: Offer | None = None
        self._replaced = asyncio.Event()

    async def run(self) -> Close:
        """To the close code of a good end. Raises Closing and DeviceGone for all others."""
        stay = asyncio.create_task(self._stay())
        others = [
            asyncio.create_task(self._device.read(self._parts.lookout.size, self._intercept)),
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
        """Let the grace begin: from now on another device waits only that long."""
        if self._session is not None and self._secret:
            self._places.left(self._session.id, self)
            with contextlib.suppress(Exception):
                await self._parts.sessions.touch_device(self._session.id, self._secret, self._parts.clock())

    async def _keep_claim(self) -> None:
        """Say every few seconds that this device is here; end where another has taken over."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._replaced.wait()
            if self._session is None or not self._secret:
                continue
            now = self._parts.clock()
            if self._replaced.is_set() or not await self._parts.sessions.touch_device(
                self._session.id, self._secret, now
            ):
                raise Closing(Close.TAKEN_OVER)

    # -- the stay --

    async def _stay(self) -> Close:
        session, attempt = await self._enter()
        self._parts.counter.step("opened")
        if session.state is State.JUDGING or session.state in FINISHED:
            return await self._outcome()
        while True:
            if attempt is None:
                if session.attempts_left(session.policy.attempts) == 0:
                    return await self._submit(session, session.attempt, Ending.ATTEMPTS_USED)
                await self._wait_for_start(session)
                attempt = await self._begin(session)
                if attempt is None:
                    return await self._outcome()
            try:
                end = await self._run_attempt(session, attempt)
            except DayUsedUp:
                return await self._submit(session, attempt.number, Ending.TOO_MANY_TODAY)
            if end is End.COMPLETED:
                return await self._submit(session, attempt.number, Ending.COMPLETED)
            session = await self._reload()
            self._parts.counter.step("attempt_over", str(end))
            if left := session.attempts_left(session.policy.attempts):
                counted = await self._counts(attempt)
                await self._device.send("attempt_over", reason=str(end), counted=counted, attempts_left=left)
            attempt = None

    async def _counts(self, attempt: Attempt) -> bool:
        """Whether an attempt that is over counted. Its end alone does not say: another socket may have had it."""
        known = await self._parts.sessions.attempt(attempt.session_id, attempt.number)
        return known is not None and known.counts

    async def _enter(self) -> tuple[Session, Attempt | None]:
        """From hello to welcome: the session, and the attempt that goes on. Raises Closing where it may not."""
        hello = await self._hello()
        session = await self._parts.sessions.find(hello.token)
        if session is None:
            raise Closing(Close.EXPIRED if await self._parts.sessions.is_gone(hello.token) else Close.UNKNOWN_TOKEN)
        self._check_origin(session.account_id, hello.embedder)
        self._token = hello.token
        now = self._parts.clock()
        same = hello.device is not None and await self._parts.sessions.touch_device(session.id, hello.device, now)
        capturable = session.state in (State.ISSUED, State.CAPTURING)
        if session.state is State.EXPIRED or (capturable and not session.alive(now)):
            raise Closing(Close.EXPIRED)
        if not capturable and not same:
            raise Closing(Close.USED)
        await self._identify(session)
        if not self._places.has_room(session.id):
            raise Closing(Close.FULL)
        secret = hello.device if same and hello.device else self._parts.entropy(16).hex()
        if not same and not await self._parts.sessions.claim_device(
            session.id, secret, now, self._settings.device_grace_seconds, hello.handover
        ):
            raise Closing(Close.OTHER_DEVICE)
        self._session, self._secret = session, secret
        if (before := self._places.entered(session.id, self)) is not None and before is not self:
            before.replace()
        attempt = await self._attempt_under_way(session, now) if same else None
        self._device.welcomed = True
        await self._welcome(session, "capturing" if attempt else "ready" if capturable else str(session.state))
        return session, attempt

    async def _attempt_under_way(self, session: Session, now: float) -> Attempt | None:
        """The attempt that this device left and may go on with: its current step still has time."""
        if session.state is not State.CAPTURING:
            return None
        attempt = await self._parts.sessions.attempt(session.id, session.attempt)
        if attempt is None or attempt.current is None:
            return None
        for step in attempt.steps:
            self._device.remember(step.nonce)
        return attempt if attempt.current.deadline > now else None

    def replace(self) -> None:
        """Another socket has this session now."""
        self._replaced.set()

    async def _hello(self) -> Hello:
        try:
            message = await self._device.message(self._settings.limits.hello_seconds)
        except TimeoutError:
            raise Closing(Close.SILENT, "no hello") from None
        if not isinstance(message, Hello):
            raise Closing(Close.MALFORMED, "the first message is hello")
        if message.protocol != PROTOCOL:
            raise Closing(Close.PROTOCOL)
        return message

    def _check_origin(self, account_id: int, embedder: str | None) -> None:
        """The server's own origin, the account's list, and no Origin at all pass; the page's embedder likewise."""
        for origin in (self._websocket.headers.get("origin"), embedder):
            if origin is not None:
                self._check_one(origin, account_id)

    def _check_one(self, origin: str, account_id: int) -> None:
        url = urlsplit(str(self._websocket.url))
        own = {f"{'https' if url.scheme == 'wss' else 'http'}://{self._websocket.headers.get('host', '')}"}
        if self._settings.public_url:
            public = urlsplit(self._settings.public_url)
            own.add(f"{public.scheme}://{public.netloc}")
        if origin not in own and origin not in self._parts.accounts.origins(account_id):
            raise Closing(Close.ORIGIN)

    async def _identify(self, session: Session) -> None:
        """A token whose Meta carries a device's public key is only accepted from that device.

        That another one tried is left for the merchant to see.
        """
        key = self._parts.bound_key(session.details.meta)
        if key is None:
            return
        self._is_bound = True
        nonce = self._parts.entropy(16).hex()
        await self._device.send("identify", nonce=nonce)
        try:
            message = await self._device.message(self._settings.limits.hello_seconds)
        except TimeoutError:
            raise Closing(Close.SILENT, "no identity") from None
        if not isinstance(message, Identity):
            raise Closing(Close.MALFORMED, "identify is answered by identity")
        if not self._parts.proves(key, nonce, self._token, message.signature):
            self._parts.counter.step("refused", "device_mismatch")
            if not session.device_mismatch:
                await self._parts.sessions.note_device_mismatch(session.id)
            raise Closing(Close.BOUND)

    async def _welcome(self, session: Session, state: str) -> None:
        limits = self._settings.limits
        light = {"light": True} if session.policy.light else {}
        await self._device.send(
            "welcome",
            protocol=PROTOCOL,
            device=self._secret,
            state=state,
            attempts_left=session.attempts_left(session.policy.attempts),
            expires_in=round(max(0.0, session.expires_at - self._parts.clock()), 1),
            account=self._parts.accounts.name(session.account_id),
            compares=str(session.details.compare_lib),
            retention={
                "result_seconds": self._settings.result_seconds,
                "evidence_days": self._evidence_days(session),
            },
            limits={
                "frame_bytes": limits.frame_bytes,
                "frame_pixels": limits.frame_pixels,
                "min_fps": limits.frames_per_second_least,
                "max_fps": limits.frames_per_second_most,
                "idle_seconds": limits.idle_seconds,
            },
            handover=not self._is_bound,
            **light,
        )

    def _evidence_days(self, session: Session) -> float:
        if session.evidence_until is None:
            return self._settings.evidence_days
        return round((session.evidence_until - session.created_at) / DAY_SECONDS, 2)

    # -- attempts --

    async def _wait_for_start(self, session: Session) -> None:
        """Nobody holds a place for longer than the token lives."""
        try:
            async with asyncio.timeout(max(0.0, session.expires_at - self._parts.clock())):
                while not isinstance(await self._device.message(), Start):
                    pass
        except TimeoutError:
            raise Closing(Close.EXPIRED) from None

    async def _begin(self, session: Session) -> Attempt | None:
        """A new attempt with a new challenge. None where the day's attempts are used up: judged as that at once."""
        parts, policy, now = self._parts, session.policy, self._parts.clock()
        used_up = (
            bool(policy.attempts_a_day)
            and session.id_hash is not None
            and await parts.sessions.attempts_today(session.account_id, session.id_hash, parts.day(now))
            >= policy.attempts_a_day
        )
        actions = () if used_up else self._challenge(policy)
        number = await parts.sessions.begin_attempt(session.id, session.attempt, actions, now)
        if number is None:
            raise Closing(Close.TAKEN_OVER if session.alive(now) else Close.EXPIRED)
        self._session = replace(session, attempt=number)
        if used_up:
            await self._hand_over_to_judging(session.id, number, Ending.TOO_MANY_TODAY)
            return None
        parts.counter.step("started")
        return Attempt(session.id, number, now, actions)

    def _challenge(self, policy: Policy) -> tuple[str, ...]:
        """The steps of a new attempt: actions, and where the policy asks for them the colours."""
        entropy = self._parts.entropy
        actions = challenge.draw(entropy, policy.challenge_length, policy.challenge_kinds)
        return actions + challenge.draw_light(entropy, self._settings.light_colours) if policy.light else actions

    async def _run_attempt(self, session: Session, attempt: Attempt) -> End:
        parts = self._parts
        self._device.new_attempt(*await parts.sessions.kept(session.id, attempt.number))
        course = Course(
            session,
            attempt,
            self._device,
            parts.sessions,
            parts.lookout,
            self._settings.limits,
            self._settings.pace,
            parts.clock,
            parts.entropy,
            parts.day,
        )
        storing = asyncio.create_task(course.keep_storing())
        running = asyncio.create_task(course.run())
        try:
            await asyncio.wait([storing, running], return_when=asyncio.FIRST_COMPLETED)
            if storing.done() and (error := storing.exception()):
                raise error
            return await running
        finally:
            self._device.expect_nothing()
            self._device.pending.clear()
            for task in (storing, running):
                task.cancel()
            await asyncio.gather(storing, running, return_exceptions=True)

    async def _reload(self) -> Session:
        session = await self._parts.sessions.find(self._token)
        if session is None or session.state is State.EXPIRED:
            raise Closing(Close.EXPIRED)
        self._session = session
        return session

    # -- the end --

    async def _submit(self, session: Session, attempt: int, ending: Ending) -> Close:
        await self._hand_over_to_judging(session.id, attempt, ending)
        return await self._outcome()

    async def _hand_over_to_judging(self, session_id: int, attempt: int, ending: Ending) -> None:
        now = self._parts.clock()
        if not await self._parts.sessions.submit(session_id, attempt, ending, now):
            session = await self._parts.sessions.find(self._token)
            alive = session is not None and session.alive(now)
            raise Closing(Close.TAKEN_OVER if alive else Close.EXPIRED)
        self._parts.counter.step("captured", str(ending))
        self._parts.verdicts.wake()

    async def _outcome(self) -> Close:
        """Wait for the verdict and tell passed or failed, never why."""
        self._device.waits_for_outcome = True
        await self._device.send("judging")
        session = await self._parts.verdicts.decided(self._token)
        if session is None or session.state is State.EXPIRED:
            raise Closing(Close.EXPIRED)
        passed = session.state is State.PASSED
        too_many = session.ending is Ending.TOO_MANY_TODAY
        self._parts.counter.step("passed" if passed else "failed")
        await self._device.send("outcome", passed=passed, retry="tomorrow" if too_many else "never")
        return Close.DONE

    # -- what a device may say at any time --

    async def _intercept(self, message: Message) -> bool:
        """Answer a hand-over or a cancel, wherever the visit stands; True where the message is dealt with."""
        if isinstance(message, Cancel):
            self._parts.counter.step("cancelled", message.reason or "")
            raise Closing(Close.DONE)
        if isinstance(message, Note):
            self._parts.counter.step("camera", message.camera)
            return True
        if not isinstance(message, Handover):
            return False
        if self._session is None or self._is_bound:
            raise Closing(Close.MALFORMED, "a hand-over is not offered here")
        now = self._parts.clock()
        if self._offer is None or self._offer.until - now < self._settings.handover_seconds / 2:
            self._offer = await self._new_offer(self._session, now + self._settings.handover_seconds)
        if (offer := self._offer) is not None:
            left = round(offer.until - now, 1)
            await self._device.send("handover", code=offer.code, expires_in=left, modules=offer.modules)
        return True

    async def _new_offer(self, session: Session, until: float) -> Offer | None:
        code = self._parts.entropy(16).hex()
        modules = self._parts.qr(f"{self._settings.public_url or self._own_address()}/verify#{self._token}.{code}")
        if not await self._parts.sessions.offer_handover(session.id, self._secret, code, until):
            return None
        return Offer(code, until, modules)

    def _own_address(self) -> str:
        """As the device knows it. Of a length that a QR code is made of in milliseconds."""
        url = urlsplit(str(self._websocket.url))
        host = self._websocket.headers.get("host", url.netloc)
        if len(host) > MOST_HOST:
            raise Closing(Close.MALFORMED, f"a Host of more than {MOST_HOST} characters")
        return f"{'https' if url.scheme == 'wss' else 'http'}://{host}"
