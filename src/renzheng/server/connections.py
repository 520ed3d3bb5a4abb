"""Limits open connections, in all and by address, and closes idle ones when a place is needed."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from renzheng.base.addresses import subscriber

MAX_DESCRIPTORS = 1 << 20
"""The soft limit is raised to this at most, as some systems report no limit."""
MIN_CONNECTIONS = 8  # connections that are always possible
BACKLOG = 2048


class Connection(Protocol):
    """A connection that can be closed."""

    @property
    def transport(self) -> Any: ...


class Connections:
    """Counts connections, in all and by address (for IPv6, by /64).

    Beyond a limit the longest idle connection is closed: of the same address, or of the address with most connections.
    An idle one waits for a request. If none is idle, the new one is refused. `proxies`: addresses and networks that
    only the total limit applies to, as they speak for others.
    """

    def __init__(self, most: int, per_address: int, proxies: Iterable[str] = ()) -> None:
        self._most = most
        self._per_address = per_address
        self._proxies = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        self._names: dict[Connection, str] = {}
        self._counts: dict[str, int] = {}
        self._idle: dict[str, dict[Connection, None]] = {}
        self._is_proxy = lru_cache(1024)(self._find_proxy)

    @property
    def open(self) -> int:
        return len(self._names)

    def opened(self, connection: Connection, address: str) -> bool:
        """Add an idle connection. False if there is no place for it."""
        name = subscriber(address)
        bounded = not self._is_proxy(address)
        if bounded and self._counts.get(name, 0) >= self._per_address and not self._end_one(name):
            return False
        if len(self._names) >= self._most:
            crowd = max(self._idle, key=self._counts.__getitem__, default="")
            if not self._end_one(crowd):
                return False
        self._names[connection] = name
        self._counts[name] = self._counts.get(name, 0) + 1
        self._idle.setdefault(name, {})[connection] = None
        return True

    def busy(self, connection: Connection) -> None:
        """Record that a request has begun."""
        name = self._names.get(connection)
        idle = self._idle.get(name) if name is not None else None
        if idle is not None and name is not None:
            idle.pop(connection, None)
            if not idle:
                del self._idle[name]

    def idle(self, connection: Connection) -> None:
        """Record that all requests are answered."""
        name = self._names.get(connection)
        if name is not None:
            self._idle.setdefault(name, {})[connection] = None

    def closed(self, connection: Connection) -> None:
        self.busy(connection)
        name = self._names.pop(connection, None)
        if name is None:
            return
        self._counts[name] -= 1
        if not self._counts[name]:
            del self._counts[name]

    def _end_one(self, name: str) -> bool:
        for connection in self._idle.get(name, ()):
            self.closed(connection)
            connection.transport.abort()  # not close, which waits for a client that reads nothing
            return True
        return False

    def _find_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def raise_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one. Returns how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def room_for(connections: int, descriptors: int, reserve: int) -> tuple[int, int]:
    """Return how many connections may be open and how many may wait to be accepted, with `reserve` descriptors free.

    Waiting connections are accepted all at once, before any of them can be refused.
    """
    room = descriptors - len(os.listdir("/proc/self/fd")) - reserve
    backlog = max(MIN_CONNECTIONS, min(BACKLOG, room // 4))
    return max(MIN_CONNECTIONS, min(connections, room - backlog)), backlog
