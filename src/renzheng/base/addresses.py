"""Whom an address belongs to: a subscriber, for limits that count by address, or this machine."""

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
"""What one subscriber has of IPv6 at the least, as an interface's own part has 64 bits (RFC 4291, section 2.5.1)."""


@lru_cache(4096)
def subscriber(address: str) -> str:
    """The name under which an address is counted: of IPv6 its /64, of an IPv4 address in IPv6's form the IPv4 address.

    What is no address, as the empty one of a connection without, is counted as it stands.
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
    """The parts of an address that somebody typed; None where it cannot be taken apart, as `http://[` or a port of six
    digits."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine's own for itself: `localhost` exactly, or such an address."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def names_loopback(netloc: str) -> bool:
    """Whether `host` or `host:port`, as a Host header has it, names this machine for itself."""
    found = _NETLOC.fullmatch(netloc)
    return found is not None and is_loopback(found["host"])


def own_addresses() -> list[str]:
    """All addresses of this machine's interfaces: IPv4, one an interface, and IPv6."""
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
