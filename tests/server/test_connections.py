"""Connections are bounded by address and over all, and leave descriptors to the store."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from renzheng.server.connections import Connections, raise_limit, room_for


class Line:
    """A connection that remembers whether it was ended."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.is_ended = False

    def abort(self) -> None:
        self.is_ended = True


def opened(connections: Connections, address: str, count: int) -> list[Line]:
    lines = [Line() for _ in range(count)]
    for line in lines:
        assert connections.opened(line, address)
    return lines


def test_beyond_its_bound_an_address_loses_its_longest_idle_connection() -> None:
    connections = Connections(100, 3)
    first, second, third = opened(connections, "10.0.0.1", 3)
    connections.busy(first)
    opened(connections, "10.0.0.1", 1)
    assert [line.is_ended for line in (first, second, third)] == [False, True, False]
    assert connections.open == 3
    connections.idle(first)
    opened(connections, "10.0.0.1", 1)
    assert [line.is_ended for line in (first, third)] == [False, True]
    opened(connections, "10.0.0.2", 3)
    assert connections.open == 6


def test_where_none_is_idle_the_new_one_is_refused() -> None:
    connections = Connections(100, 2)
    for line in opened(connections, "10.0.0.1", 2):
        connections.busy(line)
    assert not connections.opened(Line(), "10.0.0.1")
    assert connections.open == 2


def test_one_subscriber_of_ipv6_is_one_address() -> None:
    connections = Connections(100, 2)
    lines = [*opened(connections, "2001:db8::1", 1), *opened(connections, "2001:db8::2", 1)]
    opened(connections, "2001:db8::3", 1)
    assert [line.is_ended for line in lines] == [True, False]
    opened(connections, "2001:db8:0:1::1", 1)
    assert connections.open == 3


def test_over_all_the_address_that_has_most_gives_way() -> None:
    connections = Connections(6, 5)
    crowd, few = opened(connections, "10.0.0.1", 4), opened(connections, "10.0.0.2", 2)
    opened(connections, "10.0.0.3", 1)
    assert [line.is_ended for line in crowd] == [True, False, False, False]
    assert not any(line.is_ended for line in few)
    for line in (*crowd[1:], *few):
        connections.busy(line)
    assert connections.opened(Line(), "10.0.0.4"), "the one of 10.0.0.3 was idle"
    assert connections.open == 6


def test_a_trusted_proxy_is_bounded_over_all_only() -> None:
    connections = Connections(6, 2, ["127.0.0.1", "10.1.0.0/16"])
    assert not any(line.is_ended for line in opened(connections, "127.0.0.1", 3) + opened(connections, "10.1.2.3", 3))


def test_nothing_is_kept_of_connections_that_have_ended() -> None:
    connections = Connections(100, 3)
    for line in opened(connections, "10.0.0.1", 2) + opened(connections, "", 1):
        connections.busy(line)
        connections.idle(line)
        connections.closed(line)
        connections.closed(line)
    assert connections.open == 0
    assert not connections._counts
    assert not connections._idle


@pytest.mark.parametrize(
    ("wanted", "descriptors", "reserve"), [(4096, 256, 128), (4096, 1024, 128), (4096, 65536, 128), (64, 65536, 128)]
)
def test_connections_and_those_that_wait_leave_the_reserve_free(wanted: int, descriptors: int, reserve: int) -> None:
    most, backlog = room_for(wanted, descriptors, reserve)
    assert 8 <= most <= wanted
    assert most + backlog + len(os.listdir("/proc/self/fd")) + reserve <= descriptors + 1


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300));"
        "from renzheng.server.connections import raise_limit;"
        "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["300", "300", "300"]
    assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
