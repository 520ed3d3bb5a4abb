"""Whom an address belongs to."""

from __future__ import annotations

import pytest

from renzheng.base.addresses import names_loopback, subscriber


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_of_ipv6_a_64_is_one_subscriber(address: str, name: str) -> None:
    assert subscriber(address) == name


def test_ipv4_in_the_form_of_ipv6_is_not_one_subscriber_for_all() -> None:
    assert subscriber("::ffff:203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize("text", ["", "unix:", "a proxy's: word", "1:2:3"])
def test_what_is_no_address_is_counted_as_it_stands(text: str) -> None:
    assert subscriber(text) == text


@pytest.mark.parametrize(
    ("netloc", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST:8400", True),
        ("localhost.", True),
        ("127.0.0.1:8400", True),
        ("127.8.9.10", True),
        ("[::1]:8400", True),
        ("[::ffff:127.0.0.1]", True),
        ("localhost.evil.com", False),
        ("localhostile", False),
        ("127.evil.com", False),
        ("127.0.0.1.evil.com:8400", False),
        ("127.1", False),
        ("0127.0.0.1", False),
        ("[::1].evil.com", False),
        ("[::1", False),
        ("localhost@evil.com", False),
        ("localhost:8400:1", False),
        ("evil.com", False),
        ("10.127.0.1", False),
        ("", False),
    ],
)
def test_only_the_exact_name_and_parsed_addresses_are_this_machine_s(netloc: str, is_ours: bool) -> None:
    assert names_loopback(netloc) is is_ours
