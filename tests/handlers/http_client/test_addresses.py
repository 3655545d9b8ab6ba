"""Which addresses are in the public internet."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.handlers.http_client.addresses import is_public, is_unicast, parse_address


def public(text: str) -> bool:
    address = parse_address(text)
    assert address is not None
    return is_public(address)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2600::5efe:a00:1",
        "2600::200:5efe:7f00:1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_in_the_public_internet(text: str):
    assert not public(text)


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001::200e",
        "2002:5db8:d822::1",
        "64:ff9b::5db8:d822",
    ],
)
def test_addresses_that_are(text: str):
    assert public(text)


@given(st.integers(0, 2**32 - 1))
def test_no_address_is_public_that_pythons_own_list_calls_private(number: int):
    address = ipaddress.IPv4Address(number)
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv6_address_is_no_more_public_than_the_ipv4_address_inside(number: int):
    inner = ipaddress.IPv4Address(number)
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    sixtofour = ipaddress.IPv6Address((0x2002 << 112) | (number << 80))
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    assert is_public(nat64) == is_public(inner)
    assert is_public(sixtofour) == is_public(inner)
    assert not is_public(mapped)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "127.1", "0x7f.0.0.1", "localhost", ""])
def test_what_is_no_address(text: str):
    assert parse_address(text) is None


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"]
)
def test_what_is_no_single_machine(text: str):
    address = parse_address(text)
    assert address is not None
    assert not is_unicast(address)
