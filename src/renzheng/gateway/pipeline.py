"""The path of a request, from top to bottom, and the only place that answers.

A handler is a method that is given the request and either returns or raises an ApiError; some return an
awaitable. `Gateway` is an ASGI application for HTTP; every answer has status 200, as the official clients
read no other.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor
from typing import Any

import msgspec

from renzheng.gateway.authentication import COMMON_PARAMETERS, Authentication
from renzheng.gateway.body import ClientGone, discard_rest
from renzheng.gateway.context import Request
from renzheng.gateway.contract import (
    REGIONS,
    SERVICE,
    Action,
    Caller,
    GatewaySettings,
    KeyFinder,
    Log,
    Meter,
    NoMeter,
    Quota,
)
from renzheng.gateway.encryption import KeyPairs
from renzheng.gateway.errors import (
    ActionFailed,
    ApiError,
    InternalError,
    InvalidAction,
    InvalidParameterValue,
    InvalidRegion,
    MissingParameter,
    NoSuchVersion,
    RequestLimitExceeded,
    UnsupportedOperation,
    UnsupportedRegion,
)
from renzheng.gateway.failures import RecentFailures
from renzheng.gateway.parameters import MessageReader, split_pairs, split_parts
from renzheng.gateway.quota import FixedWindows
from renzheng.gateway.sealing import Sealing

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[None] | None]

_ENCODER = msgspec.json.Encoder()
# A refused body of this size or less is skipped by the server between requests, and the connection lives on.
_SKIPPED_BYTES = 64 * 1024


class Gateway:
    """Cloud API 3.0 in front of `actions`.

    `key_pairs`: the keys that open sealed fields, as they are now; `executor` does their work, the loop's own by
    default. `failures`: where wrong signatures are explained for the operator. `clock`: unix seconds. `entropy(n)`:
    n random bytes, for request ids. `monotonic`: seconds, for durations.
    ValueError: two actions of one name and version. TypeError: an action's request is no type of this API.
    """

    def __init__(
        self,
        *,
        keys: KeyFinder,
        actions: Iterable[Action],
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        log: Log,
        settings: GatewaySettings | None = None,
        quota: Quota | None = None,
        meter: Meter | None = None,
        key_pairs: Callable[[], KeyPairs] | None = None,
        executor: Executor | None = None,
        failures: RecentFailures | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._settings = settings or GatewaySettings()
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._quota = quota or FixedWindows()
        self._meter = meter or NoMeter()
        self._monotonic = monotonic
        self._sealing = Sealing(key_pairs, entropy, executor)
        self._actions: dict[str, dict[str, tuple[Action, MessageReader[Any]]]] = {}
        for action in actions:
            known = self._actions.setdefault(action.version, {})
            if action.name in known:
                raise ValueError(f"two actions named {action.name} {action.version}")
            known[action.name] = (action, MessageReader(action.request))
        self.authentication = authentication = Authentication(keys, self._settings, failures)
        self.handlers: tuple[Handler, ...] = (
            self.assign_id,
            authentication.check_protocol,
            authentication.read_form,
            authentication.read_common_parameters,
            authentication.find_key,
            authentication.check_clock,
            authentication.read_body,
            authentication.verify_signature,
            authentication.check_token,
            authentication.check_address,
            self.find_action,
            self.check_region,
            self.limit_rate,
            self.decode_message,
            self._sealing.open_fields,
            self.act,
            self._sealing.seal_reply,
        )

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        started = self._monotonic()
        client = scope.get("client")
        body = self.authentication.new_body(client[0] if client else "")
        request = Request(scope, receive, body)
        try:
            code, payload = await self._answer(request)
        except ClientGone:
            self._log.warning("client left", request_id=request.request_id, received=request.body.size)
            return
        else:
            await self._send(request, payload, send)
            self._record(request, code, len(payload), self._monotonic() - started)
        finally:
            body.release()

    # -- the handlers that are not about authentication ------------------------------------------------------

    def assign_id(self, request: Request) -> None:
        """A lower-case uuid4, and the time that counts as now for this request."""
        text = self._entropy(16).hex()
        variant = "89ab"[int(text[16], 16) & 3]
        request.request_id = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
        request.now = self._clock()

    def find_action(self, request: Request) -> None:
        known = self._actions.get(request.version)
        if known is None:
            raise NoSuchVersion(version=request.version, service=SERVICE)
        found = known.get(request.action_name)
        if found is None:
            raise InvalidAction
        request.action, request.reader = found

    def check_region(self, request: Request) -> None:
        region, offered = request.region, request.action.regions
        if region is None:
            if offered is not None and self._settings.region_required:
                raise MissingParameter(name="Region")
        elif region not in REGIONS:
            raise InvalidRegion(name="X-TC-Region" if request.parameters is None else "Region")
        elif offered is not None and region not in offered:
            raise UnsupportedRegion

    async def limit_rate(self, request: Request) -> None:
        account, action = request.key.account_id, request.action
        limit = self._settings.per_second.get((account, action.name), action.per_second)
        try:
            count = await self._quota.hit(account, action.name, self._clock())
        except Exception as error:
            self._meter.failed_open("quota")
            self._log.error("quota failed open", request_id=request.request_id, **_cause_of(error))
            return
        if count > limit:
            raise RequestLimitExceeded(count=count, limit=limit)

    def decode_message(self, request: Request) -> None:
        if request.parameters is not None:
            given = request.parameters.items()
            pairs = ((name, value) for name, value in given if name not in COMMON_PARAMETERS)
            request.message = request.reader.pairs(pairs)
        elif request.method == "GET":
            request.message = request.reader.pairs(split_pairs(request.query))
        elif request.content_type == b"application/json":
            request.message = request.reader.json(request.body.data)
        elif request.content_type == b"multipart/form-data":
            boundary = request.header(b"content-type")
            request.message = request.reader.pairs(split_parts(request.body.data, boundary))
        elif request.content_type == b"application/octet-stream":
            raise UnsupportedOperation("octet-stream")
        else:
            raise InvalidParameterValue(name="Content-Type", value=request.content_type.decode("latin-1"))
        request.body.drop()

    async def act(self, request: Request) -> None:
        key = request.key
        caller = Caller(
            account_id=key.account_id,
            secret_id=key.secret_id,
            request_id=request.request_id,
            language=request.language,
            region=request.region,
            now=request.now,
            address=request.address,
        )
        try:
            request.reply = await request.action.run(caller, request.message)
        except ApiError:
            raise
        except Exception as error:
            self._log.error(
                "action failed",
                request_id=request.request_id,
                action=request.action.name,
                **_cause_of(error),
            )
            raise ActionFailed("see the log") from None

    # -- answering -------------------------------------------------------------------------------------------

    async def _answer(self, request: Request) -> tuple[str, bytes]:
        """The code, empty for a success, and the whole body of the answer."""
        try:
            for handle in self.handlers:
                pending = handle(request)
                if pending is not None:
                    await pending
            return "", _success(request)
        except ApiError as error:
            request.cause = error.cause
            return error.code, _failure(request, error)
        except ClientGone:
            raise
        except Exception as error:
            self._log.error("gateway failed", request_id=request.request_id, **_cause_of(error))
            return InternalError.code, _failure(request, InternalError())

    async def _send(self, request: Request, payload: bytes, send: Send) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(payload)).encode("ascii")),
        ]
        unread = not request.body.complete and _announces_more(request)
        if unread:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if unread:
            # The answer is whole for the client; the response stays open for us, to let the body run out.
            await send({"type": "http.response.body", "body": payload, "more_body": True})
            await discard_rest(request.receive, self._settings)
            payload = b""
        await send({"type": "http.response.body", "body": payload})

    def _record(self, request: Request, code: str, size: int, seconds: float) -> None:
        """One line and one count a request; an unknown name or key of the caller's is not repeated in them."""
        action = request.action.name if hasattr(request, "action") else ""
        known = request.key if hasattr(request, "key") else None
        self._meter.request(action, code, seconds)
        self._log.info(
            "request",
            request_id=request.request_id,
            action=action,
            code=code,
            cause=request.cause,
            account=known.account_id if known else None,
            secret_id=known.secret_id if known else None,
            address=request.address,
            received=request.body.size,
            sent=size,
            ms=round(seconds * 1000, 2),
        )


def _success(request: Request) -> bytes:
    fields = _ENCODER.encode(request.reply)
    tail = b'"RequestId":"' + request.request_id.encode("ascii") + b'"}}'
    if fields == b"{}":
        return b'{"Response":{' + tail
    return b"".join((b'{"Response":', memoryview(fields)[:-1], b",", tail))


def _failure(request: Request, error: ApiError) -> bytes:
    answer = {"Code": error.code, "Message": error.message(request.language)}
    return _ENCODER.encode({"Response": {"Error": answer, "RequestId": request.request_id}})


def _announces_more(request: Request) -> bool:
    """Whether more of the body is to come than the server may skip."""
    announced = request.announced
    if announced is None:
        return b"transfer-encoding" in request.headers
    return announced > _SKIPPED_BYTES


def _cause_of(error: BaseException) -> dict[str, Any]:
    """What is logged of an unforeseen error: its kinds and places. Its text may hold what a caller sent."""
    kinds: list[str] = []
    places: list[list[str]] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 5:
        kinds.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        frames = traceback.extract_tb(cause.__traceback__)[-8:]
        places.append([f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames])
        cause = cause.__cause__ or cause.__context__
    return {"error": kinds, "where": places}
