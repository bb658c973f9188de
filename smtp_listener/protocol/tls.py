"""The listener's certificate: the operator's, read again when its files change, or one of our own
making.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds between two looks at the files


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says what to do."""


class Certificate:
    """One context for all sessions: what is loaded into it serves the next handshake."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._stamp()
        self._looked = time.monotonic()
        self.context = _context(*self._files)

    def refresh(self) -> None:
        """Load changed files; what cannot be used is logged, and the old certificate goes on
        serving.
        """
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            # Tried in a context of its own: a half-loaded pair would break every handshake.
            _context(*self._files)
            self.context.load_cert_chain(*self._files)
        except CertificateError as error:
            logger.error("the changed certificate is not used: %s", error)
        else:
            logger.info("event=certificate-loaded file=%s", self._files[0])

    def _stamp(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files]


def certificate(
    given_certificate: str, given_key: str, *, data: Path, hostname: str
) -> Certificate:
    """Return the operator's certificate if one is given, else our own in `data`/tls.

    Raise `CertificateError` where only one of certificate and key is given.
    """
    if bool(given_certificate) != bool(given_key):
        raise CertificateError(
            "EKIDEN_TLS_CERT and EKIDEN_TLS_KEY go together: one of them is not set"
        )
    if given_certificate:
        return Certificate(Path(given_certificate), Path(given_key))
    return Certificate(*own_pair(data / "tls", hostname))


def own_pair(folder: Path, hostname: str) -> tuple[Path, Path]:
    """Return a self-signed certificate and its key in one file, made once.

    Of two makers at once, both use the same.
    """
    both = folder / "self-signed.pem"
    if not both.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _publish(both, pem + _self_signed(key, hostname))
    return both, both


def _publish(target: Path, content: bytes) -> None:
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    with suppress(FileExistsError):  # a faster process made it
        os.link(draft, target)
    draft.unlink()


def _self_signed(key: ec.EllipticCurvePrivateKey, hostname: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(hostname), x509.DNSName("localhost")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8997
    try:
        context.load_cert_chain(certificate, key)
    except FileNotFoundError as error:
        missing = next((file for file in (certificate, key) if not file.exists()), certificate)
        raise CertificateError(f"There is no file {missing}") from error
    except PermissionError as error:
        raise CertificateError(f"{certificate} or {key} may not be read by this account") from error
    except ssl.SSLError as error:
        raise CertificateError(
            f"{certificate} and {key} are no matching pair of a certificate and its key"
        ) from error
    return context


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
