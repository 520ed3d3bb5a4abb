"""Pages answer to the server's own names only, so that a stranger's name pointed at it reaches nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from renzheng.base.addresses import is_loopback, own_addresses
from renzheng.server.app import App
from renzheng.server.hosts import Hosts, host_name
from renzheng.settings import SettingsError, load_settings
from tests.support.asgi import get

LOOPBACK = ("localhost", "LOCALHOST.", "localhost:8400", "127.0.0.1", "127.9.9.9:1", "[::1]:8400", "[::ffff:127.0.0.1]")
STRANGERS = (
    "evil.example", "localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example", "evil.localhost.example",
    "", "localhost:x", "local host", "localhost/", "user@localhost", "localhost\\", "[::1", "localhost:8400:1",
    "ｌocalhost",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["localhost", "localhost.", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_loopback_is_meant_exactly(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["localhost.evil.com", "127.evil.com", "127.1", "0.0.0.0", "", "localhosts", "10.0.0.1"]
)
def test_what_only_looks_like_loopback_is_not(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize("header", LOOPBACK)
def test_on_a_loopback_address_loopback_names_are_answered(header: str) -> None:
    assert Hosts("127.0.0.1").admits(header, "127.0.0.1")
    assert Hosts("0.0.0.0").admits(header, "127.0.0.1")


@pytest.mark.parametrize("header", STRANGERS)
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "192.0.2.7"])
def test_a_strangers_name_is_answered_nowhere(listens_on: str, header: str) -> None:
    assert not Hosts(listens_on).admits(header, "127.0.0.1")
    assert not Hosts(listens_on, "https://faceid.example.com").admits(header, "127.0.0.1")


def test_on_a_loopback_address_nothing_else_is_ours() -> None:
    hosts = Hosts("127.0.0.1")
    assert not any(hosts.admits(name, "127.0.0.1") for name in (socket.gethostname(), "192.0.2.7"))


def test_elsewhere_the_machines_own_names_and_addresses_are_answered() -> None:
    hosts = Hosts("0.0.0.0")
    own = [f"[{address}]" if ":" in address else address for address in own_addresses()]
    for name in (socket.gethostname(), f"{socket.gethostname()}.local", *own):
        assert hosts.admits(f"{name}:8400", "192.0.2.7"), name
    assert hosts.admits("192.0.2.7", "192.0.2.7"), "an address that the machine got since"
    assert not hosts.admits("192.0.2.8", "192.0.2.7")
    assert Hosts("shop.internal").admits("shop.internal", "192.0.2.7")


def test_with_a_public_address_that_alone_is_answered() -> None:
    hosts = Hosts("127.0.0.1", "https://FaceID.example.com:8443", ["faceid.internal"])
    for name in ("faceid.example.com", "faceid.example.com:443", "FACEID.example.com.", "faceid.internal:8400"):
        assert hosts.admits(name, "127.0.0.1"), name
    for name in ("127.0.0.1", "localhost", "www.faceid.example.com", "example.com", socket.gethostname()):
        assert not hosts.admits(name, "127.0.0.1"), name


def test_a_name_is_compared_without_case_port_and_dot() -> None:
    assert host_name("A.Example.:443") == "a.example"
    assert host_name("[2001:DB8::0:1]:443") == "2001:db8::1"


@pytest.mark.parametrize("hosts", ["https://a.example", "a.example:8400", "a.example/x", "a b"])
def test_an_allowed_host_is_a_name_alone(hosts: str) -> None:
    with pytest.raises(SettingsError, match="RENZHENG_ALLOWED_HOSTS"):
        load_settings(allowed_hosts=hosts)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    folder = tmp_path_factory.mktemp("hosts")
    return App(load_settings(data_dir=folder / "data", keys_dir=folder / "keys", host="127.0.0.1", public_url=""))


@pytest.mark.parametrize("path", ["/verify", "/explorer", "/explorer/description.json", "/static/page.css", "/nothing"])
async def test_no_page_is_served_under_a_strangers_name(app: App, path: str) -> None:
    status, _, body = await get(app, path, host="evil.example")
    assert status == 421
    assert b"RENZHENG_ALLOWED_HOSTS" in body
    assert b"evil" not in body
    assert (await get(app, path, host="localhost:8400"))[0] in (200, 404)


async def test_metrics_are_not_served_under_a_strangers_name(app: App) -> None:
    for path in ("/metrics", "/readyz"):
        assert (await get(app.operator, path, host="evil.example"))[0] == 421
    assert (await get(app.operator, "/metrics"))[0] == 200


async def test_liveness_and_the_signed_api_are_answered_under_any_name(app: App) -> None:
    for host in ("evil.example", "localhost"):
        assert (await get(app, "/healthz", host=host))[0] == 200
        status, headers, body = await get(app, "/", host=host)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert b"MissingParameter" in body


async def test_the_capture_socket_is_refused_before_it_is_accepted(app: App) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/capture/v1", "raw_path": b"/capture/v1", "query_string": b"", "scheme": "ws",
        "server": ("127.0.0.1", 8400), "client": ("127.0.0.1", 1), "subprotocols": [],
        "headers": [(b"host", b"evil.example:8400"), (b"origin", b"http://evil.example:8400")],
    }  # fmt: skip
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_two_host_headers_are_none(app: App, tmp_path: Path) -> None:
    status, _, _ = await get(_Doubled(app), "/explorer")
    assert status == 421


class _Doubled:
    """Sends a second Host header along."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["headers"].append((b"host", b"localhost"))
        await self._app(scope, receive, send)


@pytest.mark.parametrize("query", ["&" * 256, "a" * 33_000])
async def test_a_query_of_a_page_has_the_bounds_of_a_calls(app: App, query: str) -> None:
    """Of both listeners; a call's own is refused by the API, in its form."""
    for served, path in ((app, "/verify"), (app, "/nothing"), (app.operator, "/console/sign-in"), (app.operator, "/x")):
        assert (await get(served, path, query=query))[0] == 414, path
    status, _, body = await get(app, "/", query=f"SecretId=1&{query}")
    assert (status, b'"Error"' in body) == (200, True)
    assert (await get(app, "/verify", query="&" * 255))[0] == 200
