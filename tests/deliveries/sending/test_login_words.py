"""Why there is nothing to log in with at a smarthost, in the reader's language."""

from types import SimpleNamespace

import pytest
from django.utils.translation import override

from deliveries.backends import access_tokens
from deliveries.sending import smarthost_logins
from deliveries.sending.login_words import in_words
from deliveries.sending.smarthost_logins import _of
from domains.foundation.secrets import keyring
from tests.raised import sentences

OPENED = "its secret cannot be opened: "
REASONS = [
    *sentences(smarthost_logins, "NoLogin"),
    *sentences(access_tokens, "TokenFailure"),
    *(OPENED + each for each in sentences(keyring, "KeyRingError") if "made" not in each
      and "written" not in each and "changed" not in each),
    "its answer is no token (TypeError)", "no answer in time", "it has been removed",
    "it answered 503", "it did not answer within 30 seconds",
    "its certificate is not trusted, or TLS failed",
    "it could not be reached, or answered with something else than a token",
]  # fmt: skip


@pytest.mark.parametrize("english", sorted(REASONS))
def test_each_reason_is_told_in_japanese(english):
    whole = _of(SimpleNamespace(name="office"), f"login.test: {english}")
    assert in_words(whole) == whole
    with override("ja"):
        assert in_words(english) != english
        assert "login.test: " in in_words(whole)
        assert english not in in_words(whole) and "No access token" not in in_words(whole)
