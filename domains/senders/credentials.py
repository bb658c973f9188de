"""Credentials: how they are issued, and how the secret that a client shows is compared with what
is stored.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from hmac import compare_digest
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from domains.models import Credential, CredentialKind, Domain, Project

# 192 bits: 32 characters, all of which are safe in URLs, shells and configuration files.
SECRET_BYTES = 24


def issue(
    project: Project,
    name: str,
    *,
    kind: str = CredentialKind.PASSWORD,
    networks: Iterable[str] = (),
    domains: Iterable[Domain] = (),
    **limits: int | None,
) -> tuple[Credential, str]:
    """Issue a new credential; return it and its secret, which nobody can read again.

    The secret of a trusted network is "". `limits` are `priority`, `highest_priority`, `max_size`,
    `max_recipients`, `per_minute`, `per_day` and `max_sessions`. Raise `ValidationError`.
    """
    credential = Credential(
        project=project, name=name, kind=kind, networks=checked_networks(networks, kind), **limits
    )
    secret = _prove(credential) if kind == CredentialKind.PASSWORD else ""
    credential.full_clean()
    with transaction.atomic():
        credential.save(force_insert=True)
        credential.domains.set(domains)
    return credential, secret


def reissue(credential: Credential) -> str:
    """Bring a revoked one back under a new user name and secret, which is returned; the old ones
    stay worthless.
    """
    secret = _prove(credential)
    credential.revoked_at = None
    credential.save(update_fields=["username", "secret_hash", "revoked_at"])
    return secret


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a secret.

    It is fast on purpose: 192 random bits cannot be guessed, however fast the hash; a password hash
    would only cost 50 ms of CPU for each AUTH, which is a way to stop the service.
    """
    return hashlib.blake2b(
        secret.encode("utf-8", "surrogateescape"), digest_size=32, person=b"credential"
    ).digest()


def matches(secret: str, stored: bytes | memoryview) -> bool:
    """Tell whether `stored` was made from this secret; takes the same time whether or not."""
    return compare_digest(hash_secret(secret), bytes(stored))


def new_secret() -> str:
    """Make a secret that does not begin with a hyphen: swaks, for one, would take it for an
    option.
    """
    while (secret := secrets.token_urlsafe(SECRET_BYTES)).startswith("-"):
        pass
    return secret


def _prove(credential: Credential) -> str:
    """Give it a user name and a new secret."""
    secret = new_secret()
    # The names are cut so that the whole keeps within 128 characters; the random end makes it
    # unique and hard to guess.
    credential.username = (
        f"{credential.project.name[:56]}-{credential.name[:56]}-{secrets.token_hex(4)}"
    )
    credential.secret_hash = hash_secret(secret)
    return secret


def checked_networks(networks: Iterable[str], kind: str) -> list[str]:
    """Return the networks in their one spelling; `10.1.2.3` is the network of that one address.

    Raise `ValidationError`.
    """
    checked = []
    for text in networks:
        try:
            network = ip_network(text.strip())
        except ValueError as error:
            raise ValidationError(
                {"networks": _("%s is no network such as 192.0.2.0/24.") % text}
            ) from error
        if kind == CredentialKind.NETWORK and not network.prefixlen:
            raise ValidationError(
                {
                    "networks": _("%s is the whole internet: trusting it would make an open relay.")
                    % text
                }
            )
        checked.append(str(network))
    return checked


def usual_sender(credential: Credential) -> str | None:
    """Return an address of the first domain, by its name, that the credential may send as."""
    own = credential.domains.verified() or credential.project.domains.verified()
    domain = own.order_by("name").first()
    return f"hello@{domain.name}" if domain else None
