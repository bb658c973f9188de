"""What the provider signs: ID tokens and log-out tokens, believed only where all of it fits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from django.conf import settings
from django.utils.translation import gettext as _
from joserfc import jwt
from joserfc.errors import (
    ClaimError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
)
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from relay_portal.openid import provider
from relay_portal.openid.provider import Json, ProviderError

# Signatures by a key of the provider's own; never one made with the secret that we know as well,
# and never none.
ALGORITHMS = frozenset({
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "Ed25519",
})  # fmt: skip
LEEWAY = 60  # seconds that clocks may differ
LOG_OUT_LASTS = 120  # seconds, for which a log-out token is good
LOG_OUT = "http://schemas.openid.net/event/backchannel-logout"


def verified(token: str, *, nonce: str) -> Json:
    """Return the claims of an ID token that is for us, now, and for this log-in.

    Raise `ProviderError` with what does not fit.
    """
    read = _decoded(token)
    claims = CodeIDToken(
        read.claims,
        read.header,
        {
            "iss": {"essential": True, "value": settings.EKIDEN_OPENID_ISSUER},
            "aud": {"essential": True, "value": settings.EKIDEN_OPENID_CLIENT_ID},
        },
        {"client_id": settings.EKIDEN_OPENID_CLIENT_ID},
    )
    try:
        claims.validate(leeway=LEEWAY)
    except ClaimError as error:
        raise ProviderError(_wrong(error, read.claims)) from error
    if not secrets.compare_digest(str(read.claims.get("nonce", "")).encode(), nonce.encode()):
        raise ProviderError(
            _("The provider's answer belongs to another log-in. Begin the log-in again.")
        )
    if not read.claims["sub"]:
        raise ProviderError(_("The provider's answer names no person."))
    return dict(read.claims)


def told_to_end(token: str) -> tuple[str, str]:
    """Return subject and session (one may be empty) of a log-out token; raise `ProviderError`.

    OpenID Connect Back-Channel Logout 1.0, section 2.6.
    """
    claims = _decoded(token).claims
    registry = JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": settings.EKIDEN_OPENID_ISSUER},
        aud={"essential": True, "value": settings.EKIDEN_OPENID_CLIENT_ID},
        iat={"essential": True},
        events={"essential": True},
    )
    try:
        registry.validate(claims)
    except ClaimError as error:
        raise ProviderError(_wrong(error, claims)) from error
    events, subject_and_session = (
        claims["events"],
        (claims.get("sub") or "", claims.get("sid") or ""),
    )
    is_old = time.time() - claims["iat"] > LOG_OUT_LASTS + LEEWAY
    if not isinstance(events, Mapping) or LOG_OUT not in events or "nonce" in claims or is_old:
        raise ProviderError("This is no log-out token.")
    if not any(subject_and_session) or not all(
        isinstance(each, str) for each in subject_and_session
    ):
        raise ProviderError("The log-out token names neither a person nor a session.")
    return subject_and_session


def has_second_factor(claims: Json) -> bool:
    """Return whether the provider asked for a second factor, by what the settings call one."""
    methods = claims.get("amr") or ()
    said = {f"amr:{each}" for each in methods} | {f"acr:{claims.get('acr')}"}
    return bool(said & set(settings.EKIDEN_OPENID_FACTOR))


def wanted_classes() -> str:
    """Return the `acr_values` to ask for."""
    words = (each.partition(":") for each in settings.EKIDEN_OPENID_FACTOR)
    return " ".join(value for kind, _colon, value in words if kind == "acr")


def check_is_new(claims: Json, *, since: float) -> None:
    """Raise `ProviderError` where the person did not log in at the provider since then."""
    at = claims.get("auth_time")
    if not isinstance(at, int | float) or at < since - LEEWAY:
        raise ProviderError(
            _(
                "The provider did not ask you again: log out there and in again, then repeat what "
                "you did."
            )
        )


def _decoded(token: str) -> jwt.Token:
    said = provider.metadata().get("id_token_signing_alg_values_supported") or ["RS256"]
    allowed = sorted(ALGORITHMS & {str(each) for each in said})
    try:
        try:
            return jwt.decode(token, _keys(), allowed)
        except InvalidKeyIdError:
            return jwt.decode(token, _keys(anew=True), allowed)  # the provider has a new key
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(
            _("The provider's answer is not signed by a key of the provider. Begin again.")
        ) from error


def _keys(*, anew: bool = False) -> KeySet:
    found: Any = provider.keys(anew=anew)  # joserfc judges its form
    return KeySet.import_key_set(found)


def _wrong(error: ClaimError, claims: Mapping[str, Any]) -> str:
    if isinstance(error, ExpiredTokenError) or (
        isinstance(error, InvalidClaimError) and error.claim in ("iat", "nbf")
    ):
        return _(
            "The provider's answer is out of date, or the clocks differ: compare the time of this "
            "machine with the provider's, then log in again."
        )
    match getattr(error, "claim", ""):
        case "aud" | "azp":
            return _(
                "The provider's answer is for another client: EKIDEN_OPENID_CLIENT_ID must be "
                "what the provider has registered."
            )
        case "iss":
            return _("The answer comes from another provider than EKIDEN_OPENID_ISSUER.")
        case other:
            return _("The provider's answer has a wrong “%s”. Begin again.") % other
