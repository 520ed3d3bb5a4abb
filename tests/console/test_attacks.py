"""The console attacked: planted sessions, forged forms, guessed passwords, frames around it, scripts in its texts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pyotp
import pytest
import starlette.requests
from starlette.requests import Request
from starlette.routing import Route

from renzheng.accounts.operators import Role
from renzheng.console.door import SESSION_COOKIE
from renzheng.console.forms import MULTIPART, URLENCODED, FormError, Pace, read_form
from renzheng.console.passwords import Passwords, PasswordsBusyError
from renzheng.console.rendering import templates
from renzheng.server.console_parts import console_settings
from renzheng.server.logs import LoggedProblem
from renzheng.settings import load_settings
from tests.support.server import PATIENCE
from tests.support.stores import sqlite_of

from .conftest import CHEAP, NODES, PASSWORD, TOTP, Browser, House

SCRIPT = "<script>alert(1)</script>"
INLINE = re.compile(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|(?:src|href|action)=\"(?:https?:|//)")


def routes(house: House) -> list[tuple[str, str]]:
    """Every path of the console with a method, parameters filled in."""
    found = []
    for route in house.routes:
        if isinstance(route, Route) and route.path.startswith("/console"):
            path = re.sub(r"\{\w+(:\w+)?\}", "1", route.path)
            found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


OPEN = {
    "/console/static/1", "/console/language/1", "/console/sign-in", "/console/code", "/console/welcome/1",
    "/console/sign-out", "/console/1",
}  # fmt: skip


async def test_without_a_session_every_page_leads_to_the_sign_in_and_does_nothing(house: House) -> None:
    await house.person("li.wei")
    before = await house.verbs()
    tried = [(method, path) for method, path in routes(house) if path not in OPEN]
    assert len(tried) > 5
    for method, path in tried:
        for browser in (house.browser(), house.browser(cookies={SESSION_COOKIE: "1.guessed"})):
            reply = await browser.get(path) if method == "GET" else await browser.post(path, {"token": "x"})
            assert (reply.status, reply.place[:16]) in ((303, "/console/sign-in"), (403, "")), path
    assert await house.verbs() == before


async def test_half_a_sign_in_opens_nothing(house: House) -> None:
    await house.person("li.wei", totp=TOTP)
    browser = house.browser()
    await browser.sign_in("li.wei")
    token = (await browser.get("/console/code")).hidden()
    for method, path in routes(house):
        if path not in OPEN:
            reply = await browser.get(path) if method == "GET" else await browser.post(path, {"token": token})
            assert reply.status in (303, 403), path
            assert "li.wei" not in reply.body
    house.clock.now += 301
    assert (await browser.get("/console/code")).place == "/console/sign-in", "it waits five minutes"


async def test_a_session_that_somebody_planted_is_not_the_one_that_is_signed_in(house: House) -> None:
    await house.person("li.wei", totp=TOTP)
    await house.person("eve")
    eve = house.browser()
    await eve.sign_in("eve")
    planted = eve.cookies[SESSION_COOKIE]
    victim = house.browser(cookies={SESSION_COOKIE: planted})
    await victim.sign_in("li.wei")
    half = victim.cookies[SESSION_COOKIE]
    assert half != planted
    assert (await eve.get("/console")).status == 303, "the planted one has ended"
    await victim.submit("/console/code", {"code": pyotp.TOTP(TOTP).at(house.clock())})
    whole = victim.cookies[SESSION_COOKIE]
    assert whole != half
    for old in (planted, half):
        assert (await house.browser(cookies={SESSION_COOKIE: old}).get("/console")).status == 303
    assert (await victim.get("/console")).status == 200


async def test_a_stolen_cookie_in_another_browser_ends_the_session(house: House) -> None:
    browser = await house.signed_in("li.wei")
    thief = house.browser(agent="curl/8", cookies=dict(browser.cookies))
    assert (await thief.get("/console")).status == 303
    assert (await browser.get("/console")).status == 303
    assert "session ended: used in another browser" in await house.verbs()


async def test_the_cookie_is_for_this_site_and_no_script(house: House) -> None:
    await house.person("li.wei")
    reply = await house.browser().sign_in("li.wei")
    (line,) = reply.cookies
    assert {part.strip().lower() for part in line.split(";")[1:]} == {"path=/console", "httponly", "samesite=strict"}


class TestBehindTls:
    @pytest.fixture
    def given_settings(self) -> dict[str, object]:
        return {"console_url": "https://console.example"}

    async def test_the_cookie_goes_over_tls_alone_where_people_come_by_it(self, house: House) -> None:
        await house.person("li.wei")
        form, own = {"name": "li.wei", "password": PASSWORD}, "https://console.example"
        reply = await house.browser().post("/console/sign-in", form, origin=own)
        assert ["secure" in line.lower().split("; ") for line in reply.cookies] == [True]
        assert (await house.browser().post("/console/sign-in", form)).status == 403, "of another origin"


FOREIGN: tuple[dict[str, Any], ...] = (
    {"origin": None},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9000"},
    {"origin": "https://127.0.0.1:8401"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "cross-site"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_form_of_another_page_does_nothing_even_with_the_token(house: House, headers: dict[str, Any]) -> None:
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/me")).hidden()
    for path, fields in (
        ("/console/sign-out", {}),
        ("/console/me/password", {"current": PASSWORD, "password": "an evil password", "again": "an evil password"}),
    ):
        reply = await browser.post(path, {"token": token, **fields}, **headers)
        assert (reply.status, "not of this session" in reply.text) == (403, True)
    assert (await browser.get("/console")).status == 200
    assert (await house.browser().sign_in("li.wei")).status == 303
    assert (
        await house.browser().post("/console/sign-in", {"name": "li.wei", "password": PASSWORD}, **headers)
    ).status == 403


@pytest.mark.parametrize("token", ["", "x", "中文"])
async def test_a_form_without_this_sessions_token_does_nothing(house: House, token: str) -> None:
    browser, eve = await house.signed_in("li.wei"), await house.signed_in("eve")
    own = (await browser.get("/console/me")).hidden()
    near = (own[:-1], own[:-1] + ("1" if own[-1] == "0" else "0"), own + "0")
    for wrong in (token, (await eve.get("/console/me")).hidden(), *near):
        assert (await browser.post("/console/sign-out", {"token": wrong})).status == 403
    assert (await browser.get("/console")).status == 200
    assert "form of another page refused" in await house.verbs()


async def test_passwords_cannot_be_guessed_in_a_row(house: House) -> None:
    await house.person("li.wei")
    eve = house.browser(address="203.0.113.9")
    found = [(await eve.sign_in("li.wei", f"guess number {n}")).status for n in range(7)]
    assert found == [401] * 5 + [429] * 2
    assert house.tried == {"wrong": 5, "too_many": 2}
    refused = await eve.sign_in("LI.WEI", PASSWORD)
    assert (refused.status, "Try again in 15 minutes" in refused.text) == (429, True), "right, and too late"
    assert (await house.browser(address="198.51.100.1").sign_in("li.wei")).status == 303, "the person is not locked out"
    house.clock.now += 901
    assert (await eve.sign_in("li.wei")).status == 303


async def test_an_address_has_no_more_tries_for_many_names_nor_a_name_for_many_addresses(house: House) -> None:
    await house.person("li.wei")
    eve = house.browser(address="2001:db8::1")
    for number in range(20):
        eve.address = f"2001:db8::{number + 1:x}"  # one subscriber's
        assert (await eve.sign_in(f"name{number}", "guess")).status == 401
    assert (await eve.sign_in("name20", "guess")).status == 429
    for number in range(50):
        assert (await house.browser(address=f"203.0.113.{number}").sign_in("li.wei", "guess")).status == 401
    assert (await house.browser(address="203.0.113.99").sign_in("li.wei", "guess")).status == 429


async def test_codes_cannot_be_guessed_in_a_row_from_wherever(house: House) -> None:
    await house.person("li.wei", totp=TOTP)
    found = []
    for number in range(7):
        eve = house.browser(address=f"203.0.113.{number}")
        await eve.sign_in("li.wei")
        found.append((await eve.submit("/console/code", {"code": f"99999{number}"})).status)
    assert found == [401] * 5 + [429] * 2
    assert (await house.verbs()).count("code refused") == 5


async def test_who_found_a_browser_signed_in_cannot_guess_the_password_there(house: House) -> None:
    browser = await house.signed_in("li.wei")
    found = []
    for number in range(7):
        given = {"current": f"guess number {number}"}
        found.append((await browser.submit("/console/me", given, "/console/me/factor/remove")).status)
    assert found == [403] * 5 + [429] * 2
    assert (await house.verbs()).count("password refused") == 5
    given = {"current": PASSWORD, "password": "an evil password", "again": "an evil password"}
    assert (await browser.submit("/console/me", given, "/console/me/password")).status == 429, "right, and too late"


async def test_every_form_asks_whose_page_sent_it(house: House) -> None:
    """Of this very session, and of this origin: each path that takes a form, with all that its address names."""
    browser = await house.signed_in("li.wei")
    token = (await browser.get("/console/me")).hidden()
    named = {"/do/1": "/do/DisableKey", "/explorer/1/1": "/explorer/renzheng/DescribeAccounts"}
    asked = set()
    for method, path in routes(house):
        if method != "POST" or path in OPEN:
            continue
        full = next((path.replace(short, long) for short, long in named.items() if short in path), path)
        for fields, origin in (({"token": "x"}, "http://127.0.0.1:8401"), ({"token": token}, "https://evil.example")):
            reply = await browser.post(full, fields, origin=origin)
            assert (reply.status, "not of this session" in reply.text) == (403, True), full
        asked.add(full)
    assert len(asked) >= 12
    assert (await browser.get("/console")).status == 200


async def test_nobody_learns_which_names_there_are(house: House) -> None:
    await house.person("li.wei")
    known, unknown = [await house.browser().sign_in(name, "wrong password") for name in ("li.wei", "nobody")]
    assert known.body.replace("li.wei", "") == unknown.body.replace("nobody", "")
    hashed: list[str] = []

    class Counting(type(CHEAP)):  # type: ignore[misc]
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002
            hashed.append(str(password))
            return bool(super().verify(hash, password))

    passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert not await passwords.matches(None, "a")
    assert not await passwords.matches(CHEAP.hash("b"), "a")
    assert not await passwords.matches(None, "nobody's password"), "what stands in for nobody's opens nothing"
    assert not await passwords.matches(CHEAP.hash("b" * 257), "b" * 257), "nobody can have chosen so long a one"
    assert hashed == ["a", "a", "nobody's password"]
    passwords.stop()


async def test_a_flood_of_passwords_gets_a_few_places(house: House) -> None:
    await house.person("li.wei")
    found = await asyncio.gather(
        *(house.browser(address=f"203.0.113.{n}").sign_in(f"name{n}", "guess") for n in range(30))
    )
    assert {reply.status for reply in found} == {401, 503}


async def test_who_leaves_while_a_password_is_checked_frees_its_place_when_its_thread_is_free() -> None:
    begun, ends = threading.Event(), threading.Event()

    class Waiting(type(CHEAP)):  # type: ignore[misc]
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            begun.set()
            assert ends.wait(PATIENCE)
            return str(super().hash(password, salt=salt))

    passwords = Passwords(Waiting(time_cost=1, memory_cost=8, parallelism=1), threads=1, places=1)
    leaving = asyncio.create_task(passwords.hash("a"))
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    with pytest.raises(PasswordsBusyError):
        await passwords.hash("b")
    ends.set()
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(PasswordsBusyError):
                assert await passwords.hash("b")
                break
            await asyncio.sleep(0.01)
    passwords.stop()


async def test_what_is_typed_as_a_name_is_in_no_log(house: House) -> None:
    await house.browser().sign_in("my password by mistake", "x")
    assert [event for event in await house.store.audit.newest() if "mistake" in f"{event}"] == []
    assert "sign-in refused" in await house.verbs()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/console/../x", "/consolevil", "javascript:alert(1)",
     "/console//evil.example", "/console?x=\r\nSet-Cookie: a=b", "/console/me#//evil", "/"],
)  # fmt: skip
async def test_no_link_leads_away(house: House, target: str) -> None:
    await house.person("li.wei")
    browser = house.browser()
    form = {"name": "li.wei", "password": PASSWORD, "next": target}
    assert (await browser.post("/console/sign-in", form)).place == "/console"
    assert (await browser.get(f"/console/language/zh?next={quote(target, safe='')}")).place == "/console"


async def every_page(house: House, browser: Browser) -> dict[str, str]:
    found = {}
    for method, path in routes(house):
        if method == "GET":
            reply = await browser.get(path)
            assert "server failed" not in reply.text, path
            found[path] = reply.body
    return found


async def test_every_page_is_strict(house: House) -> None:
    """Nothing inline, nothing from elsewhere, nobody's frame, nothing kept in a cache, and a policy that says so."""
    for browser in (await house.signed_in("li.wei"), house.browser()):
        for method, path in routes(house):
            if method != "GET" or path.startswith("/console/static"):
                continue
            reply = await browser.get(path)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "form-action 'self'" in policy
            assert "base-uri 'none'" in policy
            assert "trusted-types 'none'" in policy
            assert "unsafe" not in policy
            assert reply.headers["cache-control"] == "no-store"
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["cross-origin-opener-policy"] == "same-origin"
            found = re.search(
                r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|(?:src|href|action)=\"(?:https?:|//)", reply.body
            )
            assert not found, (path, found)


async def test_no_stored_text_becomes_markup(house: House) -> None:
    """Names are held to letters; what is not is written into the records by hand here."""
    browser = await house.signed_in("li.wei")
    connection = sqlite_of(house.store)._writer
    connection.execute("UPDATE operators SET name = ?", (SCRIPT,))
    await house.store.authenticity.sign(sqlite_of(house.store)._writing, "operators", 1)
    house.health = replace(
        house.health,
        reasons={SCRIPT: SCRIPT},
        free={SCRIPT: 1},
        steps={("opened", SCRIPT): 1},
        troubles=[LoggedProblem(house.clock(), "error", SCRIPT, SCRIPT)],
    )
    pages = await every_page(house, browser)
    assert not [path for path, body in pages.items() if SCRIPT in body]
    assert pages["/console"].count("&lt;script&gt;") >= 6


async def test_hostile_requests_get_a_page_and_nothing_else(house: House) -> None:
    browser = await house.signed_in("li.wei")
    kind = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:8401"}
    for body, headers, status in (
        (b"a" * 70_000, kind, 413), (b"&".join(b"a=1" for _ in range(300)), kind, 400), (b"\xff\xfe", kind, 400),
        (b"token=%ff", kind, 400), (b"{}", kind | {"content-type": "application/json"}, 415), (b"", kind, 403),
    ):  # fmt: skip
        reply = await browser.ask("POST", "/console/sign-out", body, headers)
        assert (reply.status, "<h1>" in reply.body) == (status, True), body[:20]
    for path in ("/console/nothing", "/console/static/../app.py", "/console/static/app.py", "/console/welcome/1.x"):
        assert (await browser.get(path)).status == 404
    assert (await browser.get("/console", host="evil.example")).status == 421
    assert (await browser.get("/console")).status == 200


async def test_cookies_are_read_by_a_pattern_and_long_queries_by_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries' readers take seconds for a head of 64 KiB, from whoever reaches the sign-in page."""
    browser = await house.signed_in("li.wei")

    def read(*_: object) -> Any:
        raise AssertionError("read by the library")

    secret = browser.cookies[SESSION_COOKIE]
    monkeypatch.setattr(starlette.requests, "cookie_parser", read)
    stranger = house.browser()
    quoted = f'"{chr(92) * 60_000}"'  # of backslashes
    for worst in (f"a={quoted}", "a=1;" * 15_000, "; " * 30_000, f"{SESSION_COOKIE}={quoted}"):
        assert (await stranger.get("/console/sign-in", cookie=worst)).status == 200
        assert (await stranger.get("/console", cookie=worst)).status == 303
        assert (await stranger.get("/console", cookie=f"{worst};  {SESSION_COOKIE}={secret} ;b=2")).status == (
            303 if SESSION_COOKIE in worst else 200
        )
    monkeypatch.setattr(starlette.requests, "QueryParams", read)
    for query in ("&".join(["a=1"] * 257), "&" * 256, "a=" + "%41" * 11_000):
        assert (await stranger.get(f"/console/sign-in?{query}")).status == 414


async def test_a_number_in_a_path_has_no_more_digits_than_records_have(house: House) -> None:
    browser = await house.signed_in("li.wei")
    numbered = [route for route in house.routes if isinstance(route, Route) and ":" in route.path.replace(":path", "")]
    assert len(numbered) == 4
    assert all("{" not in re.sub(r"\{\w+(:(number|path))?\}", "", route.path) for route in numbered)
    for digits in ("1" * 19, "9" * 5000):
        for path in {re.sub(r"\{\w+:number\}", digits, route.path) for route in numbered}:
            assert (await browser.get(path)).status == 404, path[:80]
            assert (await house.browser().get(path)).status == 404


async def test_a_role_that_was_changed_by_hand_lets_nobody_in(house: House) -> None:
    browser = await house.signed_in("eve", Role.AUDITOR)
    sqlite_of(house.store)._writer.execute("UPDATE operators SET role = 'owner'")
    assert (await browser.get("/console")).status == 303
    assert (await house.browser().sign_in("eve")).status == 401


@pytest.mark.parametrize("kind", [URLENCODED, f"{MULTIPART}; boundary=b"])
async def test_a_form_that_does_not_come_holds_no_connection(kind: str) -> None:
    """Of the listener's few: whoever sends one byte now and then would lock the console."""
    sent = asyncio.Event()

    async def receive() -> Any:
        await asyncio.sleep(0)
        if not sent.is_set():
            sent.set()
            return {"type": "http.request", "body": b"a", "more_body": True}
        return await asyncio.Event().wait()

    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, receive)
    with pytest.raises(FormError) as refused:
        await read_form(request, 100, Pace(0.01, 1e9))
    assert (refused.value.status, sent.is_set()) == (408, True)


def test_forms_come_as_fast_as_bodies_of_calls_have_to() -> None:
    given = console_settings(load_settings(body_seconds=7, body_rate=99))
    assert given.pace == Pace(7, 99)


async def test_forms_of_other_pages_fill_no_disk(house: House) -> None:
    """Whoever reaches the listener can send them, without any session."""
    for _ in range(2):
        for _ in range(20):
            assert (await house.browser().post("/console/sign-in", {}, origin="https://evil.example")).status == 403
        house.clock.now += 60
    lines = (await house.verbs()).count("form of another page refused")
    assert lines == 2 * NODES


async def test_no_more_of_the_languages_is_read_than_a_browser_sends(house: House) -> None:
    for languages, shown in (("zh-CN,en", "zh"), ("de," * 300 + "zh", "zh"), ("," * 60_000 + "zh", "en")):
        assert f'lang="{shown}' in (await house.browser(language=languages).get("/console/sign-in")).body


async def test_no_template_is_compiled_on_the_event_loop(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page of a console would stop the server for as long as several pages take to be compiled."""
    by: set[bool] = set()
    compiled = templates.compile

    def noted(*given: Any, **named: Any) -> Any:
        by.add(threading.current_thread() is threading.main_thread())
        return compiled(*given, **named)

    monkeypatch.setattr(templates, "compile", noted)
    assert templates.cache is not None
    templates.cache.clear()
    assert (await house.browser().get("/console/sign-in")).status == 200
    assert by == {False}
    by.clear()
    browser = await house.signed_in("li.wei")
    await every_page(house, browser)
    assert not by
