"""Certificates for scripted servers: self-signed ones, and an authority of our own with good and
bad ones.
"""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey


class Authority:
    """Issues server certificates; `bundle` is the file a client trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority of the tests")]
        )
        self._certificate = _sign(
            self._name, self._name, self._key, self._key, names=(), is_expired=False, is_ca=True
        )
        self.bundle = str(folder / "authority.pem")
        Path(self.bundle).write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_file(self, *names: str) -> Path:
        """Return the file of a new certificate with its key."""
        before = set(self._folder.glob("*.pem"))
        self.server(*names)
        [made] = set(self._folder.glob("*.pem")) - before
        return made

    def server(self, *names: str, is_expired: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(
            _subject(names),
            self._name,
            key,
            self._key,
            names=names,
            is_expired=is_expired,
            is_ca=False,
        )
        return _context(self._folder, certificate, key)


def self_signed(folder: Path, *names: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(names)
    return _context(
        folder, _sign(subject, subject, key, key, names=names, is_expired=False, is_ca=False), key
    )


def _subject(names: tuple[str, ...]) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    issuer_key: Key,
    *,
    names: tuple[str, ...],
    is_expired: bool,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1) if is_expired else now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if is_ca:
        builder = builder.add_extension(_key_usage_of_an_authority(), critical=True)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage_of_an_authority() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _context(folder: Path, certificate: x509.Certificate, key: Key) -> ssl.SSLContext:
    path = folder / f"{certificate.serial_number}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
