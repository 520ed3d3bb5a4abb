"""Whom an address belongs to, for limits that count by address."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

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
