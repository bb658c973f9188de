"""How we encrypt towards a peer, and what we can say about the certificate it showed."""

import ipaddress
import ssl
import warnings
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store

from deliveries.smtp.dialogue import TlsLevel

VERIFYING = (TlsLevel.VERIFIED, TlsLevel.IMPLICIT)


@lru_cache(maxsize=32)
def context_for(level: TlsLevel, trust: str | None = None) -> ssl.SSLContext:
    """Return the context of a level, cached, since making one reads all authorities (some 10 ms).

    `trust` is a file of further authorities.
    """
    context = ssl.create_default_context()
    if trust:
        context.load_verify_locations(cafile=trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if level not in VERIFYING:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if level is TlsLevel.OPPORTUNISTIC:
        # The other choice is plain text, so the oldest TLS and the weakest key are still a gain
        # (RFC 7435 3). Who could force them on us could as well strip STARTTLS. Demanded TLS stays
        # at 1.2 and OpenSSL's own level.
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def server_name(host: str) -> str | None:
    """Return the host as Server Name Indication takes it.

    None stands for what is no name that the ssl module would encode.
    """
    name = host.rstrip(".")
    is_encodable = (
        name.isascii()
        and not name.startswith(".")
        and all(0 < len(part) < 64 for part in name.split("."))
    )
    return name if is_encodable else None


def describe(connection: ssl.SSLObject, host: str, trust: str | None = None) -> str:
    """Describe the session, such as "TLSv1.3 TLS_AES_256_GCM_SHA384 verified"."""
    cipher = connection.cipher()
    is_verified = connection.context.verify_mode is ssl.CERT_REQUIRED or _verifies(
        connection, host, trust
    )
    return (
        f"{connection.version()} {cipher[0] if cipher else ''} "
        f"{'verified' if is_verified else 'unverified'}"
    )


def _verifies(connection: ssl.SSLObject, host: str, trust: str | None) -> bool:
    """Tell if the chain would have passed, where we let it pass unseen: OpenSSL knows, but Python
    does not hand it out.
    """
    store = _authorities(trust)
    if store is None:
        return False
    try:
        leaf, *others = [_load(der) for der in _chain(connection)]
        verifier = (
            PolicyBuilder()
            .store(store)
            .time(datetime.now(UTC))
            .build_server_verifier(_subject(host))
        )
        verifier.verify(leaf, others)
    except Exception:
        # Hostile bytes: the parser has a dozen ways to say no, and no answer of it is to stop mail.
        return False
    return True


@lru_cache(maxsize=32)
def _authorities(trust: str | None) -> Store | None:
    roots = [
        _parsed(der) for der in context_for(TlsLevel.VERIFIED, trust).get_ca_certs(binary_form=True)
    ]
    known = [root for root in roots if root is not None]
    return Store(known) if known else None


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        return _load(der)
    except ValueError:  # an authority of a kind the library refuses is one we do not trust
        return None


def _load(der: bytes) -> x509.Certificate:
    # Of oddities in other people's certificates, the system's authorities among them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.rstrip("."))


def _chain(connection: ssl.SSLObject) -> list[bytes]:
    """Return the chain as the peer sent it, in DER.

    The call is public in the ssl module from Python 3.13 on.
    """
    if hasattr(connection, "get_unverified_chain"):
        return list(connection.get_unverified_chain())
    # the same call, one layer below, in 3.10 to 3.12
    inner: Any = connection._sslobj  # type: ignore[attr-defined]
    # As DER: 2.
    return [certificate.public_bytes(2) for certificate in inner.get_unverified_chain() or ()]


def handshake_trouble(error: Exception) -> str:
    """Return the reason in OpenSSL's words, which are made of letters and underscores; other texts
    may name our insides.
    """
    # None where Python, not OpenSSL, has made the error
    if isinstance(error, ssl.SSLError) and (reason := getattr(error, "reason", None)):
        return str(reason).replace("_", " ").lower()
    return "timed out" if isinstance(error, TimeoutError) else "connection lost"
