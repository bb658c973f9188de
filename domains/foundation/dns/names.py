"""Names and addresses as text, and as DNS has them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.exception
import dns.name

from domains.foundation.text.addresses import BadAddress, canonical_domain

IpAddress = IPv4Address | IPv6Address


# RFC 6761, section 6.3.
LOCALHOST: tuple[IpAddress, ...] = (IPv6Address("::1"), IPv4Address("127.0.0.1"))


def name_of(text: str) -> dns.name.Name | None:
    try:
        ascii_text = text if text.isascii() else canonical_domain(text)
        if "\\" in text or not text.strip("."):
            return None
        return dns.name.from_text(ascii_text.lower().removesuffix(".") + ".")
    except (BadAddress, dns.exception.DNSException):
        return None


def text_of(name: dns.name.Name) -> str:
    """Write a name as text; what is no host name stays in DNS's escaped form, which `name_of`
    refuses.
    """
    text = name.to_text(omit_final_dot=True).lower()
    return "" if text == "." else text


def addresses_in(host: str) -> tuple[IpAddress, ...]:
    if host.removesuffix(".").lower() == "localhost" or host.lower().endswith(".localhost"):
        return LOCALHOST
    try:
        return (ip_address(host),)
    except ValueError:
        return ()
