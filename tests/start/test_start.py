"""Who opens the bare address in a browser finds a page; a client of the API finds what it always found."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from pathlib import Path

import pytest

from renzheng.server.app import App
from renzheng.settings import load_settings
from tests.support.asgi import get
from tests.support.server import PATIENCE, Server

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def make_app(folder: Path, explorer: bool = True) -> App:
    return App(load_settings(data_dir=folder / "data", keys_dir=folder / "keys", explorer=explorer, public_url=""))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return make_app(tmp_path_factory.mktemp("start"))


@pytest.mark.parametrize(
    ("wanted", "said"), [("zh-CN,zh;q=0.9", "服务已启动"), ("de,en;q=0.5", "The server runs."), ("", "The")]
)
async def test_a_browser_finds_a_page_in_its_language(app: App, wanted: str, said: str) -> None:
    status, headers, body = await get(app, "/", accept=HTML, accept_language=wanted)
    text = body.decode()
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert said in text
    assert "script" not in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["vary"] == "Accept, Accept-Language"
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        assert (await get(app, link))[0] == 200, link


async def test_without_the_explorer_nothing_leads_there(tmp_path: Path) -> None:
    for tag in ("en", "zh"):
        _, _, body = await get(make_app(tmp_path, explorer=False), "/", accept=HTML, accept_language=tag)
        assert b"explorer" not in body
        assert b"quickstart" in body


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", "", {}),
        ("GET", "", {"accept": "*/*"}),
        ("GET", "", {"accept": "application/json"}),
        ("GET", "", {"accept": HTML, "authorization": "TC3-HMAC-SHA256 x"}),
        ("GET", "", {"accept": HTML, "x_tc_action": "GetFaceIdToken"}),
        ("GET", "Action=GetFaceIdToken&Version=2018-03-01", {"accept": HTML}),
        ("GET", "SecretId=x", {"accept": HTML}),
        ("POST", "", {"accept": HTML}),
        ("PUT", "", {"accept": HTML}),
    ],
)
async def test_a_client_of_the_api_sees_no_difference(
    app: App, method: str, query: str, headers: dict[str, str]
) -> None:
    status, given, body = await get(app, "/", method, query, **headers)
    assert (status, given["content-type"]) == (200, "application/json")
    assert "Error" in json.loads(body)["Response"]


async def test_the_docs_are_there_as_text_and_nothing_else_is(app: App) -> None:
    status, headers, body = await get(app, "/docs/quickstart.md")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert body.startswith(b"# Quickstart")
    for path in ("/docs/..%2fpyproject.toml", "/docs/../pyproject.toml", "/docs/nothing.md", "/docs/accuracy"):
        assert (await get(app, path))[0] == 404


def test_over_the_wire_the_page_and_a_strangers_name_have_their_own_status(tmp_path: Path) -> None:
    """The short way for the API writes the head itself."""
    server = Server(tmp_path).start()
    try:
        line = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        for host, status in (("localhost", 200), ("evil.example", 421), ("localhost", 200)):
            line.request("GET", "/", headers={"Accept": HTML, "Host": host})
            reply = line.getresponse()
            body = reply.read()
            assert (reply.status, b"The server runs." in body) == (status, status == 200)
        line.request("GET", "/", headers={"Host": "evil.example"})
        reply = line.getresponse()
        assert (reply.status, b"MissingParameter" in reply.read()) == (200, True)
        line.close()
    finally:
        server.stop()
