import base64
import hashlib
import itertools
import re
import time

import dkim as dkimpy
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given, settings
from hypothesis import strategies as st

from deliveries.message.headers import parse, split
from domains.senders import dkim
from tests.cost import assert_in_proportion

RSA, ED25519 = dkim.generate(), dkim.generate("ed25519")
RSA_SIGNER, ED25519_SIGNER = dkim.Signer("a.test", "r1", RSA), dkim.Signer("a.test", "e1", ED25519)
RECORDS = {
    b"r1._domainkey.a.test.": dkim.txt_value(RSA),
    b"e1._domainkey.a.test.": dkim.txt_value(ED25519),
}
HEADERS = b"From: A <a@a.test>\r\nTo: b@b.test\r\nSubject: Hello\r\n"


def signed(message, *, signers=(RSA_SIGNER,), relaxed=False):
    section, body_at = split(message)
    fields = [(field.name, field.raw) for field in parse(section)]
    body_hash = dkim.body_hash(message[body_at:], relaxed=relaxed)
    return (
        dkim.sign(fields, body_hash, signers=signers, now=int(time.time()), relaxed_body=relaxed)
        + message
    )


def is_valid(message, idx=0):
    return dkimpy.DKIM(message).verify(
        idx=idx, dnsfunc=lambda name, timeout: RECORDS[name].encode()
    )


SHAPES = {
    "no body": HEADERS + b"\r\n",
    "no blank line": HEADERS,
    "no final line end": HEADERS + b"\r\nHello",
    "blank lines at the end": HEADERS + b"\r\nHello\r\n\r\n\r\n",
    "only blank lines": HEADERS + b"\r\n\r\n\r\n",
    "white space in the body": HEADERS + b"\r\n a  b \t \r\n\t\r\n  \r\nc\t\td  \r\n \r\n",
    "only white space": HEADERS + b"\r\n  \t",
    "a folded field": HEADERS
    + b"References: <a@a.test>\r\n\t <b@b.test>\r\n  <c@c.test>\r\n\r\nx\r\n",
    "8-bit fields": b"Subject: \xe3\x81\x82 \xff\r\n" + HEADERS[:-16] + b"\r\nx\r\n",
    "repeated fields": HEADERS + b"To: c@c.test\r\nCc: d@d.test\r\nto: e@e.test\r\n\r\nx\r\n",
    "an empty field": HEADERS + b"Cc:\r\nReply-To: \r\n\r\nx\r\n",
    "a field folded before its value": HEADERS + b"Message-ID:\r\n <x@a.test>\r\n\r\nx\r\n",
    "upper-case names": HEADERS.upper() + b"\r\nx\r\n",
    "huge fields": HEADERS
    + b"References: "
    + b"<x@a.test>\r\n " * 20_000
    + b"<y@a.test>\r\n\r\nx\r\n",
    "many fields": HEADERS + b"To: c@c.test\r\n" * 900 + b"\r\nx\r\n",
    "dots": HEADERS + b"\r\n.\r\n..\r\nx\r\n",
    "vertical tab inside": HEADERS + b"Cc: a\v \v \fb\r\n\r\nx\r\n",
}


@pytest.mark.parametrize("relaxed", [False, True], ids=["simple", "relaxed"])
@pytest.mark.parametrize("message", SHAPES.values(), ids=SHAPES)
def test_dkimpy_verifies_every_shape_of_message(message, relaxed):
    message = signed(message, relaxed=relaxed)
    assert is_valid(
        message if message.endswith(b"\r\n") else message + b"\r\n"
    )  # as SMTP carries it


# Without VT and FF: dkimpy strips them from the ends of a value like white space, which RFC 6376,
# section 2.8, does not.
ODD_VALUES = st.text(st.sampled_from('ab:;=,<>"()\t \x01\x7f日é'), max_size=20).map(str.encode)
ODD_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"To",
                b"CC",
                b"cc",
                b"Subject",
                b"Reply-To",
                b"X-Other",
                b"List-ID",
                b"Received",
                b"DKIM-Signature",
            ]
        ),
        ODD_VALUES,
        st.lists(st.tuples(st.sampled_from([b" ", b"\t", b" \t "]), ODD_VALUES), max_size=3),
    ),
    max_size=6,
)
ODD_BODIES = st.lists(
    st.sampled_from([b"a", b" ", b"\t", b"\r\n", b".", b"\r\n.\r\n", b"\xff"]), max_size=20
).map(b"".join)


@settings(max_examples=80, deadline=None)
@given(ODD_FIELDS, ODD_BODIES, st.booleans())
def test_dkimpy_verifies_whatever_we_sign(fields, body, relaxed):
    lines = [
        name + b": " + value + b"".join(b"\r\n" + fold + more for fold, more in folds) + b"\r\n"
        for name, value, folds in fields
    ]
    message = signed(HEADERS + b"".join(lines) + b"\r\n" + body + b"\r\n", relaxed=relaxed)
    assert is_valid(message)


def test_a_changed_subject_body_or_second_from_breaks_the_signature():
    message = signed(SHAPES["dots"])
    assert not is_valid(message.replace(b"Hello", b"Hullo"))
    assert not is_valid(b"From: evil@evil.test\r\n" + message)
    with pytest.raises(dkimpy.ValidationError, match="body hash"):
        is_valid(message + b"more\r\n")


def test_what_ordinary_hops_add_and_refold_does_no_harm():
    message = (
        signed(SHAPES["a folded field"])
        .replace(b"\r\n\t <b@b.test>", b" <b@b.test>")
        .replace(b"Subject: H", b"SUBJECT:  H")
    )
    hops = (
        b"Return-Path: <x@a.test>\r\nReceived: from a by b\r\n"
        b"Authentication-Results: b; dkim=pass\r\nX-Spam: no\r\n"
    )
    assert is_valid(hops + message)


def test_a_domain_with_both_keys_gets_both_signatures():
    message = signed(SHAPES["dots"], signers=(RSA_SIGNER, ED25519_SIGNER))
    assert message.count(b"DKIM-Signature:") == 2
    assert is_valid(message, idx=0)
    assert ed25519_is_valid(message)


def ed25519_is_valid(message):
    """Verify with dkimpy's canonical form and the public key of the TXT record (dkimpy needs PyNaCl
    to go further).
    """
    verifier = dkimpy.DKIM(message)
    name, value = next(header for header in verifier.headers if b"ed25519" in header[1])
    tags = dkimpy.util.parse_tag_value(value)
    include = [part.strip() for part in tags[b"h"].split(b":")]
    hasher = dkimpy.HashThrough(hashlib.sha256())
    policy = dkimpy.CanonicalizationPolicy.from_c_value(tags[b"c"])
    dkimpy.hash_headers(
        hasher, policy, policy.canonicalize_headers(verifier.headers), include, (name, value), tags
    )
    record = dkimpy.util.parse_tag_value(RECORDS[b"e1._domainkey.a.test."].encode())
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(record[b"p"]))
    try:
        key.verify(base64.b64decode(re.sub(rb"\s", b"", tags[b"b"])), hasher.digest())
    except InvalidSignature:
        return False
    return True


def test_the_ed25519_signature_breaks_with_the_message_too():
    message = signed(SHAPES["dots"], signers=(ED25519_SIGNER,))
    assert ed25519_is_valid(message)
    assert not ed25519_is_valid(message.replace(b"Hello", b"Hullo"))


@pytest.mark.parametrize("name", dkim.OVERSIGNED)
@pytest.mark.parametrize("shape", ["no body", "mime"])
def test_nothing_that_a_reader_sees_can_be_put_above_or_below(name, shape):
    mime = b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nReply-To: a@a.test\r\n"
    message = signed(mime + SHAPES["repeated fields"] if shape == "mime" else SHAPES["no body"])
    head, _, body = message.partition(b"\r\n\r\n")
    assert is_valid(message)
    assert not is_valid(name + b": other\r\n" + message)
    assert not is_valid(head + b"\r\n" + name + b": other\r\n\r\n" + body)


@pytest.mark.parametrize(
    "name", [b"Sender", b"List-Id", b"List-Unsubscribe", b"Received", b"X-Other"]
)
def test_what_mailing_lists_and_hops_add_does_no_harm(name):
    assert is_valid(name + b": other\r\n" + signed(SHAPES["dots"]))


def test_the_field_is_folded_ascii_and_names_from_twice():
    field = signed(SHAPES["many fields"], signers=(RSA_SIGNER, ED25519_SIGNER)).partition(b"From:")[
        0
    ]
    assert field.isascii()
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert (
        re.sub(rb"\s", b"", field.partition(b"h=")[2].partition(b";")[0]).split(b":").count(b"from")
        == 2
    )


def test_without_a_from_field_one_still_cannot_be_added():
    message = signed(b"Subject: x\r\n\r\nx\r\n")
    assert is_valid(message)
    assert not is_valid(b"From: evil@evil.test\r\n" + message)


@given(
    st.lists(
        st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"b c", b"\r\n\r\n", b".", b"\xff"]),
        max_size=30,
    ),
    st.integers(1, 7),
)
@settings(max_examples=400)
def test_any_chunks_hash_like_the_canonical_form_of_dkimpy(parts, size):
    body = b"".join(parts)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    for relaxed, oracle in ((False, Simple), (True, Relaxed)):
        carried = body if not body or body.endswith(b"\r\n") else body + b"\r\n"
        expected = hashlib.sha256(oracle.canonicalize_body(carried)).digest()
        assert (
            dkim.body_hash(body, relaxed=relaxed)
            == dkim.body_hash(chunks, relaxed=relaxed)
            == expected
        )


@given(
    st.binary(max_size=40).map(lambda data: re.sub(rb"[^\r\n \t]", b"x", data)), st.integers(1, 5)
)
def test_stray_cr_and_lf_hash_the_same_whole_and_in_chunks(body, size):
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    for relaxed in (False, True):
        assert dkim.body_hash(body, relaxed=relaxed) == dkim.body_hash(chunks, relaxed=relaxed)


def test_millions_of_blank_lines_cost_no_more_than_other_bytes():
    def hash_all(line, times):
        dkim.body_hash(itertools.repeat(line * 32_768, times // 50_000))
        dkim.body_hash(line * times + b"x" + line * times, relaxed=True)

    assert_in_proportion(lambda size: hash_all(b"\r\n", size), 5_000_000)


def test_a_bytes_like_body_hashes_as_its_bytes():
    assert (
        dkim.body_hash(memoryview(b"x\r\n"))
        == dkim.body_hash(bytearray(b"x\r\n"))
        == dkim.body_hash(b"x\r\n")
    )


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_private_key_survives_its_serialisation(key):
    der = dkim.private_bytes(key)
    assert dkim.private_bytes(dkim.load_private_key(der)) == der


@pytest.mark.parametrize("der", [b"", b"nonsense", dkim.private_bytes(RSA)[:-1]])
def test_broken_key_bytes_are_a_value_error(der):
    with pytest.raises(ValueError):
        dkim.load_private_key(der)


def test_a_key_of_another_kind_is_refused():
    der = generate_private_key(SECP256R1()).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(ValueError, match="neither"):
        dkim.load_private_key(der)


@pytest.mark.parametrize(
    "name", ["", "A.test", "a.test;", "a.test\r\nBcc: x@x.test", "a b", "\u3042.test", "a.test\n"]
)
def test_a_domain_or_selector_cannot_bring_a_header_line(name):
    for domain, selector in ((name, "r1"), ("a.test", name)):
        with pytest.raises(ValueError, match="DNS name"):
            dkim.Signer(domain, selector, RSA)
