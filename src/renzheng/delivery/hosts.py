"""Decides which hosts a customer's bucket may be on.

A customer types in a bucket's host, so it could name a machine inside the operator's network, or a name whose address
changes between the check and the connection. So names are allowed by a list, addresses that are not public by a list of
networks, and a connection goes to an address that passed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_TRANSLATED = tuple(
    (IPv6Network(network), shift)
    for network, shift in (("::ffff:0:0/96", 0), ("::/96", 0), ("64:ff9b::/96", 0), ("2002::/16", 80))
)
"""Mapped, compatible, NAT64 and 6to4 addresses: how many bits from the right the IPv4 address is."""
_SPECIAL = (ip_network("192.0.0.0/24"), ip_network("64:ff9b:1::/48"))
"""Networks that older Pythons take for public. The first contains a cloud's metadata service."""
Resolve = Callable[[str, int], Sequence[str]]
"""Returns a host's addresses, as texts. Raises OSError if there are none."""


class HostRefusedError(Exception):
    """Evidence may not be sent to this host, or to the address that it has."""


def resolve_host(host: str, port: int) -> list[str]:
    """Resolve a name with the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AllowedHosts:
    """`entries`: names such as `s3.example.com`, endings such as `*.myqcloud.com`, addresses and networks.

    A name, or an address in its place, must be on the list. What a name resolves to must be public or in a listed
    network.
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
        """Raise HostRefusedError if this host is not on the list."""
        name = host.strip("[]").lower().rstrip(".")
        address = _address(name)
        if address is not None:
            if not self._is_listed(address):
                raise HostRefusedError(f"the address {name} is not listed in RENZHENG_BUCKET_HOSTS")
        elif name not in self._names and not any(name.endswith(ending) for ending in self._endings):
            raise HostRefusedError(f"the host {name} is not listed in RENZHENG_BUCKET_HOSTS")

    def address_of(self, host: str, port: int) -> str:
        """Return the address to connect to. Raises HostRefusedError, and OSError if the name has none."""
        self.check(host)
        name = host.strip("[]")
        found = [name] if _address(name) is not None else list(self._resolve(name, port))
        for text in found:
            address = _address(text)
            if address is not None and (_is_public(address) or self._is_listed(address)):
                return text
        raise HostRefusedError(
            f"{host} has no public address ({', '.join(found) or 'none'}): list its network in RENZHENG_BUCKET_HOSTS"
        )

    def _is_listed(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks if network.version == address.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (_within(address) if isinstance(address, IPv6Address) else None) or address


def _within(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if a gateway translates or unpacks it."""
    for network, shift in _TRANSLATED:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_local = isinstance(address, IPv6Address) and address.is_site_local
    is_special = any(address in network for network in _SPECIAL if network.version == address.version)
    return address.is_global and not (address.is_multicast or is_local or is_special)
