"""What is signed is believed only where all of it fits; each misfit is told in a sentence."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from relay_portal.openid import provider, tokens
from relay_portal.openid.provider import ProviderError

ELLIPTIC = ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "first"})
NEW = RSAKey.generate_key(2048, {"kid": "new"})


class Far(BaseHTTPRequestHandler):
    """The far side: a provider's two documents."""

    def do_GET(self):
        self.server.asked.append(self.path)
        said = self.server.documents.get(self.path)
        self.send_response(200 if said else 503)
        self.end_headers()
        self.wfile.write(said if isinstance(said, bytes) else json.dumps(said or {}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def far(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Far)
    issuer = f"http://127.0.0.1:{server.server_port}"
    server.asked = []
    server.documents = {
        "/.well-known/openid-configuration": {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/auth",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        },
        "/keys": KeySet([RSA, ELLIPTIC]).as_dict(private=False),
    }
    settings.EKIDEN_OPENID_ISSUER = issuer
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def claims(**given):
    now = int(time.time())
    return {
        "iss": f"http://127.0.0.1:{given.pop('far').server_port}",
        "aud": "ekiden", "sub": "mika", "nonce": "n", "iat": now, "exp": now + 60, **given,
    }  # fmt: skip


def signed(said, key=RSA, alg="RS256", **header):
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, said, key, algorithms=[alg])


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (ELLIPTIC, "ES256")])
def test_a_token_that_fits_is_believed(far, key, alg):
    token = signed(claims(far=far), key, alg)
    assert tokens.verified(token, nonce="n")["sub"] == "mika"


def by_public_key(said):
    """Return a signature that whoever has the public key can make, where it is taken for a
    secret.
    """
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "first"}, said)
    )
    mark = hmac.digest(RSA.as_pem(private=False), head + b"." + body, "sha256")
    return b".".join((head, body, urlsafe_b64encode(mark).rstrip(b"="))).decode()


MISFITS = {
    "another client": ({"aud": "other"}, "is for another client: EKIDEN_OPENID_CLIENT_ID"),
    "several and another": ({"aud": ["ekiden", "other"], "azp": "other"}, "for another client"),
    "another provider": ({"iss": "https://evil.test"}, "comes from another provider"),
    "expired": ({"exp": int(time.time()) - 3600}, "or the clocks differ"),
    "from the future": ({"iat": int(time.time()) + 3600}, "or the clocks differ"),
    "not yet good": ({"nbf": int(time.time()) + 3600}, "or the clocks differ"),
    "another log-in": ({"nonce": "m"}, "belongs to another log-in"),
    "nobody": ({"sub": ""}, "names no person"),
    "no end": ({"exp": None}, "exp"),
}


@pytest.mark.parametrize(("given", "words"), MISFITS.values(), ids=MISFITS)
def test_a_token_that_does_not_fit_is_refused_with_the_reason(far, given, words):
    with pytest.raises(ProviderError, match=words):
        tokens.verified(signed(claims(far=far, **given)), nonce="n")


def test_a_signature_by_a_stranger_none_or_our_own_secret_is_no_signature(far):
    body = claims(far=far)
    unsigned = f"{signed(body, STRANGER).rsplit('.', 1)[0]}."
    forged = [
        signed(body, STRANGER),
        by_public_key(body),
        unsigned,
        f"eyJhbGciOiJub25lIn0.{unsigned.split('.')[1]}.",
        "no token",
        "",
    ]
    for token in forged:
        with pytest.raises(ProviderError, match="not signed by a key of the provider"):
            tokens.verified(token, nonce="n")


def test_a_new_key_of_the_provider_is_fetched(far):
    tokens.verified(signed(claims(far=far)), nonce="n")
    far.documents["/keys"] = KeySet([NEW]).as_dict(private=False)
    assert tokens.verified(signed(claims(far=far), NEW), nonce="n")


def test_strangers_who_name_keys_that_there_are_not_have_it_asked_once(far):
    for number in range(5):
        with pytest.raises(ProviderError, match="not signed by a key"):
            tokens.told_to_end(signed(claims(far=far), kid=f"none-{number}"))
    assert far.asked.count("/keys") == 2


@pytest.mark.parametrize("said", [None, b"<html>", b"[]", b"\xff"])
def test_a_provider_that_is_away_or_talks_nonsense_is_told_in_a_sentence(far, said):
    far.documents["/.well-known/openid-configuration"] = said
    with pytest.raises(ProviderError, match="does not answer as it should"):
        provider.metadata()


def test_a_provider_that_calls_itself_otherwise_is_not_believed(far):
    far.documents["/.well-known/openid-configuration"]["issuer"] = "https://evil.test"
    with pytest.raises(ProviderError, match=r"calls itself https://evil.test"):
        provider.metadata()


def test_what_lacks_an_address_is_no_provider(far):
    del far.documents["/.well-known/openid-configuration"]["token_endpoint"]
    with pytest.raises(ProviderError, match=r"no OpenID provider: .* no token_endpoint"):
        provider.metadata()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"events": {"other": {}}}, "no log-out token"),
        ({"nonce": "n"}, "no log-out token"),
        ({"iat": int(time.time()) - 600}, "no log-out token"),
        ({"sub": None}, "neither a person nor a session"),
        ({"aud": "other"}, "another client"),
    ],
)
def test_a_log_out_token_that_does_not_fit_ends_nothing(far, given, words):
    body = claims(far=far, nonce=None, events={tokens.LOG_OUT: {}}) | given
    body = {name: value for name, value in body.items() if value is not None}
    with pytest.raises(ProviderError, match=words):
        tokens.told_to_end(signed(body))


def test_only_a_log_in_since_then_confirms():
    tokens.check_is_new({"auth_time": 1000}, since=1000)
    for said in ({}, {"auth_time": 900}, {"auth_time": "1000"}):
        with pytest.raises(ProviderError, match="did not ask you again"):
            tokens.check_is_new(said, since=1000)
