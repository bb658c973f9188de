"""What the two largest smarthosts want, with the pages that say so.

`read_on` is when the figures were last compared with stored copies of such pages and with others'
accounts of them; nobody has tried them with an account there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class SmarthostPreset:
    """Values for a new smarthost; `{tenant}` in `token_url` is the tenant's."""

    name: str
    title: str
    hosts: tuple[tuple[str, int, str], ...]
    mechanism: str
    grant: str
    token_url: str
    scope: str
    limits: dict[str, int]
    pages: tuple[str, ...]
    read_on: date

    def values(self, tenant: str) -> dict[str, Any]:
        return {
            "preset": self.name,
            "hosts": [list(host) for host in self.hosts],
            "mechanism": self.mechanism,
            "grant": self.grant,
            "token_url": self.token_url.replace("{tenant}", tenant),
            "scope": self.scope,
            "tenant": tenant,
        } | self.limits


PRESETS = {
    preset.name: preset
    for preset in (
        # Three connections at once, 30 messages a minute and 10,000 recipients a day for each
        # mailbox. Basic authentication for SMTP AUTH ends.
        SmarthostPreset(
            "microsoft365",
            "Microsoft 365 (Exchange Online)",
            (("smtp.office365.com", 587, "verified"),),
            "XOAUTH2",
            "client_credentials",
            "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            "https://outlook.office365.com/.default",
            {"connections": 3, "per_minute": 30, "per_day": 10_000},
            (
                "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/"
                "how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
                "https://learn.microsoft.com/office365/servicedescriptions/"
                "exchange-online-service-description/exchange-online-limits",
            ),
            date(2026, 11, 29),
        ),
        # 2,000 messages a day for each account of Workspace.
        SmarthostPreset(
            "google",
            "Google (Gmail, Workspace)",
            (("smtp.gmail.com", 465, "implicit"), ("smtp.gmail.com", 587, "verified")),
            "XOAUTH2",
            "refresh_token",
            "https://oauth2.googleapis.com/token",
            "https://mail.google.com/",
            {"connections": 5, "per_day": 2_000},
            (
                "https://developers.google.com/workspace/gmail/imap/xoauth2-protocol",
                "https://knowledge.workspace.google.com/admin/gmail/gmail-sending-limits-in-google-"
                "workspace",
            ),
            date(2026, 11, 29),
        ),
    )
}
