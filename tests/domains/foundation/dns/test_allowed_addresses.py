from ipaddress import ip_address, ip_network

import pytest

from domains.foundation.dns.allowed_addresses import is_allowed, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::1", "2001:db8::1", "fec0::1", "::7f00:1", "100::1", "64:ff9b:1::1",
        "2001:0:7f00:1::1", "::ffff:169.254.169.254",
        "192.88.99.0", "192.88.99.255", "::ffff:192.88.99.1", "2002:c058:6301::1", "3fff::",
        "3fff:fff:ffff::1", "5f00::1", "100:0:0:1::1",
        "64:ff9b::a9fe:a9fe", "fe80::1%lo", "192.0.0.8",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_public_internet_is_refused(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "203.0.114.1"]
)
def test_a_public_address_is_allowed(address):
    assert is_public(ip_address(address))


def test_an_operator_may_name_a_private_network():
    exceptions = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert is_allowed(ip_address("127.0.0.2"), exceptions)
    assert not is_allowed(ip_address("10.0.0.1"), exceptions)
