"""From fields that break the grammar, and five parsers that make of them what they will."""

import json
import random
import re
import subprocess
from contextlib import suppress
from email.headerregistry import HeaderRegistry
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import given

from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.foundation.text.mailboxes import mailboxes
from domains.foundation.text.readings import authors
from tests.cost import assert_in_proportion
from tests.domains.foundation.text.test_mailboxes import DOUBTFUL, PATTERNS, VALUES
from tests.journeys import peers

OWN = frozenset({"a.test", "shop.example", "xn--r8jz45g.test"})


def read(value, *, smtputf8=False):
    return [
        address.wire
        for address in authors(
            value if isinstance(value, bytes) else value.encode(), OWN, smtputf8=smtputf8
        )
    ]


WRITTEN = [
    "a@a.test <a@a.test>", "'a@a.test' <a@a.test>", "'a@a.test' via Shop <a@a.test>",
    "b@shop.example <a@a.test>", "Shop, Inc. <a@a.test>",
    "Shop: News <a@a.test>", "Shop [Tokyo] <a@a.test>", "[Tokyo] <a@a.test>",
    "(Tokyo (Japan)) <a@a.test>", "S@les <a@a.test>",
    "Shop;News <a@a.test>", "a@a.test,", "a@a.test;", "Shop: a@a.test;",
    "Café\u00a0Shop <a@a.test>", "Shop a@a.test", "<a@a.test> Shop",
    "=?UTF-8?B?5bq?= <a@a.test>", "=?UTF-8?B?5?= <a@a.test>", "Rock @ Roll <a@a.test>",
    "a@a.test (b@shop.example)",
    "Shop \U0001fae9 <a@a.test>",
    "Tickets 2@1.99 <a@a.test>", "店\u2003, 舗 <a@a.test>",
]  # fmt: skip


@pytest.mark.parametrize("value", WRITTEN)
def test_what_leads_nowhere_else_is_taken(value):
    assert read(value)[0] == "a@a.test"


@pytest.mark.parametrize(
    "charset", ["shift_jis", "euc-jp", "iso-2022-jp", "utf-8", "gb18030", "big5"]
)
@pytest.mark.parametrize("name", ["店", "表示", "東京, 日本", "株式会社"])
def test_a_name_in_raw_bytes_is_taken(charset, name):
    assert read(f"{name} <a@a.test>".encode(charset, "replace"))[-1] == "a@a.test"


def test_half_a_letter_that_looks_like_an_at_sign_is_no_address():
    assert read("楽天ファン <a@a.test>".encode("cp932")) == ["a@a.test"]
    with pytest.raises(BadAddress, match="an address of evil"):
        read("ァevil.test <a@a.test>".encode("cp932"))


def test_names_in_iso_2022_jp_may_not_spell_somebody_elses_address():
    with pytest.raises(BadAddress, match="an address of evil"):
        read(b"\x1b$Bx@evil.test\x1b(B <a@a.test>")


FOREIGN = [
    "a@a.test <b@evil.test>", "b@evil.test <a@a.test>", "'b@evil.test' <a@a.test>",
    "<b@evil.test> <a@a.test>", "a@a.test; b@evil.test",
    "Shop: b@evil.test; <a@a.test>", "<@evil.test:a@a.test>", "a@a.test (b@evil.test)",
    "a@a.test (b (c@evil.test))", "b@evil.test@a.test",
    '"b@evil.test"@a.test', "Shop, b@(c)evil.test <a@a.test>", "Shop, b@ evil.test <a@a.test>",
    "Shop, b@evil (c) . test <a@a.test>",
    "Shop, b@a.test .evil.test <a@a.test>", "Shop, b@a.test\u00a0.evil.test <a@a.test>",
    'Shop, b@"evil.test" <a@a.test>',
    "Shop, b@ev'il.test <a@a.test>", r"Shop, b@ev\il.test <a@a.test>",
    r"Shop, b\@evil.test <a@a.test>", "Shop, b＠ｅvil．test <a@a.test>",
    "Shop, b@evil.test店 <a@a.test>", "Shop, =?utf-8?q?b=40evil.test?= <a@a.test>", ("Shop, "
        "=?utf-8?b?YkBldmlsLnRlc3Q?= <a@a.test>"),
    "Shop, b@=?utf-8?q?evil.test?= <a@a.test>", "Shop, b@例え.evil.test <a@a.test>",
    "a@a.test\r\n .evil.test,",
    "(\\) <b@evil.test> (\\) a@a.test", "x, b@sub.a.test <a@a.test>",
]  # fmt: skip


@pytest.mark.parametrize("value", FOREIGN)
def test_what_somebody_could_read_as_anothers_address_is_refused_with_its_domain(value):
    with pytest.raises(
        BadAddress,
        match=(
            r"at @ \(U\+0040\): it can be read as an address of "
            r"(evil|.*\.evil|a\.test\.evil|sub\.a)\.test$"
        ),
    ):
        read(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"Shop <a@a.test>', 'at " (U+0022): it is left open'),
        ("Shop <a@a.test", "at < (U+003C): it is left open"),
        ("<Shop>, <a@a.test>", "has no domain"),
        ("<<a@a.test>>", "at < (U+003C): it is left open"),
        ("Shop :( <a@a.test>", "at ( (U+0028): it is left open"),
        ("Shop :) <a@a.test>", "at ) (U+0029): it is left open"),
        ("Shop <a@[127.0.0.1]>", "at [ (U+005B): it can be read as an address literal"),
        ("Shop\u200b, Inc. <a@a.test>", "a control character: zero width space (U+200B)"),
        ("Shop\u202e <a@a.test>", "a control character: right-to-left override (U+202E)"),
        ("a@a.test\n b", "a control character: LF (U+000A)"),
        ("=?utf-8?q?x=0B?= , <a@a.test>", "An encoded word hides a control character: VT (U+000B)"),
        (
            "=?utf-8?q?a=e2=80?= =?utf-8?q?=a8?= , <a@a.test>",
            "An encoded word hides a control character: line separator (U+2028)",
        ),
        ("undisclosed:;", "has no address"),
        ("", "has no address"),
        ("a@例え.test, x", "not ASCII"),
        ("@a.test" * 200, "too long"),
    ],
)
def test_the_text_of_a_refusal_names_the_character(value, text):
    with pytest.raises(BadAddress) as caught:
        read(value)
    assert text in caught.value.text


def test_a_unicode_domain_of_the_account_needs_smtputf8():
    assert read("店, a@例え.test", smtputf8=True) == ["a@xn--r8jz45g.test"]


@given(VALUES)
def test_any_value_has_authors_of_the_account_or_is_refused(value):
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    with suppress(BadAddress):
        found = authors(data, OWN, smtputf8=True)
        assert found and all(address.domain in OWN for address in found)


@pytest.mark.parametrize("value", DOUBTFUL.values(), ids=DOUBTFUL)
def test_of_what_the_grammar_doubts_nothing_of_another_domain_is_taken(value):
    with suppress(BadAddress):
        assert read(value) and "b.test" not in value


@pytest.mark.parametrize("piece", [*PATTERNS, "@é.x", "=?utf-8?q?=40b.test?= "])
def test_the_longest_value_is_read_at_once(piece):
    def judge(size):
        with suppress(BadAddress):
            read(piece * (size // len(piece)))

    assert_in_proportion(judge, 16_000)


# --- other parsers as judges ----------------------------------------------------------------------
PIECES = [
    *'"\'\\<>%!,:;()[].', *"     ", "\t", "\r\n ", "Shop", "Inc.", "é", "店", "evil.test",
    "@evil.test", "b@evil.test",
    "=?utf-8?q?b=40evil.test?=",
    "@", "b@", "a@a.test", "<a@a.test>", "'a@a.test'", "a@shop.example", " <a@a.test>", "(", ")",
    "\u00a0", "a.test", "test", "\\@",
]  # fmt: skip
NODE = """
const parse = require(process.argv[1] + "/lib/addressparser");
const flat = list => list.flatMap(one => one.group ? flat(one.group) : [one.address]);
const values = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(values.map(value => flat(parse(value)))));
"""
PERL = """
use strict; use JSON::PP; use Mail::Address; use Email::Address; binmode STDOUT, ":raw"; local $/;
sub read_by { my ($parser, $value) = @_; map { $_->address } $parser->parse($value) }
my @all = map {
    [read_by("Mail::Address", $_), read_by("Email::Address", $_)]
} @{decode_json(<STDIN>)};
print encode_json(\\@all);
"""
PHP = """
require "/usr/share/php/libphp-phpmailer/autoload.php";
$all = [];
foreach (json_decode(stream_get_contents(STDIN)) as $value)
    $all[] = array_column(
        PHPMailer\\PHPMailer\\PHPMailer::parseAddresses($value, false), "address");
echo json_encode($all, JSON_INVALID_UTF8_SUBSTITUTE);
"""


@pytest.fixture(scope="module")
def taken():
    """Return what the grammar refuses and we take all the same: some thousand fields, the same in
    each run.
    """
    chance = random.Random(5322)
    found = set()
    for _ in range(20_000):
        value = "".join(chance.choices(PIECES, k=chance.randrange(2, 9))) + chance.choice(
            ["", "<a@a.test>", " <a@a.test>"]
        )
        with suppress(BadAddress):
            mailboxes(value, smtputf8=True)
            continue
        with suppress(BadAddress):
            authors(value.encode(), OWN, smtputf8=True)
            found.add(value.replace("\r\n ", " "))
    assert len(found) > 1000
    return sorted(found)


def judge(values, answers):
    assert len(answers) == len(values)
    for value, addresses in zip(values, answers, strict=True):
        for address in (found for found in addresses if "@" in (found or "")):
            with suppress(BadAddress):  # nobody's domain
                assert canonical_domain(address.rpartition("@")[2].strip()) in OWN, value


def ask(values, *command):
    done = subprocess.run(
        command, input=json.dumps(values).encode(), capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_pythons_parser_finds_nobody_else(taken):
    judge(taken, [[address for _, address in getaddresses([value])] for value in taken])


def test_pythons_newer_parser_finds_nobody_else(taken):
    registry = HeaderRegistry()

    def parse(value):
        with suppress(Exception):  # it raises at some of these: then it finds nobody
            return [address.addr_spec for address in registry("From", value).addresses]
        return []

    some = taken[::4]  # a slow one
    judge(some, [parse(value) for value in some])


def test_what_scripts_search_for_is_nobody_else(taken):
    judge(
        taken,
        [
            re.findall(r"[\w.+-]+@[\w.-]+", value)
            + re.findall(r"<(.*)>", value)
            + re.findall(r"<(.*?)>", value)
            for value in taken
        ],
    )


@pytest.mark.peer
def test_nodemailers_parser_finds_nobody_else(taken):
    peers.need("node", peers.NODEMAILER)
    judge(taken, ask(taken, "node", "-e", NODE, str(peers.NODEMAILER)))


@pytest.mark.peer
def test_perls_parsers_find_nobody_else(taken):
    peers.need("perl", Path("/usr/share/perl5/Mail"), Path("/usr/share/perl5/Email"))
    judge(taken, ask(taken, "perl", "-e", PERL))


@pytest.mark.peer
def test_phpmailers_parser_finds_nobody_else(taken):
    peers.need("php", Path("/usr/share/php/libphp-phpmailer"))
    judge(taken, ask(taken, "php", "-r", PHP))
