"""The addresses at which receivers' DMARC reports about a domain come to us.

They stand in public DNS: the tag only proves that the name is one of ours, without a look into the
database.
"""

from __future__ import annotations

import hashlib

from django.conf import settings

from domains.foundation.secrets import tokens
from domains.foundation.secrets.tokens import ForgedToken

AGGREGATE, FAILURE = "dmarc", "forensic"  # kinds of mail, as `deliveries.models.InboundMail` has
PREFIXES = {AGGREGATE: "dmarc-", FAILURE: "ruf-"}
_ID_SIZE = 8  # octets
_USE = b"dmarc reports"


def address(domain_id: int, kind: str = AGGREGATE) -> str:
    """Return the address for `rua` or `ruf`; it stays the same as long as the secret key."""
    token = tokens.make(domain_id.to_bytes(_ID_SIZE, "big"), key=_key(), use=_USE)
    return f"{PREFIXES[kind]}{token}@{settings.EKIDEN_HOSTNAME}"


def kind_of(local_part: str) -> str:
    """Return what comes to an address with this beginning, or ""."""
    lowered = local_part.lower()
    found = next((kind for kind, prefix in PREFIXES.items() if lowered.startswith(prefix)), "")
    return found if found != FAILURE or takes_failure_reports() else ""


def domain_of(local_part: str) -> int:
    """Return the id of the domain that an address of ours names; raises `ForgedToken`."""
    _prefix, dash, token = local_part.partition("-")
    if not dash:
        raise ForgedToken("not a token")
    return int.from_bytes(tokens.parse(token, size=_ID_SIZE, key=_key(), use=_USE), "big")


def takes_failure_reports() -> bool:
    """Tell if the operator wants reports about single messages, which hold what people wrote."""
    return bool(settings.EKIDEN_FORENSIC_REPORTS == "yes")


def authorisation() -> tuple[str, str]:
    """Return name and value of the TXT record by which the relay's zone agrees to all reports.

    Receivers ask for it at `DOMAIN._report._dmarc.OURS` (RFC 9990, section 4), and a wildcard
    answers for every sending domain.
    """
    return f"*._report._dmarc.{settings.EKIDEN_HOSTNAME}", "v=DMARC1;"


def _key() -> bytes:
    secret = settings.SECRET_KEY.encode()
    return hashlib.blake2b(secret, digest_size=32, person=b"dmarc reports").digest()
