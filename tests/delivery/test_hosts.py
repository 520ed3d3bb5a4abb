"""Evidence goes to hosts that the operator allows, at the address that was checked."""

from __future__ import annotations

import pytest

from renzheng.delivery.hosts import AllowedHosts, HostRefusedError


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
        *("faces.myqcloud.com.evil.net", "evil.net?.myqcloud.com.evil.net", "s3.example.com.myqcloud.com.evil.net"),
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
        *("224.0.0.1", "::1", "fe80::1", "fd00::1", "fec0::1", "192.0.0.192", "64:ff9b:1::a00:5"),
        *("::ffff:127.0.0.1", "::7f00:1", "::ffff:0:1", "64:ff9b::a00:5", "64:ff9b::a9fe:a9fe", "2002:a00:5::1"),
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


@pytest.mark.parametrize("address", ["64:ff9b::cb00:7207", "2002:cb00:7207::1", "2606:4700::1"])
def test_a_public_address_is_one_in_whatever_form(address: str) -> None:
    assert hosts("s3.example.com", s3_example_com=[address]).address_of("s3.example.com", 443) == address
