"""The OpenID provider over the network: what it says of itself, its keys, its answer to a code."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.discovery import get_well_known_url
from django.conf import settings
from django.utils.translation import gettext as _

from domains.foundation.text.texts import one_line

SECONDS = 10  # for each answer
KEPT = 600  # seconds that its metadata and keys are believed
# seconds between two looks for a new key: any stranger can name one that there is not
ANEW = 30
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
SAID_MOST = 200  # characters of its own words that are shown
BASIC, POST, NO_SECRET = "client_secret_basic", "client_secret_post", "none"

Json = dict[str, Any]


class ProviderError(Exception):
    """A log-in by the provider failed; the text tells the person what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Tokens:
    id_token: str
    access_token: str


def is_configured() -> bool:
    return bool(settings.EKIDEN_OPENID_ISSUER)


def name() -> str:
    """Return what the button calls it."""
    host = settings.EKIDEN_OPENID_ISSUER.partition("://")[2].partition("/")[0]
    return settings.EKIDEN_OPENID_NAME or host


def metadata(*, anew: bool = False) -> Json:
    """Return what the provider says of itself; raise `ProviderError`."""
    issuer = settings.EKIDEN_OPENID_ISSUER
    found = _kept_or_fetched(get_well_known_url(issuer, external=True), anew=anew)
    if missing := [each for each in NEEDED if not isinstance(found.get(each), str)]:
        raise ProviderError(
            _("%(issuer)s is no OpenID provider: its configuration has no %(missing)s.")
            % {"issuer": issuer, "missing": ", ".join(missing)}
        )
    if found["issuer"] != issuer:
        raise ProviderError(
            _(
                "The provider calls itself %(said)s, and EKIDEN_OPENID_ISSUER is %(issuer)s: an "
                "owner must write it exactly as the provider does."
            )
            % {"said": one_line(found["issuer"], SAID_MOST), "issuer": issuer}
        )
    return found


def keys(*, anew: bool = False) -> Json:
    """Return its public keys, as a JWK set; raise `ProviderError`."""
    return _kept_or_fetched(metadata()["jwks_uri"], anew=anew)


def authorization_url(redirect_uri: str, *, verifier: str, **asked: str) -> str:
    """Return the address to send the browser to; `asked` goes into it as it is."""
    session = OAuth2Session(
        settings.EKIDEN_OPENID_CLIENT_ID,
        scope=" ".join(settings.EKIDEN_OPENID_SCOPES),
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    endpoint = metadata()["authorization_endpoint"]
    url: str = session.create_authorization_url(endpoint, code_verifier=verifier, **asked)[0]
    return url


def exchange(code: str, redirect_uri: str, *, verifier: str) -> Tokens:
    """Return what the code is worth; raise `ProviderError`."""
    known, secret = metadata(), _secret()
    methods = known.get("token_endpoint_auth_methods_supported") or [BASIC]
    method = NO_SECRET if not secret else BASIC if BASIC in methods else POST
    session = OAuth2Session(
        settings.EKIDEN_OPENID_CLIENT_ID,
        secret or None,
        token_endpoint_auth_method=method,
        redirect_uri=redirect_uri,
        default_timeout=SECONDS,
    )
    try:
        with session:
            token = session.fetch_token(
                known["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                allow_redirects=False,
            )
    except OAuthError as error:
        raise ProviderError(refused(error.error or "", error.description or "")) from error
    except (requests.RequestException, ValueError) as error:
        raise ProviderError(_away()) from error
    return Tokens(str(token.get("id_token") or ""), str(token.get("access_token") or ""))


def about_person(access_token: str) -> Json:
    """Return what the provider's page about the person says; nothing where it has none."""
    endpoint = metadata().get("userinfo_endpoint")
    if not endpoint or not access_token:
        return {}
    return _fetched(endpoint, headers={"Authorization": f"Bearer {access_token}"})


def refused(error: str, description: str) -> str:
    return _("The provider refused the log-in: %s") % one_line(
        f"{error} {description}".strip(), SAID_MOST
    )


# By address: when it was read, and what it said. Each process keeps its own.
_kept: dict[str, tuple[float, Json]] = {}
_read_anew: dict[str, float] = {}


def _kept_or_fetched(url: str, *, anew: bool) -> Json:
    now = time.monotonic()
    read_at, kept = _kept.get(url, (0.0, {}))
    may_ask = now - _read_anew.get(url, -ANEW) >= ANEW if anew else now - read_at >= KEPT
    if kept and not may_ask:
        return kept
    if anew:
        _read_anew[url] = now
    found = _fetched(url)
    _kept[url] = (time.monotonic(), found)
    return found


def _fetched(url: str, headers: dict[str, str] | None = None) -> Json:
    try:
        answer = requests.get(url, headers=headers, timeout=SECONDS, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderError(_away()) from error
    if not isinstance(found, dict):
        raise ProviderError(_away())
    return found


def _secret() -> str:
    """Return the client's secret; none where no file is set, as for a public client."""
    place = settings.EKIDEN_OPENID_SECRET_FILE
    try:
        return Path(place).read_text(encoding="utf-8").strip() if place else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError(
            _("The file of EKIDEN_OPENID_SECRET_FILE cannot be read: an owner must look at it.")
        ) from error


def _away() -> str:
    return _(
        "The provider %s does not answer as it should. Try again later, or log in with a password."
    ) % (name())
