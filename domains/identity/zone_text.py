"""A domain's records as a zone file, which name servers and `named-checkzone` take as it is. Pure.

The form is RFC 1035, section 5; strings of a TXT record hold at most 255 bytes (section 3.3.14).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domains.senders.records import Record

STRING = 255  # bytes
TTL = 3600  # seconds


def zone_file(
    zone: str, records: Iterable[Record], *, soa: str = "", servers: Sequence[str] = (),
    addresses: Iterable[tuple[str, str]] = (), host: str,
) -> str:  # fmt: skip
    """Return a whole zone of the records.

    `soa` and `servers` are the zone's own where it exists, with the `addresses` of servers inside
    it; else `host` stands in for both.
    """
    head = [
        "; All that this relay needs of the zone. Load it as it is into an empty zone; into a zone "
        "with other",
        "; records put only the lines below the name servers.",
        f"$ORIGIN {zone}.",
        f"$TTL {TTL}",
        f"@ IN SOA {soa or f'{host}. hostmaster.{zone}. 1 3600 900 1209600 300'}",
        *(f"@ IN NS {server}." for server in servers or [host]),
        *(
            f"{server}. IN {'AAAA' if ':' in address else 'A'} {address}"
            for server, address in addresses
            if server == zone or server.endswith(f".{zone}")
        ),
    ]
    return "\n".join([*head, *(line(record) for record in records)]) + "\n"


def line(record: Record) -> str:
    """Return one record as a line; a long value as several strings."""
    if record.type == "TXT":
        return f"{record.name}. IN TXT {quoted(record.value)}"
    return f"{record.name}. IN {record.type} {record.value.rstrip('.')}."


def quoted(value: str) -> str:
    """Return a TXT value as quoted strings of at most 255 bytes."""
    data = value.encode()
    parts = [data[at : at + STRING] for at in range(0, len(data), STRING)] or [b""]
    return " ".join(f'"{"".join(map(_character, part))}"' for part in parts)


def _character(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03d}"
