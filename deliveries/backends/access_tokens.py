"""Asks an authorization server for an access token (RFC 6749, sections 4.4 and 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domains.foundation.text import texts

if TYPE_CHECKING:
    from requests import RequestException

CLIENT = "client_credentials"
PATIENCE = 15.0  # seconds for the connection, and for each part of the answer
LIFE = 3600.0  # seconds of a token whose answer names none (RFC 6749, section 5.1)
LIFE_LEAST, LIFE_MOST = 60.0, 7 * 86_400.0
TEXT = 300  # characters of what the server says
# Answers that a later try would not change (RFC 6749, section 5.2).
FINAL = frozenset(
    {"invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "invalid_request",
     "unsupported_grant_type", "access_denied", "interaction_required", "consent_required"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What is asked of whom, by which grant."""

    url: str
    grant: str
    client_id: str
    scope: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GrantedToken:
    """`seconds` is for how long it holds; `refresh_token` is a new one, or "" for none."""

    token: str = field(repr=False)
    seconds: float
    refresh_token: str = field(default="", repr=False)


class TokenFailure(Exception):
    """There is no token. `is_final`: only a person can mend that."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.is_final = is_final


def fetch(asked: TokenRequest) -> GrantedToken:
    """Return a new token; raise `TokenFailure`. Blocks for as long as the server does."""
    # Few installations log in so; all workers would read it in as they start.
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.oauth2.rfc6749 import InsecureTransportError
    from requests import RequestException

    # Credentials in the body: Microsoft and Google take them there, and some take them nowhere
    # else.
    session = OAuth2Session(
        asked.client_id,
        asked.client_secret or None,
        scope=asked.scope or None,
        token_endpoint_auth_method="client_secret_post" if asked.client_secret else "none",
    )
    given: dict[str, Any] = {"timeout": PATIENCE, "allow_redirects": False}
    try:
        if asked.grant == CLIENT:
            answer = session.fetch_token(asked.url, grant_type=CLIENT, **given)
        else:
            answer = session.refresh_token(asked.url, refresh_token=asked.refresh_token, **given)
    except OAuthError as error:
        said = _shown(f"{error.error}: {error.description or 'no reason given'}", asked)
        raise TokenFailure(said, is_final=error.error in FINAL) from None
    except InsecureTransportError:
        raise TokenFailure("its address does not begin with https://", is_final=True) from None
    except RequestException as error:
        raise TokenFailure(_trouble(error), is_final=False) from None
    except Exception as error:  # whatever it answered is no answer to this
        said = f"its answer is no token ({type(error).__name__})"
        raise TokenFailure(said, is_final=False) from error
    finally:
        session.close()
    return _granted(answer, asked)


def _granted(answer: Any, asked: TokenRequest) -> GrantedToken:
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not (isinstance(token, str) and token and token.isascii() and not texts.has_control(token)):
        raise TokenFailure("its answer has no access token", is_final=False)
    seconds = answer.get("expires_in")
    life = float(seconds) if re.fullmatch("[0-9]{1,9}", str(seconds)) else LIFE
    newer = answer.get("refresh_token")
    is_newer = isinstance(newer, str) and newer != asked.refresh_token
    return GrantedToken(token, min(max(life, LIFE_LEAST), LIFE_MOST), newer if is_newer else "")


def _trouble(error: RequestException) -> str:
    """Return the failure without a class name, and without what was asked."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"it answered {response.status_code}"
    name = type(error).__name__
    if "Timeout" in name:
        return f"it did not answer within {PATIENCE:.0f} seconds"
    if name == "SSLError":
        return "its certificate is not trusted, or TLS failed"
    return "it could not be reached, or answered with something else than a token"


def _shown(text: str, asked: TokenRequest) -> str:
    for secret in (asked.client_secret, asked.refresh_token):
        text = text.replace(secret, "…") if secret else text
    return texts.clean(text)[:TEXT]
