"""Dynamic updates of a zone at its name server (RFC 2136), signed by TSIG (RFC 8945)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

TIMEOUT = 10.0  # seconds


class UpdateFailure(Exception):
    """The server did not take the update; the text tells why.

    `is_silence`: nothing more need be sent there now.
    """

    def __init__(self, text: str, *, is_silence: bool = False) -> None:
        super().__init__(text)
        self.is_silence = is_silence


@dataclass(frozen=True, slots=True)
class UpdateSignature:
    """The key that server and we share."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)

    @property
    def key(self) -> dns.tsig.Key:
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


def put_text(
    server: tuple[str, int], zone: str, name: str, strings: Sequence[str], *, ttl: int,
    signature: UpdateSignature | None,
) -> None:  # fmt: skip
    """Let the name have this one TXT record, or none where there are no strings; doing it twice is
    harmless. Raise `UpdateFailure`.
    """
    message = dns.update.UpdateMessage(dns.name.from_text(zone))
    if signature is not None:
        message.use_tsig(signature.key)
    absolute = dns.name.from_text(name)
    message.delete(absolute, dns.rdatatype.TXT)
    if strings:
        message.add(absolute, ttl, _text(strings))
    place = f"{server[0]}:{server[1]}"
    try:
        answer = dns.query.tcp(message, server[0], port=server[1], timeout=TIMEOUT)
    except (OSError, EOFError, dns.exception.Timeout) as error:
        raise UpdateFailure(
            f"The name server {place} of {zone} cannot be reached: {error}", is_silence=True
        ) from error
    except dns.tsig.PeerError as error:
        raise UpdateFailure(
            f"The name server {place} does not take the TSIG key of our updates of {zone}: {error} "
            "Set the key that it has: ./ekiden key update-key",
            is_silence=True,
        ) from error
    except dns.exception.DNSException as error:
        raise UpdateFailure(f"The name server {place} answered what is no answer") from error
    if answer.rcode() != dns.rcode.NOERROR:
        code = dns.rcode.to_text(answer.rcode())
        raise UpdateFailure(
            f"The name server {place} answered {code} to an update of {zone}. It has to take "
            "updates from this machine, unsigned or by the key of ./ekiden key update-key"
        )


def _text(strings: Sequence[str]) -> dns.rdata.Rdata:
    quoted = " ".join(f'"{each}"' for each in strings)
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, quoted)
