"""How long the rows of this package are kept."""

from domains.foundation.upkeep.retention import BY_RETENTION, Keys, RetainedTable, oldest

PEOPLE = "people"
ASIDE_DAYS = 90
CHANGE_DAYS = 400

TABLES = (
    RetainedTable("domains_project", "until removed", PEOPLE, "all mail belongs to one"),
    RetainedTable("domains_domain", "until removed", PEOPLE, "mail is sent as it"),
    RetainedTable("domains_domainreport", "with its domain", PEOPLE, "one row for each"),
    RetainedTable(
        "domains_domainchange", f"{CHANGE_DAYS} days", BY_RETENTION, "what DNS said when mail "
            "began to be refused is asked for months later",
        days=CHANGE_DAYS,
        delete=oldest("domains_domainchange", "at < %(before)s", order="at"),
    ),
    RetainedTable("domains_signingkey", "with its domain", PEOPLE, "it signs until another does"),
    RetainedTable("domains_credential", "until removed", PEOPLE,
        "a revoked one still names the app "
        "that sent"),
    RetainedTable("domains_credential_domains", "with its credential", PEOPLE,
        "the credential's From domains"),
    RetainedTable("domains_auditentry", "for ever", "nothing", "who did what must be known years "
        "later; people act seldom"),
    RetainedTable("domains_keyfingerprint", "for ever", "nothing",
        "one row for each kind of key; no "
        "machine works without"),
    RetainedTable(
        "domains_setaside", f"{ASIDE_DAYS} days after the last failure", BY_RETENTION, "what "
            "is still there is then tried again",
        days=ASIDE_DAYS,
        delete=oldest("domains_setaside", "last_failed_at < %(before)s", order="last_failed_at"),
    ),
)  # fmt: skip
KEYS: tuple[Keys, ...] = ()
