"""What the page may do, what it weighs, and whom it may be framed by."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest
from playwright.async_api import Browser, Response

from tests.browser.stage import assert_same_texts, device
from tests.support.images import base64_of, sample
from tests.support.server import PATIENCE, Server
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOP = "https://shop.example"
WEIGHT = 140_000  # bytes, unpacked; a third of that on the way


@pytest.fixture(scope="module")
def listed(server: Server) -> Iterator[Server]:
    server.command("account", "origins", SHOP)
    framed = f"{server.url}/verify?origin={urllib.parse.quote(SHOP, safe='')}"
    server.follow()
    assert fetch(framed)[0] == 200
    yield server
    server.command("account", "origins", "--clear")


def fetch(url: str, **headers: str) -> tuple[int, Message, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def policy_of(headers: Message) -> dict[str, str]:
    parts = (part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    return {part[0]: part[1] if len(part) > 1 else "" for part in parts}


async def test_the_page_allows_its_own_files_and_socket_and_nothing_else(server: Server) -> None:
    status, headers, body = fetch(f"{server.url}/verify")
    policy = policy_of(headers)
    host = server.url.split("/")[2]
    assert status == 200
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
    assert policy["connect-src"] == f"'self' ws://{host} wss://{host}"
    assert (
        policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == policy["trusted-types"] == "'none'"
    )
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(rb"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", body), "nothing inline"


async def test_a_host_header_cannot_widen_the_policy(server: Server) -> None:
    status, headers, _ = fetch(f"{server.url}/verify", Host="a.example; script-src *")
    assert status >= 400
    assert "script-src *" not in (headers["Content-Security-Policy"] or "")


@pytest.mark.parametrize(
    "origin",
    ["https://other.example", "https://shop.example.evil.example", "https://shop.example/", "null", "'self'", "*",
     'https://shop.example"><script>', "https://shop.example; script-src *"],
)  # fmt: skip
async def test_an_origin_that_is_not_listed_may_not_frame_the_page(listed: Server, origin: str) -> None:
    quoted = urllib.parse.quote(origin, safe="")
    status, headers, body = fetch(f"{listed.url}/verify?origin={quoted}")
    assert status == 403
    assert policy_of(headers)["frame-ancestors"] == "'none'"
    assert b"renzheng-origin" not in body
    assert b"<script" not in body


async def test_an_origin_that_is_listed_may_frame_it_and_no_other_may(listed: Server) -> None:
    status, headers, body = fetch(f"{listed.url}/verify?origin={urllib.parse.quote(SHOP, safe='')}")
    assert status == 200
    assert policy_of(headers)["frame-ancestors"] == SHOP
    assert f'name="renzheng-origin" content="{SHOP}"'.encode() in body


async def test_files_are_asked_for_anew_and_answered_unchanged(server: Server) -> None:
    for path in ("/static/page.js", "/sdk/renzheng.js"):
        _, headers, body = fetch(f"{server.url}{path}")
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Content-Type"].startswith("text/javascript")
        assert fetch(f"{server.url}{path}", **{"If-None-Match": headers["ETag"]})[0] == 304
        _, packed, small = fetch(f"{server.url}{path}", **{"Accept-Encoding": "gzip"})
        assert packed["Content-Encoding"] == "gzip"
        assert len(small) < len(body) / 2
    assert fetch(f"{server.url}/sdk/renzheng.js")[1]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path", ["/static/verify.html", "/static/../pages.py", "/static/%2e%2e/pages.py", "/sdk/page.js"]
)
async def test_nothing_but_the_listed_files_is_served(server: Server, path: str) -> None:
    assert fetch(f"{server.url}{path}")[0] == 404


async def test_page_and_sdk_weigh_less_than_140_kb_and_ask_no_other_host(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    token = issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    async with device(browser) as person:
        responses: list[Response] = []
        person.page.on("response", lambda response: responses.append(response))
        await person.open(server.url, token)
        await person.screen("ready")
        await person.page.wait_for_load_state("networkidle")
        fetched = {response.url.split("#")[0]: len(await response.body()) for response in responses}
    assert f"{server.url}/sdk/renzheng.js" in fetched
    assert sum(fetched.values()) < WEIGHT, fetched
    assert person.hosts == {server.url.split("/")[2]}
    assert not any(token in url for url in fetched), "the token is in no address that the server sees"


async def test_both_languages_have_the_same_texts_and_fill_in_the_same_values(server: Server, browser: Browser) -> None:
    async with device(browser) as person:
        await person.page.goto(f"{server.url}/verify")
        languages = await person.page.evaluate("import('/static/texts.js').then((module) => module.LANGUAGES)")
    assert_same_texts(languages, "account")


async def test_reduced_motion_holds_every_animation_still(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    token = issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    async with device(browser) as person:
        await person.page.emulate_media(reduced_motion="reduce")
        await person.open(server.url, token)
        await person.screen("ready")
        await person.page.wait_for_timeout(200)
        running = await person.page.evaluate("document.getAnimations().filter((a) => a.playState === 'running').length")
    assert running == 0
