"""Signing in by an identity provider: a real one over HTTP, and one that lies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from oidc_provider_mock import User, run_server_in_thread

from renzheng.accounts.operators import Role
from renzheng.base.bounded_http import MAX_ANSWER
from renzheng.console.provider import MAX_UNDER_WAY, Provider, ProviderError, ProviderSettings
from renzheng.settings import SettingsError, load_settings
from tests.support.server import PATIENCE
from tests.support.stranger import Stranger, drips, says_nothing

from .conftest import TOTP, Browser, House, Reply

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")  # of the provider's library
CLIENT, SECRET = "renzheng-console", "a secret & more: 100%"
PEOPLE = (
    User(sub="1", claims={"email": "li.wei@example.com", "email_verified": True}),
    User(sub="2", claims={"email": "eve@example.com", "email_verified": True}),
    User(sub="3", claims={"email": "li.wei@example.com", "email_verified": False}),
    User(sub="4"),
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def given_settings(issuer: str) -> dict[str, object]:
    return settings_of(issuer)


def settings_of(issuer: str) -> dict[str, object]:
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_title": "Staff <b>ID</b>",
    }


@pytest.fixture(autouse=True)
def _time(house: House) -> None:
    house.clock.now = time.time()


def at_provider(address: str, sub: str) -> str:
    """Sign in there as that person; the path and query that the browser is sent back to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.request(
        "POST",
        f"{parts.path}?{parts.query}",
        urlencode({"sub": sub}),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    reply = connection.getresponse()
    assert reply.status == 302, reply.read()
    place = reply.headers["location"]
    assert place.startswith("http://127.0.0.1:8401/console/oidc/back?")
    return place.removeprefix("http://127.0.0.1:8401")


async def sign_on(browser: Browser, sub: str, onward: str = "/console") -> Reply:
    begun = await browser.get(f"/console/oidc?next={onward}")
    assert begun.status == 303
    return await browser.get(at_provider(begun.place, sub))


async def test_whom_the_provider_vouches_for_is_let_in_and_led_on(house: House) -> None:
    await house.store.operators.add("li.wei@example.com", Role.REVIEWER, house.clock())  # without any password
    browser = house.browser()
    page = await browser.get("/console/sign-in?next=/console/rules")
    assert "Sign in with Staff <b>ID</b>" in page.text
    assert "<b>ID" not in page.body
    reply = await sign_on(browser, "1", "/console/rules")
    assert reply.status == 200
    assert 'content="0; url=/console/rules"' in reply.body
    assert (await browser.get("/console/rules")).status == 200
    assert "Reviewer" in (await browser.get("/console")).text
    assert "renzheng_oidc" not in browser.cookies
    assert "signed in" in await house.verbs()
    assert house.tried["in"] == 1


async def test_the_browser_keeps_strict_and_lax_cookies_apart(house: House) -> None:
    await house.store.operators.add("li.wei@example.com", Role.OWNER, house.clock())
    browser = house.browser()
    begun = await browser.get("/console/oidc")
    assert ["samesite=lax" in line.lower() and "httponly" in line.lower() for line in begun.cookies] == [True]
    asked = parse_qs(urlsplit(begun.place).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len({asked[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
    kept = browser.cookies["renzheng_oidc"]
    assert not any(value[0] in kept for value in asked.values()), "what is sent tells nothing of what is kept"
    back = await browser.get(at_provider(begun.place, "1"))
    session = [line for line in back.cookies if line.startswith("renzheng_console=")]
    assert ["samesite=strict" in line.lower() for line in session] == [True]


@pytest.mark.parametrize(("sub", "said"), [("2", "eve@example.com"), ("3", "does not say"), ("4", "does not say")])
async def test_nobody_else_is_let_in(house: House, sub: str, said: str) -> None:
    await house.person("li.wei@example.com")
    browser = house.browser()
    reply = await sign_on(browser, sub)
    assert (reply.status, said in reply.text) == (403, True)
    assert (await browser.get("/console")).status == 303
    assert "single sign-on refused" in await house.verbs()


async def test_a_disabled_person_is_nobody(house: House) -> None:
    await house.person("owner")
    operator = await house.store.operators.add("li.wei@example.com", Role.OPERATOR, house.clock())
    await house.store.operators.modify(operator.id, disabled=True)
    assert (await sign_on(house.browser(), "1")).status == 403


async def test_a_second_factor_that_was_set_up_here_is_asked_for(house: House) -> None:
    await house.person("li.wei@example.com", totp=TOTP)
    browser = house.browser()
    reply = await sign_on(browser, "1", "/console/rules")
    assert 'content="0; url=/console/code?next=/console/rules"' in reply.body
    assert (await browser.get("/console")).status == 303
    assert (await browser.get("/console/code")).status == 200


async def test_a_reply_counts_once_and_in_the_browser_that_asked(house: House) -> None:
    await house.person("li.wei@example.com")
    browser, other = house.browser(), house.browser()
    begun = await browser.get("/console/oidc")
    back = at_provider(begun.place, "1")
    assert (await other.get(back)).status == 400
    await other.get("/console/oidc")
    assert (await other.get(back)).status == 400
    assert (await other.get("/console")).status == 303
    assert (await browser.get(back)).status == 200
    assert (await browser.get(back)).status == 400
    begun = await browser.get("/console/oidc")
    state = parse_qs(urlsplit(begun.place).query)["state"][0]
    used = parse_qs(urlsplit(back).query)["code"][0]
    assert (await browser.get(f"/console/oidc/back?{urlencode({'code': used, 'state': state})}")).status == 502


async def test_whoever_turns_back_at_the_provider_is_told_so(house: House) -> None:
    browser = house.browser()
    begun = await browser.get("/console/oidc")
    state = parse_qs(urlsplit(begun.place).query)["state"][0]
    kept = dict(browser.cookies)
    for more in ("", "&code=c"):
        browser.cookies |= kept
        reply = await browser.get(f"/console/oidc/back?error=access_denied&state={state}{more}")
        assert (reply.status, "not finished" in reply.text) == (401, True)


async def test_the_way_on_leads_to_no_other_place(house: House) -> None:
    await house.person("li.wei@example.com")
    reply = await sign_on(house.browser(), "1", "https://evil.example/console")
    assert 'content="0; url=/console"' in reply.body


async def test_strangers_cannot_make_the_server_ask_without_end(house: House) -> None:
    browser = house.browser()
    statuses = [(await browser.get("/console/oidc/back?code=x&state=y")).status for _ in range(7)]
    assert statuses == [400] * 5 + [429] * 2


# -- a provider that lies


@dataclass
class Liar:
    """Answers as a provider does, with the token that `token` makes of the nonce and a code's verifier."""

    address: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    token: Callable[[], str] = lambda: ""
    published: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], str]] = field(default_factory=list)
    keys: Any = None
    """Published in place of the key; bytes: as they stand."""

    def answer(self, path: str) -> Any:
        if path.endswith("openid-configuration"):
            own = {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
            }
            return {**own, **self.published}
        if path == "/keys":
            return self.keys if self.keys is not None else {"keys": [self.key.as_dict(private=False)]}
        return {"id_token": self.token(), "access_token": "x", "token_type": "Bearer"}


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = made.answer(self.path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            made.asked.append((self.path, form, self.headers["authorization"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class TestLiar:
    @pytest.fixture
    def given_settings(self, liar: Liar) -> dict[str, object]:
        return settings_of(liar.address)

    @staticmethod
    async def try_token(house: House, liar: Liar, make: Callable[[dict[str, Any]], str]) -> Reply:
        """Come back from the provider with a token that `make` makes of the claims of a good one."""
        browser = house.browser()
        begun = await browser.get("/console/oidc")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.place).query).items()}
        now = int(time.time())
        claims = {
            "iss": liar.address, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "email": "li.wei@example.com", "email_verified": True,
        }  # fmt: skip
        liar.token = lambda: make(claims)
        reply = await browser.get(f"/console/oidc/back?{urlencode({'code': 'c', 'state': asked['state']})}")
        path, form, authorization = liar.asked[-1]
        assert path == "/token"
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        known = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        assert known == "renzheng-console:a%20secret%20%26%20more%3A%20100%25"
        return reply

    async def test_a_good_token_lets_in(self, house: House, liar: Liar) -> None:
        await house.person("li.wei@example.com")
        reply = await self.try_token(house, liar, lambda claims: signed(liar.key, claims))
        assert reply.status == 200

    @pytest.mark.parametrize(
        "change",
        [
            {"aud": "another"},
            {"aud": [CLIENT, "another"]},
            {"azp": "another"},
            {"iss": "https://id.example.com"},
            {"nonce": "another"},
            {"nonce": None},
            {"exp": -120},
            {"exp": None},
            {"iat": 600},
            {"sub": None},
        ],
        ids=str,
    )
    async def test_a_token_for_another_purpose_lets_nobody_in(
        self, house: House, liar: Liar, change: dict[str, Any]
    ) -> None:
        """`change`: what is put in place of the good claims; times are seconds from now."""
        await house.person("li.wei@example.com")
        now = int(time.time())
        changed = {name: now + value if name in ("exp", "iat") and value else value for name, value in change.items()}

        def make(claims: dict[str, Any]) -> str:
            return signed(liar.key, {name: value for name, value in (claims | changed).items() if value is not None})

        assert (await self.try_token(house, liar, make)).status == 502
        assert "signed in" not in await house.verbs()

    @pytest.mark.parametrize("verified", ["false", "true", 1, None])
    async def test_an_address_is_verified_where_the_provider_says_true_and_nothing_else(
        self, house: House, liar: Liar, verified: object
    ) -> None:
        await house.person("li.wei@example.com")
        reply = await self.try_token(
            house, liar, lambda claims: signed(liar.key, claims | {"email_verified": verified})
        )
        assert reply.status == 403
        assert "signed in" not in await house.verbs()

    async def test_a_state_is_compared_to_its_last_character(self, house: House, liar: Liar) -> None:
        browser = house.browser()
        begun = await browser.get("/console/oidc")
        state = parse_qs(urlsplit(begun.place).query)["state"][0]
        near = (state[:-1], state[:-1] + ("B" if state[-1] == "A" else "A"), state + "A")
        for wrong in near:
            place = f"/console/oidc/back?{urlencode({'code': 'c', 'state': wrong})}"
            assert (await house.browser(cookies=dict(browser.cookies)).get(place)).status == 400
        assert not liar.asked

    async def test_a_token_that_somebody_else_signed_lets_nobody_in(self, house: House, liar: Liar) -> None:
        await house.person("li.wei@example.com")
        another = RSAKey.generate_key(2048, {"kid": "1"})
        public = liar.key.as_pem(private=False)
        for make in (
            lambda claims: signed(another, claims),
            lambda claims: signed(OctKey.import_key(SECRET), claims, "HS256"),
            lambda claims: signed(OctKey.import_key(base64.b64encode(public)), claims, "HS256"),
            lambda claims: unsigned(claims),
            lambda claims: "no token",
        ):
            assert (await self.try_token(house, liar, make)).status == 502
            house.clock.now += 1000  # the tries of this address are counted
        assert "signed in" not in await house.verbs()

    async def test_a_key_that_is_new_is_found(self, house: House, liar: Liar) -> None:
        await house.person("li.wei@example.com")
        assert (await self.try_token(house, liar, lambda claims: signed(liar.key, claims))).status == 200
        liar.key = RSAKey.generate_key(2048, {"kid": "2", "use": "sig"})
        assert (await self.try_token(house, liar, lambda claims: signed(liar.key, claims))).status == 200

    async def test_keys_that_are_none_are_told_as_the_providers_fault(self, house: House, liar: Liar) -> None:
        await house.person("li.wei@example.com")
        published: tuple[Any, ...] = (
            b"<html>", b"[" * 100_000, b"\xff", [], {}, 1, {"keys": 1}, {"keys": [1]}, {"keys": [{"kty": []}]},
        )  # fmt: skip
        for keys in published:
            liar.keys = keys
            assert (await self.try_token(house, liar, lambda claims: signed(liar.key, claims))).status == 502, keys
            house.clock.now += 1000

    @pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, b"\xff", b"", b"null", b"[]"])
    async def test_what_a_provider_publishes_that_is_no_json_is_told(
        self, house: House, liar: Liar, content: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Liar, "answer", lambda *_: content)
        assert (await house.browser().get("/console/oidc")).status == 502

    async def test_a_provider_that_names_another_is_not_believed(self, house: House, liar: Liar) -> None:
        liar.published = {"issuer": "https://id.example.com"}
        reply = await house.browser().get("/console/oidc")
        assert (reply.status, "cannot be asked" in reply.text) == (502, True)


class TestNobody:
    @pytest.fixture
    def given_settings(self) -> dict[str, object]:
        return settings_of("http://127.0.0.1:9")

    async def test_a_provider_that_is_away_is_told_and_passwords_still_work(self, house: House) -> None:
        await house.person("li.wei")
        browser = house.browser()
        reply = await browser.get("/console/oidc")
        assert (reply.status, "cannot be asked" in reply.text) == (502, True)
        assert (await browser.sign_in("li.wei")).status == 303


def signed(key: RSAKey | OctKey, claims: dict[str, Any], algorithm: str = "RS256") -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid or "1"}, claims, key, algorithms=[algorithm])


def unsigned(claims: dict[str, Any]) -> str:
    parts = [{"alg": "none"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "http://id.example.com"},
        {"oidc_issuer": "id.example.com"},
        {"oidc_issuer": "https://id.example.com?x=1"},
        {"oidc_client_secret": ""},
        {"oidc_client_id": ""},
        {"oidc_claim": "e mail"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="RENZHENG_OIDC_"):
        load_settings(**(settings_of("https://id.example.com") | given))


def test_the_secret_is_shown_nowhere() -> None:
    settings = load_settings(**settings_of("https://id.example.com"))
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


@pytest.mark.parametrize("used", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
async def test_a_provider_with_tls_sends_nobody_to_an_address_without(
    used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "https://id.example.com"
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    published = {"issuer": own, **{name: f"{own}/{name}" for name in names}}
    answers = [published, published | {used: f"http://id.example.com/{used}"}]
    monkeypatch.setattr(Provider, "_ask", lambda *_: json.dumps(answers[0]).encode())
    given = ProviderSettings(own, "us", "secret", "sub", "http://here", "x")
    for good in (True, False):
        provider = Provider(given, time.time)
        try:
            if good:
                assert (await provider.address("somebody")).startswith(f"{own}/authorization_endpoint?")
            else:
                with pytest.raises(ProviderError, match="without TLS"):
                    await provider.address("somebody")
        finally:
            provider.stop()
        answers.pop(0)


async def test_a_provider_that_says_nothing_holds_up_only_whoever_signs_in_by_it() -> None:
    """Sign-ins may be begun by anybody, and the store works in the threads that are everybody's."""
    silent = Stranger(says_nothing)
    settings = ProviderSettings(f"http://127.0.0.1:{silent.port}", "us", "secret", "sub", "http://here", "x", 30)
    provider = Provider(settings, time.time)
    try:
        begun = [asyncio.create_task(provider.address(str(n))) for n in range(MAX_UNDER_WAY)]
        await asyncio.sleep(0)
        with pytest.raises(ProviderError, match="too many people"):
            await provider.address("one more")
        async with asyncio.timeout(20):
            await asyncio.to_thread(int)
        for task in begun:
            task.cancel()  # the threads still wait, so their places are not free
        await asyncio.gather(*begun, return_exceptions=True)
        with pytest.raises(ProviderError, match="too many people"):
            await provider.address("one more")
        silent.stop()
        async with asyncio.timeout(20):
            while provider._under_way:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
        with pytest.raises(ProviderError, match="cannot be reached"):
            await provider.address("later")
    finally:
        silent.stop()
        provider.stop()


@pytest.mark.parametrize(
    ("start", "seconds", "said"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", 0.4, r"no answer in 0\.4 seconds"),
     (b"HTTP/1.1 200 OK\r\nX-Header: ", 0.4, r"no answer in 0\.4 seconds"),
     (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MAX_ANSWER + 1), PATIENCE, f"the answer has more than {MAX_ANSWER} bytes")],
    ids=["a slow body", "a slow head", "no end"],
)  # fmt: skip
async def test_an_answer_of_the_provider_has_a_bound_on_the_whole(start: bytes, seconds: float, said: str) -> None:
    stranger = Stranger(drips(start))
    issuer = f"http://127.0.0.1:{stranger.port}"
    provider = Provider(ProviderSettings(issuer, "us", "secret", "sub", "http://here", "x", seconds), time.time)
    try:
        with pytest.raises(ProviderError, match=said):
            await provider.address("somebody")
    finally:
        stranger.stop()
        provider.stop()
