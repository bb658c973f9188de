"""Verifies the DKIM signatures of a message as receivers do, by dkimpy and the keys that DNS serves
now: the outside judge of our own signer, and of any message at hand.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Any

import dkim
from django.conf import settings

from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.foundation.text import texts
from domains.foundation.text.addresses import BadAddress
from domains.foundation.text.mailboxes import mailboxes
from domains.identity.dmarc import is_aligned, policy_for
from domains.identity.sentences import SlipRemark, english
from domains.identity.spf import ResolverNames

SIGNATURES_MOST = 10
HEAD = 262_144  # bytes of a header section that are looked at
KEY_LEAST = 1024  # bits (RFC 8301, section 3.2)
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)
_WORDS = {
    "body hash mismatch": "sig-body",
    "x= value is past": "sig-expired",
    "public key too small": "sig-short-key",
    "unknown signature algorithm": "sig-algorithm",
}


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """One signature: pass, fail, or unknown where DNS gives no answer; `code` is its sentence."""

    domain: str
    selector: str
    algorithm: str
    state: str
    code: str
    detail: str = ""
    is_aligned: bool | None = None

    @property
    def given(self) -> dict[str, str]:
        name = f"{self.selector}._domainkey.{self.domain}"
        return {"name": name, "domain": self.domain, "detail": self.detail}

    def as_json(self) -> dict[str, Any]:
        return {
            "domain": self.domain, "selector": self.selector, "algorithm": self.algorithm,
            "state": self.state, "slip": self.code, "given": self.given,
            "text": english(SlipRemark(self.code, self.given)), "is_aligned": self.is_aligned,
        }  # fmt: skip


def check_message(data: bytes) -> dict[str, Any]:
    """Return what a receiver sees, as JSON: `from`, `policy`, `signatures`, and `state`: pass where
    one signature passes and aligns, unknown where DNS keeps it from being said.
    """
    author = author_domain(data)
    found = signatures(data)
    policy, found = asyncio.run(_with_alignment(author, found)) if author else (None, found)
    good = [each for each in found if each.state == "pass" and each.is_aligned]
    unknown = [each for each in found if each.state != "fail" and each.is_aligned is not False]
    state = "pass" if good else "unknown" if unknown else "fail"
    return {
        "from": author,
        "policy": policy,
        "state": state,
        "signatures": [each.as_json() for each in found],
    }


def signatures(data: bytes) -> list[SignatureFinding]:
    """Return one finding for each signature, the topmost first, without a word on alignment."""
    amount = sum(name.lower() == b"dkim-signature" for name, _ in _fields(data))
    return [_verified(data, number) for number in range(min(amount, SIGNATURES_MOST))]


def author_domain(data: bytes) -> str:
    """Return the domain of the one author that the one From field names, or ""."""
    values = [value for name, value in _fields(data) if name.lower() == b"from"]
    try:
        found = mailboxes(values[0].strip()) if len(values) == 1 else []
    except BadAddress:
        return ""
    return found[0].domain if len(found) == 1 else ""


def _fields(data: bytes) -> list[tuple[bytes, bytes]]:
    head = re.split(rb"\r?\n\r?\n", data[:HEAD], maxsplit=1)[0]
    return _FIELD.findall(head)


class _Notes:
    """Takes what dkimpy says instead of raising it."""

    def __init__(self) -> None:
        self.said = ""

    def debug(self, *given: object) -> None: ...

    info = warning = debug

    def error(self, text: object, *given: object) -> None:
        self.said = str(text)


class _KeyRecords:
    """Answers dkimpy's one question, and keeps how that went."""

    def __init__(self) -> None:
        self.record: str | None = None
        self.failure = ""

    def __call__(self, name: bytes, timeout: float = 5) -> bytes | None:
        try:
            asked = _texts(name.decode("ascii", "replace").rstrip("."))
            self.record = next(iter(asyncio.run(asked)), None)
        except NoSuchName:
            return None
        except TemporaryFailure as error:
            self.failure = str(error)
            return None
        return self.record.encode() if self.record is not None else None


async def _texts(name: str) -> tuple[str, ...]:
    return tuple(await Resolver(nameservers(settings.EKIDEN_DNS)).txt(name))


def _verified(data: bytes, number: int) -> SignatureFinding:
    notes, keys = _Notes(), _KeyRecords()
    tags: dict[bytes, bytes] = {}
    error = ""
    is_good = False
    try:
        message = dkim.DKIM(data, logger=notes, minkey=KEY_LEAST)
        try:
            is_good = bool(message.verify(idx=number, dnsfunc=keys))
        finally:
            tags = getattr(message, "signature_fields", None) or {}
    except Exception as raised:  # whatever a stranger's signature makes of its checking
        error = str(raised) or type(raised).__name__
    found = SignatureFinding(_tag(tags, b"d").lower(), _tag(tags, b"s"), _tag(tags, b"a"), "pass",
        "sig-pass")  # fmt: skip
    if is_good:
        if _tag(tags, b"a").lower() == "rsa-sha1":  # RFC 8301, section 3.1
            return replace(found, state="fail", code="sig-algorithm", detail="rsa-sha1")
        return found
    code = _code(error or notes.said, keys)
    detail = texts.one_line(keys.failure or error or notes.said, 200)
    return replace(
        found, state="unknown" if code == "sig-unknown" else "fail", code=code, detail=detail
    )


def _code(said: str, keys: _KeyRecords) -> str:
    if keys.failure:
        return "sig-unknown"
    for words, code in _WORDS.items():
        if words in said:
            return code
    if "missing public key" in said:
        return "sig-no-key"
    if keys.record is not None and re.search(r"(?:^|;)\s*p\s*=\s*(?:;|$)", keys.record):
        return "sig-revoked"
    return "sig-unreadable" if said else "sig-wrong"


def _tag(tags: dict[bytes, bytes], name: bytes) -> str:
    return texts.one_line(tags.get(name, b"").decode("ascii", "replace"), 253)


async def _with_alignment(
    author: str, found: list[SignatureFinding]
) -> tuple[str | None, list[SignatureFinding]]:
    names = ResolverNames(Resolver(nameservers(settings.EKIDEN_DNS)))

    async def ask(name: str) -> tuple[str, ...]:
        return await names.ask(name, "TXT")

    try:
        policy = await policy_for(author, ask)
        judged = [
            replace(each, is_aligned=await is_aligned(policy, each.domain, "adkim", ask))
            if each.domain
            else each
            for each in found
        ]
    except TemporaryFailure:  # the same domain aligns whatever the policy says
        return None, [
            replace(each, is_aligned=True if each.domain == author else None) for each in found
        ]
    return policy.policy or "", judged
