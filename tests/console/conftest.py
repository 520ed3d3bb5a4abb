"""The console over a real store, asked in-process, by browsers that keep cookies and send forms as browsers do."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.accounts.operators import Operator, Role, SignInCredential
from renzheng.actions.ports import Parts as FaceIdParts
from renzheng.actions.product import make_product as make_faceid
from renzheng.console.app import Console
from renzheng.console.figures import Health
from renzheng.console.passwords import Passwords
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.failures import RecentRefusals
from renzheng.gateway.manifest import Service, error_texts
from renzheng.gateway.pipeline import Gateway
from renzheng.management.desk import BucketTroubleError, Parts, RoleGuard
from renzheng.management.product import make_product
from renzheng.server.console_calls import KeyedCalls, SignedCalls
from renzheng.server.console_parts import make_console
from renzheng.server.hosts import HostGuard, Hosts
from renzheng.server.logs import RequestLine
from renzheng.server.operator import operator_app, with_calls
from renzheng.server.queries import BoundedQueries
from renzheng.server.readiness import Readiness
from renzheng.server.urls import operator_url
from renzheng.settings import load_settings
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from tests.gateway.support import build
from tests.support.again import Again

ORIGIN = "http://127.0.0.1:8401"
PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NODES = 2
"""Servers that answer in turns."""
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: str
    cookies: list[str]

    @property
    def text(self) -> str:
        """What a person reads: without tags."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.body)))

    @property
    def place(self) -> str:
        return self.headers.get("location", "")

    def hidden(self, name: str = "token") -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        assert found, f"no {name} in the page"
        return unescape(found[1])


@dataclass
class Browser:
    """One browser: its cookies and its name."""

    app: Any
    agent: str = "Mozilla/5.0 Firefox/140.0"
    address: str = "127.0.0.1"
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, b"", headers)

    async def post(self, path: str, fields: Mapping[str, str], *, origin: str | None = ORIGIN, **headers: str) -> Reply:
        given = {"content-type": "application/x-www-form-urlencoded", **headers}
        if origin is not None:
            given["origin"] = origin
        return await self.ask("POST", path, urlencode(fields).encode(), given)

    async def submit(self, page: str, fields: Mapping[str, str], path: str | None = None) -> Reply:
        """Submit a form like a person: open the page, fill in its form, send it."""
        shown = await self.get(page)
        once = {"once": shown.hidden("once")} if 'name="once"' in shown.body else {}
        return await self.post(path or page, {"token": shown.hidden(), **once, **fields})

    async def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        bare, _, query = path.partition("?")
        given = {"host": "127.0.0.1:8401", "user-agent": self.agent, "accept-language": self.language}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http", "method": method, "path": bare, "raw_path": bare.encode(), "query_string": query.encode(),
            "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8401), "client": (self.address, 1),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        }  # fmt: skip
        sent: list[Any] = []
        messages = iter([{"type": "http.request", "body": body}])

        async def receive() -> Any:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        raw = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        reply = Reply(
            sent[0]["status"],
            dict(raw),
            b"".join(part.get("body", b"") for part in sent[1:]).decode(),
            [value for name, value in raw if name == "set-cookie"],
        )
        for line in reply.cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return reply

    async def sign_in(self, name: str, password: str = PASSWORD) -> Reply:
        return await self.post("/console/sign-in", {"name": name, "password": password})


@dataclass
class House:
    store: Store
    clock: Clock
    app: Any
    routes: Sequence[BaseRoute]
    health: Health
    tried: Counter[str]
    tasks: list[asyncio.Future[Any]]
    faceid: Gateway
    lines: list[RequestLine] = field(default_factory=list)

    def browser(self, **given: Any) -> Browser:
        return Browser(self.app, **given)

    async def person(
        self, name: str, role: Role = Role.OWNER, account_id: int | None = None, totp: str | None = None
    ) -> Operator:
        operator = await self.store.operators.add(name, role, self.clock(), account_id)
        credential = SignInCredential(CHEAP.hash(PASSWORD), totp)
        await self.store.sign_in.set_credential(operator.id, credential, self.clock(), "password set")
        return operator

    async def signed_in(self, name: str, role: Role = Role.OWNER, account_id: int | None = None) -> Browser:
        await self.person(name, role, account_id)
        browser = self.browser()
        assert (await browser.sign_in(name)).status == 303
        return browser

    async def verbs(self) -> list[str]:
        return [event.verb for event in await self.store.audit.newest(1000)]


@pytest.fixture
def given_settings() -> dict[str, object]:
    """More settings of the house; a module may have others."""
    return {}


@pytest.fixture
async def house(tmp_path: Path, given_settings: dict[str, object]) -> AsyncIterator[House]:
    clock = Clock()
    store = open_store(tmp_path / "data", tmp_path / "keys", clock, os.urandom)
    await store.start(serving=False)
    shown = Health({}, {"data": 5 * 10**9}, {"judging": 0, "deliveries": 0}, 0, {}, {}, [])

    async def health() -> Health:
        return made.health

    async def metrics() -> bytes:
        return b""

    tried: Counter[str] = Counter()
    passwords = Passwords(CHEAP)
    settings = load_settings(operator_port=8401, **given_settings)
    tasks: list[asyncio.Future[Any]] = []
    gateway = gateway_over(store, clock, tasks)
    calls = SignedCalls(store, gateway, PRODUCT, operator_url(settings), clock, clock)
    errors = error_texts([FACEID, PRODUCT])
    failures = RecentRefusals(store.keys.secret_keys, build().gateway._log)
    faceid = faceid_over(store, clock, failures)
    keyed = KeyedCalls(store, faceid, FACEID, errors, "http://127.0.0.1:8400", clock)

    def console() -> Console:
        return make_console(
            *(settings, store, health, clock, os.urandom, lambda outcome: tried.update([outcome])),
            *(calls, passwords, keyed),
            refusals=failures.recent,
            request_lines=lambda: made.lines,
        )

    nodes = [console() for _ in range(NODES)]
    pages = [operator_app(Readiness(), metrics, node.routes()) for node in nodes]
    app = InTurns([HostGuard(served(each, gateway), Hosts("127.0.0.1")) for each in pages])
    made = House(store, clock, app, pages[0].routes, shown, tried, tasks, faceid)
    yield made
    for task in tasks:
        task.cancel()
    for node in nodes:
        node.stop()
    await store.stop()


def served(pages: Starlette, gateway: Gateway) -> ASGIApp:
    return with_calls(pages, BoundedQueries(pages, 32 * 1024, 256), gateway)


class InTurns:
    """Servers behind a proxy without sticky sessions: each request goes to the next one."""

    def __init__(self, nodes: Sequence[Any]) -> None:
        self._turns = itertools.cycle(nodes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await next(self._turns)(scope, receive, send)


PRODUCT, FACEID = make_product(), make_faceid()


class AnyPhoto:
    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        return None


def faceid_over(store: Store, clock: Clock, failures: RecentRefusals) -> Gateway:
    """The real service of the accounts; what needs an engine or a bucket is not there."""
    nothing: Any = None
    parts = FaceIdParts(
        sessions=store.sessions, accounts=store.keys, photos=AnyPhoto(), shelf=nothing, deliveries=nothing,
        calls=store.calls, entropy=os.urandom, policy=Policy(), token_seconds=600, delivery_seconds=0,
    )  # fmt: skip
    log = build().gateway._log
    services = [Service.of(FACEID, parts)]
    return Gateway(keys=store.keys, services=services, clock=clock, entropy=os.urandom, log=log, failures=failures)


def gateway_over(store: Store, clock: Clock, tasks: list[asyncio.Future[Any]]) -> Gateway:
    """The real management service; no photo is looked at, and no bucket is asked."""

    async def look(photo: bytes) -> str | None:
        return None

    async def make_key_pairs(acting: Store, account_id: int) -> None:
        pass

    async def probe(account_id: int, bucket: Bucket, key: BucketKey) -> str:
        if key.secret == "wrong":
            raise BucketTroubleError("the bucket does not take this key")
        return "probed"

    async def ready() -> dict[str, str]:
        return {}

    def spawn(work: Awaitable[Any]) -> None:
        tasks.append(asyncio.ensure_future(work))

    async def offer_link(operator_id: int) -> str:
        return f"{ORIGIN}/console/welcome/{await store.sign_in.offer_link(operator_id, clock() + 60)}"

    parts = Parts(
        store=store, **Again(store).looks(),
        policy=Policy(), photos=AnyPhoto(), look=look, make_key_pairs=make_key_pairs, probe=probe,
        health=ready, settings=lambda: {"RENZHENG_PORT": 8400, "RENZHENG_TRUSTED_PROXIES": []}, spawn=spawn,
        offer_link=offer_link, utc_offset=8, actions=("GetFaceIdToken",), version="0",
    )  # fmt: skip
    return Gateway(
        keys=store.keys,
        services=[Service.of(PRODUCT, parts, RoleGuard(store))],
        clock=clock,
        entropy=os.urandom,
        log=build().gateway._log,
        settings=GatewaySettings(requests_per_second=100_000),
    )
