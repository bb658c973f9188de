"""What is added and taken out, and that all else leaves byte for byte as it came."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.intake.header_completion import complete
from deliveries.intake.submission import (
    Arrival,
    Envelope,
    MemoryBody,
    SubmittedMessage,
    SubmittingAccount,
)
from deliveries.message.headers import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ARRIVAL = Arrival("192.0.2.7", "app.test", "ESMTPSA", "TLSv1.3 TLS_AES_256_GCM_SHA384")
TEXT = st.text(
    st.characters(min_codepoint=32, blacklist_characters="\x7f", blacklist_categories=("Cs",)),
    max_size=30,
).map(str.encode)
NAMES = st.sampled_from([
    b"From", b"To", b"SUBJECT", b"bcc", b"BCC", b"Resent-Bcc", b"X-Idempotency-Key",
    b"X-Ekiden-Priority", b"x-ekiden-", b"X-Ekide",
    b"Date", b"Message-ID", b"Received", b"X-Other", b"Cc",
])  # fmt: skip
FIELDS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from([b": ", b":", b":\t"]),
        TEXT,
        st.sampled_from([b"", b"\r\n\tmore", b"\r\n "]),
    ),
    max_size=12,
)


def completed(section, arrival=ARRIVAL, **given):
    sender = SubmittingAccount(1, 1, **given)
    submission = SubmittedMessage(
        sender,
        Envelope("a@shop.test", ()),
        arrival,
        parse(section),
        MemoryBody(b""),
        "a@shop.test",
        "shop.test",
        False,
    )
    return complete(submission, queue_id="01a2", hostname="relay.test", now=NOW)


def is_ours(name):
    return name.lower() in (b"bcc", b"resent-bcc", b"x-idempotency-key") or name.lower().startswith(
        b"x-ekiden-"
    )


@given(FIELDS)
def test_all_fields_but_those_that_steer_us_leave_as_they_came(fields):
    raw = [(name, name + colon + text + fold + b"\r\n") for name, colon, text, fold in fields]
    kept = b"".join(whole for name, whole in raw if not is_ours(name))
    headers, message_id = completed(b"".join(whole for _, whole in raw))
    trace, rest = bytes(headers).split(b"+0000\r\n", 1)
    assert trace.startswith(
        b"Received: from app.test ([192.0.2.7])\r\n\tby relay.test with ESMTPSA id 01a2"
    )
    assert rest.startswith(kept)
    added = [field.name for field in parse(rest[len(kept) :])]
    assert set(added) <= {b"message-id", b"date"}
    assert len(added) == len(set(added))
    assert headers.all(b"date") and headers.all(b"message-id") and message_id


@pytest.mark.parametrize("helo", ["a\r\nEvil: 1", "x) (y", "\0", "日本", "a" * 5000, ""])
def test_a_clients_name_cannot_break_the_trace_field(helo):
    headers, _ = completed(
        b"From: a@shop.test\r\n", Arrival("2001:db8::1", helo, "ESMTP", "TLS)\r\nEvil: 2")
    )
    [trace] = headers.all(b"received")
    assert trace.raw.count(b"(") == trace.raw.count(b")") == 2
    assert [field.name for field in parse(bytes(headers))] == [
        b"received",
        b"from",
        b"message-id",
        b"date",
    ]
    assert all(len(line) <= 998 for line in trace.raw.split(b"\r\n"))


def test_a_project_may_hide_its_clients_address():
    headers, _ = completed(b"From: a@shop.test\r\n", hides_client_address=True)
    assert b"192.0.2.7" not in bytes(headers) and b"app.test" not in bytes(headers)


@pytest.mark.parametrize(
    "value",
    [
        b" relay.test; dkim=pass header.d=bank.test",
        b"RELAY.Test;none",
        b"\r\n\trelay.test\r\n\t1; dkim=pass",
        b" (a (nested;) comment) relay.test (another); spf=pass",
        b" (a\r\n comment)\r\n relay.test. ; spf=pass",
        rb" (a \) \( comment) relay.test; spf=pass",
        b' "relay.test" 1; spf=pass',
        b' "relay\\.test"; spf=pass',
        b" relay.test(x); spf=pass",
        b" relay.test",
    ],
)
def test_results_in_our_name_are_removed(value):
    claimed = b"Authentication-RESULTS:" + value + b"\r\n"
    headers, _ = completed(b"From: a@shop.test\r\n" + claimed + b"Subject: x\r\n")
    assert [field.name for field in headers] == [
        b"received",
        b"from",
        b"subject",
        b"message-id",
        b"date",
    ]


@pytest.mark.parametrize(
    "value",
    [
        b" other.test; dkim=pass header.d=relay.test",
        b" mx.relay.test; dkim=pass",
        b" relay.test.other.test; dkim=pass",
        b" (relay.test) other.test; dkim=pass",
        b" (relay.test; dkim=pass",
        rb" (\) relay.test; dkim=pass",
        b" ; relay.test",
        b' ""; relay.test',
        b"",
        b" \xff; dkim=pass",
    ],
)
def test_results_in_other_names_stay(value):
    field = b"Authentication-Results:" + value + b"\r\n"
    assert field in bytes(completed(b"From: a@shop.test\r\n" + field)[0])
    both = field + b"Authentication-Results: relay.test; x=y\r\n" + field
    assert bytes(completed(b"From: a@shop.test\r\n" + both)[0]).count(field) == 2
