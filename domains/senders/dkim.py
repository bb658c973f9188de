"""DKIM (RFC 6376, RFC 8463): key pairs, their TXT records, and signatures made with as little
Python as possible.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

PrivateKey = RSAPrivateKey | Ed25519PrivateKey
Algorithm = Literal["rsa", "ed25519"]

# What a reader sees or a message program acts on (RFC 6376, section 5.4.1), the List fields and
# Feedback-ID as large receivers ask. Not signed: trace fields, which every hop adds to, Return-Path
# and Bcc, which are removed, and what filters on the way rewrite.
SIGNED = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id",
    b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding", b"content-disposition",
    b"content-id", b"content-language",
    b"auto-submitted", b"feedback-id", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post", b"list-help", b"list-owner", b"list-archive",
    b"resent-date", b"resent-from", b"resent-to", b"resent-cc", b"resent-message-id",
})  # fmt: skip
# Named in h= once more than they stand there, so that none can be put above the message (RFC 6376,
# sections 5.4.2 and 8.15): a replayed message with another Subject, To or body structure would
# verify. Not Sender and List-*: mailing lists add those.
OVERSIGNED = (
    b"from", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to",
    b"references", b"mime-version",
    b"content-type", b"content-transfer-encoding",
)  # fmt: skip
RSA_BITS, LEAST_RSA_BITS = 2048, 1024
WIDTH = 76  # of a folded line, below the 78 of RFC 5322, section 2.1.1
_PADDING, _SHA256 = PKCS1v15(), SHA256()
_SPACES = re.compile(rb"[ \t]+")
_WIDE_SPACE = re.compile(rb"[ \t]{2,}|\t")  # skips the single spaces, which are nearly all
_BLANK_END = re.compile(rb"(?>(?:\n\r)*)")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


def generate(algorithm: Algorithm = "rsa", *, bits: int = RSA_BITS) -> PrivateKey:
    """Make a new private key; by default RSA of 2048 bits.

    That is what RFC 8301 asks for, and what every receiver verifies.
    """
    if algorithm == "ed25519":
        return Ed25519PrivateKey.generate()
    return generate_private_key(public_exponent=65537, key_size=bits)


def algorithm(key: PrivateKey) -> Algorithm:
    return "ed25519" if isinstance(key, Ed25519PrivateKey) else "rsa"


def is_short(key: PrivateKey) -> bool:
    """Tell whether it is shorter than signers should use (RFC 8301, section 3.2)."""
    return isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS


def private_bytes(key: PrivateKey) -> bytes:
    """Return the key as PKCS #8 in DER, not encrypted."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def load_private_key(der: bytes) -> PrivateKey:
    """Return the key in what `private_bytes` made; raise `ValueError`.

    The primes are not tested again (26 ms for RSA, 0.02 without): the bytes come from our own,
    authenticated encryption.
    """
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, PrivateKey):
        raise ValueError("The private key is neither RSA nor Ed25519")
    return key


def txt_value(key: PrivateKey) -> str:
    """Return what the TXT record at `<selector>._domainkey.<domain>` must say.

    The sources are RFC 6376, section 3.6.1, and RFC 8463, section 4.
    """
    if isinstance(key, Ed25519PrivateKey):
        return f"v=DKIM1; k=ed25519; p={_base64(key.public_key().public_bytes_raw()).decode()}"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={_base64(public).decode()}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A loaded key and the name it signs under; keep it, for all that does not change is worked
    out once.
    """

    domain: str
    selector: str
    key: PrivateKey
    _algorithm: bytes = field(init=False, repr=False)
    _name: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.domain) or not _NAME.fullmatch(self.selector):
            # Nor may it bring its own header line.
            raise ValueError("A DKIM domain or selector is no DNS name in lower case")
        algorithm = b"ed25519-sha256" if isinstance(self.key, Ed25519PrivateKey) else b"rsa-sha256"
        object.__setattr__(self, "_algorithm", algorithm)
        object.__setattr__(self, "_name", f"d={self.domain};\r\n\ts={self.selector};".encode())

    def field_without_signature(
        self, names: bytes, body_hash: bytes, body: bytes, now: int
    ) -> bytes:
        """Return the field up to `b=`.

        It is folded by a line end and one tab wherever the relaxed form has a space.
        """
        return (b"DKIM-Signature: v=1; a=%b; c=relaxed/%b; t=%d;\r\n\t%b\r\n\th=%b;\r\n\tbh=%b;\r\n"
            b"\tb=") % (
            self._algorithm, body, now, self._name, names, _base64(body_hash),
        )  # fmt: skip

    def signature(self, data: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, _PADDING, _SHA256)  # outside the GIL
        # RFC 8463, section 3: the hash is what is signed.
        return self.key.sign(hashlib.sha256(data).digest())


def sign(
    headers: Sequence[tuple[bytes, bytes]],
    body_hash: bytes,
    *,
    signers: Iterable[Signer],
    now: int,
    relaxed_body: bool = False,
) -> bytes:
    """Return a complete `DKIM-Signature` field for each signer, one after the other.

    They are to be put above the header section. `headers` are (name, whole field with folding and
    final CRLF) in message order; `body_hash` comes from the function of that name with the same
    `relaxed_body`; `now` is Unix time.
    """
    chosen = [(lower, raw) for name, raw in headers if (lower := name.lower()) in SIGNED]
    # Of repeated fields the last is signed first (RFC 6376, section 5.4.2); the order of different
    # names is ours to choose.
    chosen.reverse()
    data = b"".join([_relaxed(name, raw) for name, raw in chosen])
    names = _names(tuple([name for name, _ in chosen]))
    body = b"relaxed" if relaxed_body else b"simple"
    fields: list[bytes] = []
    for signer in signers:
        unsigned = signer.field_without_signature(names, body_hash, body, now)
        signed = data + b"dkim-signature:" + unsigned[16:].replace(b"\r\n\t", b" ")
        fields += unsigned, _folded(_base64(signer.signature(signed))), b"\r\n"
    return b"".join(fields)


@lru_cache(maxsize=512)
def _names(chosen: tuple[bytes, ...]) -> bytes:
    """Return the value of h=, folded.

    It is kept, because one app's messages all have the same fields.
    """
    lines, line = [], b"h="
    for name in (*chosen, *OVERSIGNED):
        if len(line) + len(name) > WIDTH - 8:
            lines.append(line)
            line = b""
        line += name + b":"
    return b"\r\n\t".join([*lines, line])[2:-1]


def _relaxed(name: bytes, raw: bytes) -> bytes:
    """Canonicalise a field by the relaxed algorithm (RFC 6376, section 3.4.2)."""
    value = raw[raw.index(b":") + 1 :]
    if b"\v" in value or b"\f" in value:  # white space for Python, but not for mail
        return name + b":" + _SPACES.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"
    return name + b":" + b" ".join(value.split()) + b"\r\n"


def _folded(text: bytes) -> bytes:
    return b"\r\n\t".join([text[start : start + 72] for start in range(0, len(text), 72)])


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


def body_hash(
    body: bytes | bytearray | memoryview | Iterable[bytes], *, relaxed: bool = False
) -> bytes:
    """Return the SHA-256 of the canonical body, in constant memory.

    The body is whole or in chunks of any size.
    """
    canonical = _RelaxedBody() if relaxed else _SimpleBody()
    if isinstance(body, bytes | bytearray | memoryview):
        canonical.update(bytes(body))
    else:
        for chunk in body:
            canonical.update(chunk)
    return canonical.digest()


class _SimpleBody:
    """RFC 6376, section 3.4.3: the body without the empty lines at its end, and with one line
    end.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._held = b""  # what cannot be judged before the next byte is seen
        self._line_ends = 0  # not hashed yet: they count only if something follows
        self._has_content = False

    def update(self, chunk: bytes) -> None:
        data = self._held + chunk if self._held else chunk
        self._held = b"\r" if data.endswith(b"\r") else b""
        self._take(data[: len(data) - len(self._held)])

    def _take(self, data: bytes) -> None:
        tail = data[len(data.rstrip(b"\r\n")) :]
        # it matches the empty text too
        blank = len(_BLANK_END.match(tail[::-1])[0])  # type: ignore[index]
        if len(data) > blank:
            self._flush()
            self._hash.update(data[: len(data) - blank] if blank else data)
            self._has_content = True
        self._line_ends += blank // 2

    def _flush(self) -> None:
        while self._line_ends:
            count = min(self._line_ends, 16_384)
            self._hash.update(b"\r\n" * count)
            self._line_ends -= count

    def _finish(self) -> None:
        if self._held:  # a lone CR at the very end
            self._take_last(self._held)
        self._hash.update(b"\r\n")  # an empty body becomes one line end too

    def _take_last(self, data: bytes) -> None:
        self._flush()
        self._hash.update(data)
        self._has_content = True

    def digest(self) -> bytes:
        self._finish()
        return self._hash.digest()


class _RelaxedBody(_SimpleBody):
    """RFC 6376, section 3.4.4: also with white space reduced within lines and removed at their
    ends.

    The last line counts as ended, for SMTP will end it: white space at the very end is removed too.
    """

    def update(self, chunk: bytes) -> None:
        data = self._held + chunk if self._held else chunk
        stem = data[:-1] if (cr := data.endswith(b"\r")) else data
        text = stem.rstrip(b" \t")
        self._held = (b" " if len(text) < len(stem) else b"") + (b"\r" if cr else b"")
        self._take(_WIDE_SPACE.sub(b" ", text).replace(b" \r\n", b"\r\n"))

    def _finish(self) -> None:
        if self._held.endswith(b"\r"):
            self._take_last(self._held)
        if self._has_content:  # an empty body stays empty
            self._hash.update(b"\r\n")
