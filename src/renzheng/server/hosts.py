"""The names that a server answers to, so that no foreign page can reach it under a name of its own.

The owner of a name can point it to this machine for a visitor's browser, which then takes the foreign page and ours for
one site (DNS rebinding). The signed API accepts any name: there a key decides, and SDKs send any.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, MutableMapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.responses import PlainTextResponse

from renzheng.base.addresses import is_loopback, own_addresses

log = structlog.get_logger("renzheng")

Scope = MutableMapping[str, Any]
HEADER = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
MAX_TOLD = 20
SENTENCE = (
    "This server does not answer to the name in the Host header. "
    "Its operator names it by RENZHENG_PUBLIC_URL or RENZHENG_ALLOWED_HOSTS.\n"
)


def host_name(given: str) -> str | None:
    """Return the name in a Host header, without port, brackets and the root's dot, in lower case; None if it is
    invalid."""
    found = HEADER.fullmatch(given)
    return None if found is None else plain_name(found["name"])


def plain_name(name: str) -> str:
    """Return a name or an address in the form in which two are compared."""
    bare = name.strip("[]").rstrip(".").lower()
    try:
        address: IPv4Address | IPv6Address = ip_address(bare)
    except ValueError:
        return bare
    return str(getattr(address, "ipv4_mapped", None) or address)


class Hosts:
    """The names that one listener answers to.

    `listens_on`: its address. `public_url`: where devices reach it; empty if that is the same. `allowed`: further
    names. With a public address it answers to that alone, on a loopback address to loopback names, elsewhere to the
    machine's own addresses and names. `allowed` is added to each.
    """

    def __init__(self, listens_on: str, public_url: str = "", allowed: Iterable[str] = ()) -> None:
        self._names = {plain_name(name) for name in allowed}
        self._takes_loopback = not public_url
        self._takes_own = not public_url and not is_loopback(listens_on)
        if public_url:
            self._names.add(plain_name(urlsplit(public_url).hostname or ""))
        elif self._takes_own:
            own = socket.gethostname()
            self._names |= {plain_name(name) for name in (listens_on, own, f"{own}.local", *own_addresses())}

    def admits(self, header: str, reached_at: str = "") -> bool:
        """Return whether a request is for this listener. `reached_at`: our address that the connection came to."""
        name = host_name(header)
        if name is None:
            return False
        if name in self._names or (self._takes_loopback and is_loopback(name)):
            return True
        return self._takes_own and reached_at != "" and name == plain_name(reached_at)


class HostGuard:
    """Passes on requests whose Host is one of ours. Others get 421, or are refused before a socket is accepted.

    `open_paths` are answered under any name, as load balancers request them by address.
    """

    def __init__(self, app: Callable[..., Any], hosts: Hosts, open_paths: Iterable[str] = ("/healthz",)) -> None:
        self._app = app
        self._hosts = hosts
        self._open = frozenset(open_paths)
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._open or self.admits(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(SENTENCE, 421)(scope, receive, send)

    def admits(self, scope: Scope) -> bool:
        """Return whether the request's one Host header names this listener."""
        given = [value for name, value in scope["headers"] if name == b"host"]
        server = scope.get("server") or ("",)
        if len(given) == 1 and self._hosts.admits(given[0].decode("latin-1"), str(server[0])):
            return True
        self._tell(given[0].decode("latin-1") if given else "")
        return False

    def _tell(self, header: str) -> None:
        """Log each of the first refused names. A stranger can send any number of them."""
        shown = ascii(header[:100])
        if shown not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(shown)
            log.warning("host_refused", host=shown, hint="RENZHENG_PUBLIC_URL or RENZHENG_ALLOWED_HOSTS names it")
