"""Which hosts a customer's bucket may be on, and connections to exactly the address that was checked.

A bucket's host is typed in by a customer, so it could name a machine inside the operator's network, or a name whose
address changes between the check and the connection. So names are allowed by a list, addresses that are not public
by a list of networks, and a connection goes to an address that passed, with no redirects followed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

Resolve = Callable[[str, int], Sequence[str]]
"""A host's addresses, as texts. Raises OSError where there are none."""


class HostRefusedError(Exception):
    """This host, or the address that it has, is not one that evidence may be sent to."""


def resolve_host(host: str, port: int) -> list[str]:
    """By the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AllowedHosts:
    """`entries`: names such as `s3.example.com`, endings such as `*.myqcloud.com`, addresses and networks.

    A name, or an address in its place, must be listed. What a name resolves to must be public or in a listed network.
    """

    def __init__(self, entries: Sequence[str], resolve: Resolve = resolve_host) -> None:
        self._resolve = resolve
        self._names: set[str] = set()
        self._endings: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in (text.strip().lower().rstrip(".") for text in entries):
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                if entry.startswith("*."):
                    self._endings.append(entry[1:])
                elif entry:
                    self._names.add(entry)

    def check(self, host: str) -> None:
        """Raises HostRefusedError where the list does not name this host."""
        name = host.strip("[]").lower().rstrip(".")
        address = _address(name)
        if address is not None:
            if not self._listed(address):
                raise HostRefusedError(f"the address {name} is not listed in RENZHENG_BUCKET_HOSTS")
        elif name not in self._names and not any(name.endswith(ending) for ending in self._endings):
            raise HostRefusedError(f"the host {name} is not listed in RENZHENG_BUCKET_HOSTS")

    def address_of(self, host: str, port: int) -> str:
        """The address to connect to. Raises HostRefusedError, and OSError where the name has none."""
        self.check(host)
        name = host.strip("[]")
        found = [name] if _address(name) is not None else list(self._resolve(name, port))
        for text in found:
            address = _address(text)
            if address is not None and (_is_public(address) or self._listed(address)):
                return text
        raise HostRefusedError(
            f"{host} has no public address ({', '.join(found) or 'none'}): list its network in RENZHENG_BUCKET_HOSTS"
        )

    def _listed(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks if network.version == address.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


class _Direct(urllib3.PoolManager):
    """Follows no redirect, whatever its caller asks for."""

    def urlopen(self, method: str, url: str, *given: Any, **named: Any) -> Any:
        return super().urlopen(method, url, *given, **{**named, "redirect": False})


class _DirectProxy(_Direct, urllib3.ProxyManager):
    """The same through a proxy."""


def connections(hosts: AllowedHosts, connect_seconds: float, read_seconds: float) -> urllib3.PoolManager:
    """An HTTP client whose connections go to checked addresses only, that retries nothing and follows no redirect."""

    def connect(connection: HTTPConnection) -> socket.socket:
        try:
            address = hosts.address_of(connection.host, connection.port)
            return socket.create_connection((address, connection.port), connect_seconds)
        except OSError as error:
            raise NewConnectionError(connection, f"cannot connect: {error.strerror or error}") from error

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager = _Direct(num_pools=16, maxsize=4, timeout=urllib3.Timeout(connect_seconds, read_seconds), retries=False)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def proxied(proxy: str, connect_seconds: float, read_seconds: float) -> urllib3.PoolManager:
    """An HTTP client through the operator's outgoing proxy, which is who resolves names then."""
    return _DirectProxy(proxy, maxsize=4, timeout=urllib3.Timeout(connect_seconds, read_seconds), retries=False)
