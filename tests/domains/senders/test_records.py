import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.senders.records import Found, Missing, Purpose, Wrong, check, required

KEY = "v=DKIM1; k=rsa; p=MIIBIjANBgkq"
RECORDS = required(
    "a.test",
    token="t0ken",
    keys=[("r1", KEY), ("e1", "v=DKIM1; k=ed25519; p=11qYAYKx")],
    spf=["include:spf.relay.test", "ip4:192.0.2.1"],
)
OWNERSHIP, RSA, ED25519, SPF, DMARC = RECORDS
SIX = required("a.test", token="t0ken", keys=[], spf=["ip6:2001:db8::1"])[1]


def test_each_purpose_has_its_name_and_value():
    assert [(record.purpose, record.name) for record in RECORDS] == [
        (Purpose.OWNERSHIP, "_ekiden.a.test"),
        (Purpose.DKIM, "r1._domainkey.a.test"),
        (Purpose.DKIM, "e1._domainkey.a.test"),
        (Purpose.SPF, "a.test"),
        (Purpose.DMARC, "_dmarc.a.test"),
    ]
    assert SPF.value == "v=spf1 include:spf.relay.test ip4:192.0.2.1 ~all"


def test_without_hosts_to_name_no_spf_record_is_asked_for():
    assert Purpose.SPF not in {
        record.purpose for record in required("a.test", token="t", keys=[], spf=[])
    }


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_what_was_asked_for_is_found_among_other_texts(record):
    assert isinstance(
        check(record, ["unrelated", "google-site-verification=x", record.value]), Found
    )


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_nothing_or_other_texts_are_missing(record):
    for found in ([], ["unrelated"], ["", "=;=;", "v=spf10 x"]):
        result = check(record, found)
        assert isinstance(result, Missing)
        assert record.name in result.text


CASES = [
    (OWNERSHIP, ["ekiden-verification=other"], Wrong),
    (OWNERSHIP, [" ekiden-verification=t0ken "], Found),
    (OWNERSHIP, ["xekiden-verification=t0ken"], Missing),
    (RSA, ["p=MIIBIjANBgkq"], Found),
    (RSA, ["v=DKIM1;k=rsa;p=MIIB IjAN\tBgkq ; n=note"], Found),
    (RSA, [KEY[:-3]], Wrong),
    (RSA, ["v=DKIM1; p="], Wrong),
    (RSA, [KEY, "v=DKIM1; p=other"], Wrong),
    (RSA, [KEY + "; t=y:s"], Wrong),
    (RSA, [KEY + "; t=s"], Found),
    (RSA, [KEY + "; h=sha1"], Wrong),
    (RSA, [KEY + "; s=tlsrpt"], Wrong),
    (RSA, ["v=DKIM2; p=MIIBIjANBgkq"], Missing),
    (ED25519, ["v=DKIM1; k=rsa; p=11qYAYKx"], Wrong),
    (SPF, ["V=SPF1 IP4:192.0.2.0/24 a +include:SPF.relay.test -all"], Found),
    (SPF, ["v=spf1 +all"], Found),
    (SPF, ["v=spf1 include:spf.relay.test -all"], Wrong),
    (SPF, ["v=spf1 -all include:spf.relay.test ip4:192.0.2.1"], Wrong),
    (SPF, ["v=spf1 ?include:spf.relay.test ip4:192.0.2.1 -all"], Wrong),
    (SPF, ["v=spf1 include:spf.relay.test ip4:198.51.100.0/24 -all"], Wrong),
    (SPF, ["v=spf1 include:spf.relay.test ip4:nonsense ip6:: -all"], Wrong),
    (SPF, [SPF.value, "v=spf1 -all"], Wrong),
    (SIX, ["v=spf1 ip6:2001:db8::/32 -all"], Found),
    (SIX, ["v=spf1 ip4:192.0.2.0/24 -all"], Wrong),
    (DMARC, ["v=DMARC1; p=Reject; rua=mailto:d@a.test"], Found),
    (DMARC, ["v=DMARC1"], Found),
    (DMARC, ["v=DMARC1; p=maybe"], Wrong),
    (DMARC, ["v=DMARC1; p=none", "v=DMARC1; p=none"], Wrong),
]


@pytest.mark.parametrize(
    ("record", "found", "kind"),
    CASES,
    ids=[f"{record.purpose}-{n}" for n, (record, *_) in enumerate(CASES)],
)
def test_records_are_judged_as_receivers_do(record, found, kind):
    assert type(check(record, found)) is kind


def test_a_wrong_spf_record_is_told_what_it_lacks():
    assert "ip4:192.0.2.1 " in check(SPF, ["v=spf1 include:spf.relay.test -all"]).text


@given(
    st.sampled_from(RECORDS),
    st.lists(
        st.text(max_size=60) | st.text("vpkts=spfDKIM1;: +-~?all/ip46", max_size=40), max_size=4
    ),
)
def test_no_text_in_dns_raises(record, found):
    assert check(record, [*found, "v=spf1 " + " ".join(found), "v=DKIM1;" + ";".join(found)]).text
