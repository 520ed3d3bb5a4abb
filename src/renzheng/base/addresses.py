"""Classifies addresses: the subscriber, for limits that count by address, and whether it is this machine."""

from __future__ import annotations

import fcntl
import re
import socket
import struct
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

_SIOCGIFADDR = 0x8915
_NETLOC = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::\d{0,5})?")
SUBSCRIBER_BITS = 64
"""The smallest IPv6 network of one subscriber, as an interface's own part has 64 bits (RFC 4291, section 2.5.1)."""


@lru_cache(4096)
def subscriber(address: str) -> str:
    """Return the name under which an address is counted: its /64 for IPv6, and the IPv4 address for an IPv4-mapped one.

    Anything else, such as the empty address of a local connection, is counted as it is.
    """
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, SUBSCRIBER_BITS), strict=False))


def split_url(url: str) -> SplitResult | None:
    """Split an address that somebody typed; None if that fails, as for `http://[` or a port of six digits."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def is_loopback(host: str) -> bool:
    """Return whether a host is `localhost` exactly, or a loopback address."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def names_loopback(netloc: str) -> bool:
    """Return whether `host` or `host:port`, as in a Host header, is this machine's loopback."""
    found = _NETLOC.fullmatch(netloc)
    return found is not None and is_loopback(found["host"])


def own_addresses() -> list[str]:
    """Return all addresses of this machine's interfaces: one IPv4 address for each, and IPv6."""
    return [*_own_ipv4(), *_own_ipv6()]


def _own_ipv4() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                reply = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # an interface without an address
                continue
            found.append(socket.inet_ntoa(reply[20:24]))
    return found


def _own_ipv6() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return []
    return [str(IPv6Address(bytes.fromhex(line.split()[0]))) for line in lines]
