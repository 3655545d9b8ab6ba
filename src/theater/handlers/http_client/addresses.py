"""Which addresses are in the public internet, and how names become addresses.

An address is public if it is known to be; every other one is private: loopback, link-local (with the
clouds' metadata services), private networks, carriers' NAT, multicast, reserved and documentation
ranges, and IPv6 addresses that carry such an IPv4 address. Source: IANA's special-purpose registries.
The lists are here because those of Python's `ipaddress` differ between its releases.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final, Protocol

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE_4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata and health service at a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")
_PRIVATE_6: Final = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


class Resolver(Protocol):
    """What turns a host's name into addresses."""

    def resolve(self, host: str) -> Sequence[str]:
        """Every address of the host, in the order to be tried. Raises OSError if there is none."""
        ...


class SystemResolver:
    """The resolver of the operating system."""

    def resolve(self, host: str) -> Sequence[str]:
        """Every address of the host, in the system's order."""
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_address(text: str) -> Address | None:
    """The address that a text is, or None. An IPv6 zone is not an address."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address, and the IPv4 address inside it if there is one, is in the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _PRIVATE_4)
    number = int(address)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    if address not in _PUBLIC_6 or any(address in network for network in _PRIVATE_6):
        return False
    if address.sixtofour is not None and not is_public(address.sixtofour):
        return False
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return is_public(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return True


def is_unicast(address: Address) -> bool:
    """Whether one machine can be meant at all: with `allow_private` these may be connected to."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    single = mapped or address
    broadcast = isinstance(single, ipaddress.IPv4Address) and int(single) == 0xFFFFFFFF
    return not (single.is_multicast or single.is_unspecified or broadcast)
