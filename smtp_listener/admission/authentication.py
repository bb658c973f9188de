"""AUTH PLAIN and LOGIN: what the client shows, held against the credentials (RFC 4954, RFC
4616).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deliveries.backends.database import DatabaseUnavailable
from domains.foundation.text import texts
from domains.senders.credentials import matches
from smtp_listener.admission.accounts import Account, Accounts
from smtp_listener.admission.limits import Address, LoginThrottle
from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply

MAX_NAME, MAX_SECRET = 255, 255


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client showed."""

    username: str
    secret: str
    identity: str = ""  # for whom it wants to act (authzid); empty for itself


def decode_plain(line: str) -> Proof | ServerReply:
    """Decode `authzid NUL authcid NUL password` (RFC 4616, section 2)."""
    parts = _decode(line).split("\0")
    if len(parts) != 3:
        return replies.AUTH_BAD_BASE64
    identity, username, secret = parts
    return _proof(username, secret, identity if identity != username else "")


def decode_login(username: str, secret: str) -> Proof | ServerReply:
    return _proof(_decode(username), _decode(secret))


def _proof(username: str, secret: str, identity: str = "") -> Proof | ServerReply:
    if (
        not 0 < len(username) <= MAX_NAME
        or not 0 < len(secret) <= MAX_SECRET
        or texts.has_control(username)
    ):
        return replies.AUTH_BAD_BASE64
    return Proof(username, secret, identity)


def _decode(text: str) -> str:
    """Empty for what is no base64 of UTF-8; blanks around it mean nothing."""
    try:
        return base64.b64decode(text.strip(" \t"), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def may_act_for(account: Account, proof: Proof) -> bool:
    """Say whether the identity that the client asks for is its own: none, its user name at some
    host, or an address that it may send as.
    """
    local, _, domain = proof.identity.rpartition("@")
    return (
        not proof.identity
        or local == proof.username
        or (bool(local) and domain.lower() in account.senders)
    )


class Authentication:
    """Judges proofs: a right one is taken whatever strangers have tried; each wrong one gets the
    same answer, after a growing time.
    """

    def __init__(self, accounts: Accounts, guard: LoginThrottle) -> None:
        self._accounts = accounts
        self._guard = guard

    async def judge(
        self,
        proof: Proof,
        address: Address,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Account | ServerReply:
        """Return the account, or the refusal.

        `rest` lets the client of a wrong proof wait so many seconds.
        """
        try:
            account = await self._accounts.named(proof.username)
        except DatabaseUnavailable:
            return replies.AUTH_UNAVAILABLE
        # An unknown name is compared too, so that it takes the same time.
        is_right = matches(
            proof.secret, account.secret_hash if account and account.secret_hash else b""
        )
        if account is not None and is_right and account.is_open_to(address):
            return (
                account
                if may_act_for(account, proof)
                else replies.AUTH_OTHER(identity=proof.identity)
            )
        delay, is_last = self._guard.failed(address, proof.username)
        await rest(delay)
        return replies.AUTH_LOCKED if is_last else replies.AUTH_FAILED
