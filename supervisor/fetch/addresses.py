"""Which machines may a plugin have asked, when the operator has named none in his own networks?

A list of what is forbidden rather than `ipaddress.is_global`: that is true for addresses at which clouds hand out the keys of
their machines, and for those that carry an older address inside of them.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORBIDDEN_4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers, and some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host of Azure's machines, at a public address
        "169.254.0.0/16",  # this link; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocols, and Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # many at once, reserved, everybody
    )
]

_ALLOWED_6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out to the world."""

_FORBIDDEN_6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: leads to any older address
        "3fff::/20",
    )
]

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""Older addresses in networks that have only newer ones; the last four bytes say which."""


def is_public(address: Address) -> bool:
    """Whether a machine of this address is anybody's in the world, and none of this host's networks."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _FORBIDDEN_4)
    inner = address.ipv4_mapped
    if inner is None and address in _TRANSLATED:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(inner)
    return address in _ALLOWED_6 and not any(address in network for network in _FORBIDDEN_6)
