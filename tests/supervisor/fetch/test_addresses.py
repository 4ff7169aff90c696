"""Which machines are none of this host's networks?"""

from __future__ import annotations

import ipaddress

import pytest

from rookery.supervisor.fetch.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "100::1", "5f00::1",
    ],
)  # fmt: skip
def test_a_machine_of_ones_own_networks_is_not_public(address: str) -> None:
    """Loops, links, private ones, clouds' metadata, and whatever carries one of these inside."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"],
)  # fmt: skip
def test_a_machine_of_the_world_is(address: str) -> None:
    """Also when its older address stands in a newer one."""
    assert is_public(ipaddress.ip_address(address))
