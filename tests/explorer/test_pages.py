"""How the page is served: strictly, to everybody alike, and not at all where it is turned off."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path

import pytest

from renzheng.server.app import App
from renzheng.settings import load_settings
from tests.support.asgi import get


def make_app(folder: Path, explorer: bool) -> App:
    settings = load_settings(data_dir=folder / "data", keys_dir=folder / "keys", explorer=explorer)
    return App(settings, clock=time.time)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return make_app(tmp_path_factory.mktemp("explorer"), explorer=True)


async def test_the_page_allows_its_own_files_and_nothing_else(app: App) -> None:
    status, headers, body = await get(app, "/explorer")
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert status == 200
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
        "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'", "trusted-types": "'none'",
    }  # fmt: skip
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not re.search(rb"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:", body), "nothing inline or external"


async def test_nobody_elses_page_may_read_any_of_it(app: App) -> None:
    for path in ("/explorer", "/explorer/explorer.js", "/explorer/description.json"):
        _, headers, _ = await get(app, path, origin="https://shop.example")
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("access-control")]


async def test_files_come_packed_and_are_answered_unchanged(app: App) -> None:
    for path in ("/explorer", "/explorer/explorer.css", "/explorer/description.json"):
        _, headers, body = await get(app, path)
        assert (await get(app, path, if_none_match=headers["etag"]))[0] == 304
        _, packed, small = await get(app, path, accept_encoding="gzip")
        assert packed["content-encoding"] == "gzip"
        assert gzip.decompress(small) == body


async def test_all_that_the_page_refers_to_is_there(app: App) -> None:
    waiting, seen = ["/explorer"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        status, headers, body = await get(app, path)
        assert status == 200, path
        folder = path.rpartition("/")[0]
        if headers["content-type"].startswith(("text/html", "text/javascript")):
            found = re.findall(r"(?:href=|src=|from )\"(/[\w./-]+|\./[\w.-]+)\"", body.decode())
            waiting += [name if name.startswith("/") else f"{folder}/{name[2:]}" for name in found]
    assert {"/explorer/explorer.css", "/explorer/sign.js", "/static/dom.js", "/static/colours.css"} <= seen


@pytest.mark.parametrize(
    "path", ["/explorer/explorer.html", "/explorer/../pages.py", "/explorer/texts.py", "/explorer/%2e%2e/pages.py"]
)
async def test_nothing_but_the_listed_files_is_served(app: App, path: str) -> None:
    assert (await get(app, path))[0] == 404


async def test_the_description_is_that_of_the_running_servers_own_actions_and_limits(app: App) -> None:
    _, headers, body = await get(app, "/explorer/description.json")
    description = json.loads(body)
    assert headers["content-type"] == "application/json"
    assert [action["name"] for action in description["actions"]] == ["GetFaceIdToken", "GetFaceIdResult"]
    assert description["limits"] == {
        "imageCharacters": 8 * 1024 * 1024, "bodyBytes": app.settings.body_bytes, "clockSeconds": 300,
    }  # fmt: skip


async def test_turned_off_it_is_not_there(tmp_path: Path) -> None:
    off = make_app(tmp_path, explorer=False)
    for path in ("/explorer", "/explorer/explorer.js", "/explorer/description.json"):
        assert (await get(off, path))[0] == 404
    assert (await get(off, "/verify"))[0] == 200
