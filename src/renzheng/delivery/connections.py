"""Connections to customers' buckets: to the checked address only, and with limits on what comes back.

A bucket belongs to a customer, so its answers may be anything: a redirect into the operator's network, one byte every
few seconds, or a body without an end. No redirect is followed, and a request takes bounded time and memory.
"""

from __future__ import annotations

import socket

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from renzheng.base.bounded_http import BoundedClient, Bounds, CutConnection, CutSecureConnection
from renzheng.delivery.hosts import AllowedHosts


class _BoundedProxy(BoundedClient, urllib3.ProxyManager):
    """The same client through a proxy."""


def checked(hosts: AllowedHosts, bounds: Bounds) -> urllib3.PoolManager:
    """Make an HTTP client that connects to checked addresses only, retries nothing and follows no redirect."""

    def connect(connection: HTTPConnection) -> socket.socket:
        try:
            address = hosts.address_of(connection.host, connection.port)
            return socket.create_connection((address, connection.port), bounds.connect)
        except OSError as error:
            raise NewConnectionError(connection, f"cannot connect: {error.strerror or error}") from error

    class Plain(CutConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(CutSecureConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    return BoundedClient(bounds, Plain, Secure, num_pools=16)


def proxied(proxy: str, bounds: Bounds) -> urllib3.PoolManager:
    """Make an HTTP client through the operator's outgoing proxy, which then resolves names."""
    return _BoundedProxy(bounds, CutConnection, CutSecureConnection, proxy_url=proxy)
