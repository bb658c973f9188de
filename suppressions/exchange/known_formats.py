"""What other services call the columns of their suppression lists, and their words for a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from suppressions.classes import Class

COMPLAINT, UNSUBSCRIBE, IMPORTED, PERSON, AUTOMATIC = (
    "complaint",
    "unsubscribe",
    "imported",
    "person",
    "automatic",
)


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """What a word for a reason comes to."""

    source: str
    category: str
    is_hard: bool
    reason: str


BOUNCE = ReasonKind(IMPORTED, Class.UNKNOWN_USER, True, "Bounced at another service")
SOFT = ReasonKind(IMPORTED, Class.OTHER, False, "Refused at another service")
SPAM = ReasonKind(COMPLAINT, Class.COMPLAINT, False, "Complained at another service")
LEFT = ReasonKind(UNSUBSCRIBE, "", False, "Unsubscribed at another service")
BY_HAND = ReasonKind(IMPORTED, "", False, "Suppressed by a person at another service")
LISTED = ReasonKind(IMPORTED, "", False, "Imported")


# Words in the column that says why, without case and punctuation.
WORDS = {
    **dict.fromkeys((
        "bounce", "bounced", "hardbounce", "hardbounced", "hard", "hardfail", "permanent",
        "permanentfail", "invalid", "invalidemail",
        "bouncerule", "cleaned", "undeliverable", "unknownuser", "userunknown",
    ), BOUNCE),
    **dict.fromkeys((
        "softbounce", "softbounced", "soft", "softfail", "temporary", "temporaryfail", "transient",
        "blocked", "deferred",
    ), SOFT),
    **dict.fromkeys((
        "complaint", "complained", "spam", "spamcomplaint", "spamreport", "spamreported", "abuse",
        "flaggedasspam", "markedasspam",
    ), SPAM),
    **dict.fromkeys((
        "unsubscribe", "unsubscribed", "unsub", "optout", "optedout", "listunsubscribe",
        "unsubscribelink", "unsubscribedviaemail",
        "unsubscribedviamarketing", "globalunsubscribe", "groupunsubscribe",
    ), LEFT),
    **dict.fromkeys((
        "manual", "manualsuppression", "manuallyadded", "custom", "rule", "compliance",
        "blocklisted", "blacklisted", "blocklist",
        "blockedbyadmin", "adminblocked", "disabled",
    ), BY_HAND),
}  # fmt: skip


# Who is described so gets mail: the line is of a list of subscribers.
LIVING = frozenset(
    [
        "enabled",
        "subscribed",
        "active",
        "confirmed",
        "unconfirmed",
        "pending",
        "optin",
        "optedin",
        "valid",
        "delivered",
        "sent",
        "opened",
        "clicked",
    ]
)


# Columns about people beside a bare column of addresses: an export of contacts, of whom none is
# dead.
PEOPLE = frozenset({
    "name", "firstname", "lastname", "fullname", "phone", "phonenumber", "optintime",
    "memberrating", "contactid", "attributes", "city",
    "country", "company", "birthday", "subscribed", "givenname", "familyname", "mobile", "gender",
    "organization", "jobtitle", "groupmembership",
})  # fmt: skip


# What columns are called in Japan.
JAPANESE = {
    "メールアドレス": "email", "eメール": "email", "eメールアドレス": "email", "メール": "email",
    "アドレス": "address", "宛先": "recipient",
    "理由": "reason", "種別": "reason", "エラー内容": "reason", "状態": "status",
    "ステータス": "status",
    "日時": "date", "日付": "date",
    "登録日": "date", "氏名": "name", "名前": "name", "お名前": "name", "電話番号": "phone",
    "電子メール": "email", "電子メールアドレス": "email", "e-mailアドレス": "email",
    "メールアドレス1": "email", "姓": "lastname", "名": "firstname", "フリガナ": "name",
    "ふりがな": "name", "会社名": "company", "携帯電話": "phone", "住所": "city",
    "都道府県": "city", "生年月日": "birthday", "性別": "gender",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """Recognised by the columns it needs (names without case and punctuation); `kind` where no
    word and no code says another.
    """

    name: str
    needs: frozenset[str]
    address: str
    kind: ReasonKind
    word: str = ""
    text: str = ""
    code: str = ""
    at: str = ""
    needs_word: bool = False  # a line whose word is unknown says nothing, and is refused
    is_living: bool = False  # a list of people who get mail


def _format(name: str, columns: str, address: str, kind: ReasonKind, **more: Any) -> Format:
    return Format(name, frozenset(columns.split()), address, kind, **more)


# The more columns one needs, the earlier it comes: sets of columns that are part of another's must
# not hide it.
FORMATS: tuple[Format, ...] = (
    _format(
        "Ekiden",
        "address source class hard reason firstseen lastseen count until",
        "address",
        LISTED,
    ),
    # Suppressions dump of the Bounce API: https://postmarkapp.com/developer/api/suppressions-api
    _format(
        "Postmark",
        "emailaddress suppressionreason",
        "emailaddress",
        BOUNCE,
        word="suppressionreason",
        at="createdat",
    ),
    # Downloads of the Suppressions pages, named as in the API:
    # https://www.twilio.com/docs/sendgrid/api-reference/bounces-api
    _format(
        "SendGrid bounces or blocks",
        "status reason email created",
        "email",
        BOUNCE,
        text="reason",
        code="status",
        at="created",
    ),
    _format(
        "SendGrid invalid addresses",
        "reason email created",
        "email",
        BOUNCE,
        text="reason",
        at="created",
    ),
    _format("SendGrid spam reports", "ip email created", "email", SPAM, at="created"),
    _format("SendGrid unsubscribes", "email created", "email", LEFT, at="created"),
    # https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces
    _format(
        "Mailgun bounces",
        "address code error createdat",
        "address",
        BOUNCE,
        text="error",
        code="code",
        at="createdat",
    ),
    _format("Mailgun unsubscribes", "address tags createdat", "address", LEFT, at="createdat"),
    _format("Mailgun complaints", "address createdat", "address", SPAM, at="createdat"),
    # The table of a message database: https://github.com/postalserver/postal (db "suppressions")
    _format(
        "Postal",
        "type address reason timestamp",
        "address",
        BOUNCE,
        word="type",
        text="reason",
        at="timestamp",
    ),
    # ListSuppressedDestinations of the SES v2 API, and what its console downloads
    _format(
        "Amazon SES",
        "emailaddress reason lastupdatetime",
        "emailaddress",
        BOUNCE,
        word="reason",
        at="lastupdatetime",
    ),
    _format(
        "Amazon SES",
        "emailaddress suppressionreason dateadded",
        "emailaddress",
        BOUNCE,
        word="suppressionreason",
        at="dateadded",
    ),
    # Exports of the rejection list, the suppression list, blocked contacts, and of a list's members
    # in each state
    _format(
        "Mandrill",
        "email reason detail createdat",
        "email",
        BOUNCE,
        word="reason",
        text="detail",
        at="createdat",
    ),
    _format(
        "SparkPost",
        "recipient source description",
        "recipient",
        BOUNCE,
        word="source",
        text="description",
        at="created",
    ),
    _format(
        "Mailjet", "email status date", "email", LISTED, word="status", at="date", needs_word=True
    ),
    _format("Brevo", "email blockedreason", "email", BY_HAND, word="blockedreason", at="date"),
    _format(
        "Mailchimp, cleaned",
        "emailaddress optintime cleantime",
        "emailaddress",
        BOUNCE,
        at="cleantime",
    ),
    _format(
        "Mailchimp, unsubscribed",
        "emailaddress optintime unsubtime",
        "emailaddress",
        LEFT,
        at="unsubtime",
    ),
    _format(
        "Mailchimp, subscribed", "emailaddress optintime", "emailaddress", LISTED, is_living=True
    ),
    _format(
        "listmonk",
        "uuid email status",
        "email",
        LISTED,
        word="status",
        at="updatedat",
        needs_word=True,
    ),
    _format("a list with states", "email status", "email", LISTED, word="status", needs_word=True),
    _format("a list with reasons", "email reason", "email", LISTED, word="reason", text="reason"),
    _format(
        "a list with reasons", "address reason", "address", LISTED, word="reason", text="reason"
    ),
    _format("a list of addresses", "email", "email", LISTED),
    _format("a list of addresses", "address", "address", LISTED),
    _format("a list of addresses", "emailaddress", "emailaddress", LISTED),
    _format("a list of addresses", "recipient", "recipient", LISTED),
)

# Files without a header: what SES takes in bulk (address,BOUNCE), and a plain column.
SES_PLAIN = _format("Amazon SES, without a header", "", "0", BOUNCE, word="1")
PLAIN = _format("a list of addresses, without a header", "", "0", LISTED)

_PUNCTUATION = re.compile(r"[^a-z0-9]")


def word(text: str) -> str:
    return _PUNCTUATION.sub("", text.lower())
