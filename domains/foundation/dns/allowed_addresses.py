"""Which addresses mail may be carried to when only DNS names them."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Python's own table lacks these rows of IANA's two special-purpose address registries (RFC 6890),
# and site-local addresses.
SPECIAL = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments and dummy addresses
        "192.88.99.0/24",  # 6to4 relays, ended by RFC 7526
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # segment routing, RFC 9602
        "fec0::/10",  # site-local until RFC 3879
    )
)
NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


def is_public(address: Address) -> bool:
    """Tell if the address, and any IPv4 address wrapped in it, belongs to the public internet."""
    inner = embedded(address)
    if inner is not None:
        return is_public(inner)
    is_special = (
        address.is_multicast
        or address.is_reserved
        or any(address in network for network in SPECIAL)
    )
    return address.is_global and not is_special


def embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64).

    None stands for no such address.
    """
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    return (
        address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    )


def is_allowed(address: Address, exceptions: tuple[Network, ...] = ()) -> bool:
    """Tell whether the address is public or in a network that the operator named."""
    return is_public(address) or any(
        address in network for network in exceptions if network.version == address.version
    )
