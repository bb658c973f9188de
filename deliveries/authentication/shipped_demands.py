"""The demands of receivers that are shipped, each with its page.

`read_on` is when they were last compared with stored copies of these pages and others' accounts of
them. SoftBank's and au's are told by senders' handbooks: both check SPF of the From domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

READ = date(2026, 11, 29)
GMAIL = "https://support.google.com/a/answer/81126"
YAHOO = "https://senders.yahooinc.com/best-practices/"
OUTLOOK = (
    "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/"
    "strengthening-email-ecosystem-outlook%E2%80%99s-new-requirements-for-high%E2%80%90volume-"
    "senders/4399730"
)
DOCOMO = "https://www.docomo.ne.jp/binary/pdf/info/news_release/topics_240522_00.pdf"
AU = "https://www.au.com/mobile/service/mail/attention/spf-record/"
SOFTBANK = "https://www.softbank.jp/mobile/support/antispam/wrestle/"
YAHOO_JAPAN = "https://whatsnewmail.yahoo.co.jp/yahoo/20241211a.html"
MANY = 5000  # messages a day; Yahoo names no figure, so Google's stands there too
WINTER, SUMMER = date(2024, 2, 1), date(2024, 6, 1)
MAY = date(2025, 5, 5)
OCTOBER = date(2024, 10, 1)


@dataclass(frozen=True, slots=True)
class ShippedDemand:
    """As the row of the same fields."""

    receiver: str
    measure: str
    source: str
    since: date | None = None
    asked_from: int = 0
    limit: float | None = None
    read_on: date = READ

    @property
    def name(self) -> str:
        """What tells it from the others: also after the figures were changed."""
        many = "-many" if self.asked_from else ""
        limit = f"-{str(self.limit).replace('.', '-')}" if self.limit is not None else ""
        return f"{self.receiver}-{self.measure}{limit}{many}"


def shipped() -> dict[str, ShippedDemand]:
    """Return all by their names."""
    return {each.name: each for each in _demands()}


def _demands() -> Iterator[ShippedDemand]:
    for receiver, source in (("google", GMAIL), ("yahoo", YAHOO)):
        yield ShippedDemand(receiver, "spf-or-dkim", source, WINTER)
        yield ShippedDemand(receiver, "ptr", source, WINTER)
        yield ShippedDemand(receiver, "complaints", source, WINTER, limit=0.3)
        yield ShippedDemand(receiver, "spf-and-dkim", source, WINTER, MANY)
        yield ShippedDemand(receiver, "dmarc", source, WINTER, MANY)
        yield ShippedDemand(receiver, "aligned", source, WINTER, MANY)
        yield ShippedDemand(receiver, "one-click", source, SUMMER, MANY)
    yield ShippedDemand("google", "tls", GMAIL, WINTER, limit=100.0)
    yield ShippedDemand("google", "complaints", GMAIL, WINTER, MANY, limit=0.1)
    for measure in ("spf-and-dkim", "dmarc", "aligned"):
        yield ShippedDemand("microsoft", measure, OUTLOOK, MAY, MANY)
    yield ShippedDemand("docomo", "dmarc", DOCOMO, OCTOBER)
    yield ShippedDemand("docomo", "aligned", DOCOMO, OCTOBER)
    yield ShippedDemand("au", "spf", AU)
    yield ShippedDemand("softbank", "spf", SOFTBANK)
    yield ShippedDemand("yahoo-japan", "spf-or-dkim", YAHOO_JAPAN, date(2024, 12, 11))
