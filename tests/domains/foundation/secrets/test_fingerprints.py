"""A ring fits if it holds the newest key that was noted, or proves itself; a fingerprint is of no
other use.
"""

import hashlib

import pytest

from domains.foundation.secrets.fingerprints import Fit, fingerprint, fit, joined


def test_a_fingerprint_tells_keys_apart_and_is_no_plain_digest_of_the_key():
    assert fingerprint(b"a") == fingerprint(b"a") != fingerprint(b"b")
    assert fingerprint(b"a") != hashlib.blake2b(b"a", digest_size=16).hexdigest()
    assert len(fingerprint(b"a" * 100)) == 32


@pytest.mark.parametrize(
    ("own", "noted", "opens", "expected"),
    [
        ("a", "", None, Fit.NEWER),  # the first machine, before anything was noted
        ("a", "", True, Fit.NEWER),
        ("a", "", False, Fit.FOREIGN),  # a ring that another version made here by itself
        ("a", "a", None, Fit.SAME),
        ("a", "a", True, Fit.SAME),
        ("ba", "a", True, Fit.NEWER),  # rotate() here
        ("ba", "a", None, Fit.NEWER),
        ("b", "a", True, Fit.NEWER),  # rotate(), all under the new key, forget_old()
        ("b", "a", None, Fit.FOREIGN),  # nothing proves that
        ("b", "a", False, Fit.FOREIGN),
        (
            "a",
            "ba",
            True,
            Fit.BEHIND,
        ),  # rotated elsewhere: what is under the newest key cannot be read here for long
        ("a", "ba", False, Fit.BEHIND),
        ("ba", "ba", False, Fit.BEHIND),
        ("b", "ba", True, Fit.SAME),  # forget_old() here, or on another machine first
        ("cb", "ba", True, Fit.NEWER),
    ],
)
def test_how_a_ring_fits(own, noted, opens, expected):
    assert fit(list(own), list(noted), opens=opens) is expected


def test_keys_that_were_forgotten_stay_noted_behind_those_in_use():
    assert joined(["c", "b"], ["b", "a"]) == ["c", "b", "a"]
