"""The path of a request, from top to bottom, and the only place that answers.

A handler is a method that gets the request, and either returns or raises an ApiError. Some return an awaitable.
`Gateway` is an ASGI application for HTTP. Every answer has status 200, as the official clients read no other.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor
from typing import Any

import msgspec

from renzheng.base.faults import fault_name
from renzheng.base.unavailable import UnavailableError
from renzheng.gateway.advice import why
from renzheng.gateway.authentication import COMMON_PARAMETERS, Authentication
from renzheng.gateway.body import ClientGoneError, discard_rest
from renzheng.gateway.context import Request
from renzheng.gateway.contract import (
    Caller,
    GatewaySettings,
    KeyFinder,
    Log,
    NoRequestMeter,
    Quota,
    RequestMeter,
)
from renzheng.gateway.encryption import KeyPairs
from renzheng.gateway.errors import (
    ActionFailedError,
    ApiError,
    InternalError,
    InvalidActionError,
    InvalidParameterValueError,
    InvalidRegionError,
    MissingParameterError,
    NoSuchVersionError,
    OverloadedError,
    RequestLimitExceededError,
    ServiceUnavailableError,
    SignatureFailureError,
    UnauthorizedKeyError,
    UnsupportedOperationError,
    UnsupportedRegionError,
)
from renzheng.gateway.failures import RecentRefusals
from renzheng.gateway.manifest import Action, CallContext, Message, Product, Service
from renzheng.gateway.pairs import parse_pairs
from renzheng.gateway.parameters import MessageReader, split_parts
from renzheng.gateway.processes import ProcessPool
from renzheng.gateway.quota import FixedWindowQuota
from renzheng.gateway.refusals import Refusals
from renzheng.gateway.sealing import Sealing
from renzheng.gateway.shares import FairShares

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[None] | None]

_ENCODER = msgspec.json.Encoder()
# The server skips a refused body up to this size between requests, and keeps the connection open.
_SKIPPED_BYTES = 64 * 1024
_PLACE_BYTES = 256 * 1024  # bytes of a body for one more place: about a millisecond of work


class Gateway:
    """Cloud API 3.0 in front of `services`. A request that names no service means the first one.

    `key_pairs`: returns the current keys that open an account's sealed fields. `executor`: does their work, the loop's
    default one if None; `processes`: do that of SM2. `failures`: keeps refused requests for the operator. `clock`: unix
    seconds. `entropy(n)`: n random bytes, for request ids. `monotonic`: seconds, for durations. `wall`: unix seconds of
    the machine's clock, with which timestamps are compared, if `clock` is another.

    ValueError: no service, two services of one name or version, two actions of one name. TypeError: an action's request
    is not a type of this API.
    """

    def __init__(
        self,
        *,
        keys: KeyFinder,
        services: Iterable[Service],
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        log: Log,
        settings: GatewaySettings | None = None,
        quota: Quota | None = None,
        meter: RequestMeter | None = None,
        key_pairs: Callable[[int], KeyPairs | None] | None = None,
        executor: Executor | None = None,
        processes: ProcessPool | None = None,
        failures: RecentRefusals | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._settings = settings or GatewaySettings()
        self._clock = clock
        self._wall = wall or clock
        self._entropy = entropy
        self._log = log
        self._quota = quota or FixedWindowQuota()
        self._meter = meter or NoRequestMeter()
        self._monotonic = monotonic
        self._shares = FairShares(self._settings.request_places)
        self._sealing = Sealing(key_pairs, entropy, executor, processes, self._settings.sealing_places)
        self._versions = _by_version(offered := tuple(services))
        self._product = offered[0].product
        self._guards = {one.product.service: one.guard for one in offered}
        names = tuple(one.product.service for one in offered)
        self.authentication = authentication = Authentication(keys, self._settings, names)
        self._refusals = Refusals(self._settings, failures, names)
        self.handlers: tuple[Handler, ...] = (
            self.assign_id,
            authentication.check_protocol,
            authentication.read_form,
            authentication.read_common_parameters,
            authentication.find_key,
            authentication.decode_pairs,
            authentication.check_clock,
            authentication.read_body,
            authentication.verify_signature,
            authentication.check_token,
            authentication.check_address,
            self.find_action,
            self.check_region,
            self.limit_rate,
            self.authorise,
            self.admit,
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
        except ClientGoneError:
            self._log.warning("client left", request_id=request.request_id, received=request.body.size)
            return
        else:
            await self._send(request, payload, send)
            self._record(request, code, len(payload), self._monotonic() - started)
        finally:
            body.release()
            if request.places:
                self._shares.release(request.key.account_id, request.places)

    # -- the handlers that are not about authentication ------------------------------------------------------

    def assign_id(self, request: Request) -> None:
        """Assign a lower-case uuid4, and the time that counts as now for this request."""
        text = self._entropy(16).hex()
        variant = "89ab"[int(text[16], 16) & 3]
        request.request_id = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
        request.now = self._clock()
        request.product = self._product
        request.wall = self._wall()

    def find_action(self, request: Request) -> None:
        offered = self._versions.get(request.version)
        if offered is None or not self.authentication.is_signed_for(request, offered[0].service):
            service = self.authentication.service_of(request) or self._product.service
            raise NoSuchVersionError(version=request.version, service=service)
        request.product, actions = offered
        found = actions.get(request.action_name)
        if found is None:
            raise InvalidActionError
        request.action, request.reader = found

    def check_region(self, request: Request) -> None:
        region, offered = request.region, request.action.manifest.regions
        if region is None:
            if offered is not None and self._settings.region_required:
                raise MissingParameterError(name="Region")
        elif request.product.regions and region not in request.product.regions:
            raise InvalidRegionError(name="X-TC-Region" if request.parameters is None else "Region")
        elif offered is not None and region not in offered:
            raise UnsupportedRegionError

    async def limit_rate(self, request: Request) -> None:
        account, action, name = request.key.account_id, request.action.manifest, request.action.manifest.name
        limit = None
        if request.product is self._product:
            limit = self._settings.per_second.get((account, name))
        else:  # another service may have an action of the same name
            name = f"{request.product.service}.{name}"
        if limit is None:
            limit = action.per_second or self._settings.requests_per_second
        try:
            count = await self._quota.hit(account, name, self._clock())
        except Exception as error:
            self._meter.failed_open("quota")
            self._log.error("quota failed open", request_id=request.request_id, **_cause_of(error))
            return
        if count > limit:
            raise RequestLimitExceededError(count=count, limit=limit)

    def authorise(self, request: Request) -> Awaitable[None] | None:
        """Check that this key may call this action."""
        guard = self._guards[request.product.service]
        if guard is None:
            if request.product.service not in request.key.services:
                raise UnauthorizedKeyError("the key is not for this service")
            return None
        return guard(
            CallContext(
                key=request.key,
                manifest=request.action.manifest,
                request_id=request.request_id,
                address=request.address,
                private=request.scheme == "https" or request.is_local,
            )
        )

    def admit(self, request: Request) -> None:
        """Refuse at once what the server could only serve late. Each account has its own share of the places."""
        places = min(1 + request.body.size // _PLACE_BYTES, self._shares.places // 2)
        if not self._shares.take(request.key.account_id, places):
            raise OverloadedError("all places of the account's share are taken")
        request.places = places

    def decode_message(self, request: Request) -> None:
        if request.parameters is not None:
            given = request.parameters.items()
            pairs = ((name, value) for name, value in given if name not in COMMON_PARAMETERS)
            request.message = request.reader.pairs(pairs)
        elif request.method == "GET":
            request.message = request.reader.pairs(parse_pairs(request.query, self._settings.max_pairs).items())
        elif request.content_type == b"application/json":
            request.message = request.reader.json(request.body.data)
        elif request.content_type == b"multipart/form-data":
            boundary = request.header(b"content-type")
            request.message = request.reader.pairs(split_parts(bytes(request.body.data), boundary))
        elif request.content_type == b"application/octet-stream":
            raise UnsupportedOperationError("octet-stream")
        else:
            raise InvalidParameterValueError(name="Content-Type", value=request.content_type.decode("latin-1"))
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
            message = request.message
            if isinstance(message, Message):
                message.check()
            request.reply = await request.action.run(caller, message)
        except (ApiError, UnavailableError):
            raise
        except Exception as error:
            self._log.error(
                "action failed",
                request_id=request.request_id,
                action=request.action.manifest.name,
                **_cause_of(error),
            )
            raise ActionFailedError("see the log") from None

    # -- answering -------------------------------------------------------------------------------------------

    async def _answer(self, request: Request) -> tuple[str, bytes]:
        """Return the code, empty for a success, and the whole body of the answer."""
        try:
            for handle in self.handlers:
                pending = handle(request)
                if pending is not None:
                    await pending
            return "", _success(request)
        except (ApiError, UnavailableError) as raised:
            error = raised if isinstance(raised, ApiError) else ServiceUnavailableError(str(raised))
            more = self._more(request, error)
            request.body.release()  # the rest of the body is discarded
            return error.code, _failure(request, error, more)
        except ClientGoneError:
            raise
        except Exception as error:
            self._log.error("gateway failed", request_id=request.request_id, **_cause_of(error))
            return InternalError.code, _failure(request, InternalError())

    def _more(self, request: Request, error: ApiError) -> str:
        """Keep the refusal and log its cause. Returns the explanation that is added to the message, if that is set."""
        request.cause = error.cause
        try:
            if not error.cause and type(error) is not SignatureFailureError:  # finding their cause takes a while
                request.cause = why(request, error)[0]
            return self._refusals.note(request, error)
        except Exception as fault:  # an explanation must never harm its answer
            self._log.error("a refusal was not noted", request_id=request.request_id, **_cause_of(fault))
            return ""

    async def _send(self, request: Request, payload: bytes, send: Send) -> None:
        unread = not request.body.complete and _announces_more(request)
        if request.send_reply is not None and not unread:
            await request.send_reply(payload)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(payload)).encode("ascii")),
        ]
        if unread:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if unread:
            # The client has the whole answer. The response stays open, so that the rest of the body can be read.
            await send({"type": "http.response.body", "body": payload, "more_body": True})
            await discard_rest(request.receive, self._settings)
            payload = b""
        await send({"type": "http.response.body", "body": payload})

    def _record(self, request: Request, code: str, size: int, seconds: float) -> None:
        """Log and count one request. A name or key of the caller's that is unknown is not repeated in them."""
        action = request.action.manifest.name if hasattr(request, "action") else ""
        known = request.key if hasattr(request, "key") else None
        service = request.product.service if action else ""
        self._meter.request(service, action, code, seconds, known.account_id if known and action else 0)
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


_Actions = dict[str, tuple[Action, MessageReader[Any]]]


def _by_version(services: Iterable[Service]) -> dict[str, tuple[Product, _Actions]]:
    found: dict[str, tuple[Product, _Actions]] = {}
    for service in services:
        product = service.product
        if product.version in found or product.service in {known.service for known, _ in found.values()}:
            raise ValueError(f"two services named {product.service} {product.version}, or by one of the two")
        actions: _Actions = {}
        for action in service.actions:
            if action.manifest.name in actions:
                raise ValueError(f"two actions named {action.manifest.name} {product.version}")
            actions[action.manifest.name] = (action, MessageReader(action.manifest.request))
        found[product.version] = (product, actions)
    if not found:
        raise ValueError("a gateway offers one service at least")
    return found


def _success(request: Request) -> bytes:
    fields = _ENCODER.encode(request.reply)
    tail = b'"RequestId":"' + request.request_id.encode("ascii") + b'"}}'
    if fields == b"{}":
        return b'{"Response":{' + tail
    return b"".join((b'{"Response":', memoryview(fields)[:-1], b",", tail))


def _failure(request: Request, error: ApiError, more: str = "") -> bytes:
    answer = {"Code": error.code, "Message": error.message(request.language) + more}
    return _ENCODER.encode({"Response": {"Error": answer, "RequestId": request.request_id}})


def _announces_more(request: Request) -> bool:
    """Return whether more of the body is to come than the server may skip."""
    announced = request.announced
    if announced is None:
        return b"transfer-encoding" in request.headers
    return announced > _SKIPPED_BYTES


def _cause_of(error: BaseException) -> dict[str, Any]:
    """Return what is logged of an unexpected error: its types and places. Its text may hold what a caller sent."""
    kinds: list[str] = []
    places: list[list[str]] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 5:
        kinds.append(fault_name(cause))
        frames = traceback.extract_tb(cause.__traceback__)[-8:]
        places.append([f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames])
        cause = cause.__cause__ or cause.__context__
    return {"error": kinds, "where": places}
