"""Evidence goes to hosts that the operator allows, at the address that was checked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from renzheng.delivery.hosts import AllowedHosts, HostRefusedError, connections


def hosts(*entries: str, **addresses: list[str]) -> AllowedHosts:
    """`addresses`: what names resolve to, dots written as underscores."""
    table = {name.replace("_", "."): found for name, found in addresses.items()}
    return AllowedHosts(entries, lambda host, port: table[host])


@pytest.mark.parametrize(
    "host",
    [
        "s3.example.com",
        "S3.EXAMPLE.COM.",
        "faces-125.cos.ap-guangzhou.myqcloud.com",
        "10.1.2.3",
        "[fd00::1]",
        "::ffff:10.1.2.3",
    ],
)
def test_listed_hosts_are_allowed(host: str) -> None:
    hosts("s3.example.com", "*.myqcloud.com", "10.0.0.0/8", "fd00::/8").check(host)


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "s3.example.com.evil.net", "evils3.example.com", "myqcloud.com", "xmyqcloud.com"),
        *("127.0.0.1", "11.0.0.1", "::1", "169.254.169.254", "2130706433", "localhost", ""),
    ],
)
def test_everything_else_is_refused(host: str) -> None:
    with pytest.raises(HostRefusedError):
        hosts("s3.example.com", "*.myqcloud.com", "10.0.0.0/8").check(host)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1"),
    ],
)
def test_a_name_that_leads_into_the_operators_network_is_refused(address: str) -> None:
    with pytest.raises(HostRefusedError):
        hosts("s3.example.com", s3_example_com=[address]).address_of("s3.example.com", 443)


def test_a_network_that_is_listed_may_be_reached_and_the_first_fit_address_is_taken() -> None:
    allowed = hosts("s3.example.com", "10.0.0.0/8", s3_example_com=["192.168.0.1", "10.0.0.5"])
    assert allowed.address_of("s3.example.com", 443) == "10.0.0.5"
    public = hosts("s3.example.com", s3_example_com=["127.0.0.1", "203.0.114.7"])
    assert public.address_of("s3.example.com", 443) == "203.0.114.7"


@pytest.fixture
def redirector() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers everything with a redirect to itself; the requests that it saw."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                with taken:
                    seen.append(taken.recv(65536))
                    taken.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield port, seen


def test_the_address_that_was_checked_is_the_one_connected_to_and_no_redirect_is_followed(
    redirector: tuple[int, list[bytes]],
) -> None:
    """The name resolves once: what a second answer would be does not matter."""
    port, seen = redirector
    answers = [["127.0.0.1"], ["192.0.2.1"]]
    allowed = AllowedHosts(["bucket.example", "127.0.0.0/8"], lambda host, port: answers.pop(0))
    reply = connections(allowed, 2, 2).request("PUT", f"http://bucket.example:{port}/key", body=b"face")
    assert reply.status == 302
    assert len(seen) == 1
    assert f"Host: bucket.example:{port}".encode().lower() in seen[0].lower()
