"""How long the rows of this package are kept."""

from django.conf import settings

from domains.foundation.upkeep.retention import BY_RETENTION, Keys, RetainedTable, oldest
from domains.models.return_paths import TAKEN

PEOPLE = "people"
ASIDE_DAYS = 90
CHANGE_DAYS = 400
DMARC_DAYS = 180
CHECK_DAYS = 30
REFUSAL_DAYS = 180
ALERT_DAYS = 400
AUDIT_DAYS = settings.EKIDEN_AUDIT_DAYS  # 0: for ever
# PostgreSQL lets the audit log's entries go only in a statement that says what it is for; the
# index audit_by_time serves it.
OLD_AUDIT_ENTRIES = oldest(
    "domains_auditentry",
    "(SELECT set_config('ekiden.audit_retention', 'on', true)) = 'on' AND at < %(before)s",
    order="at",
)

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
    RetainedTable(
        "domains_dmarcreport", f"{DMARC_DAYS} days after its last day", BY_RETENTION, "half a year "
            "shows who sends in a domain's name",
        days=DMARC_DAYS,
        delete=oldest(
            "domains_dmarcreport", "ends_at < %(before)s AND NOT EXISTS (SELECT FROM "
            "domains_dmarccount WHERE report_id = domains_dmarcreport.id)", order="ends_at",
        ),
    ),
    RetainedTable(
        "domains_dmarccount", "as its report", BY_RETENTION, "one report",
        days=DMARC_DAYS,
        delete=oldest("domains_dmarccount", "ends_at < %(before)s", order="ends_at"),
    ),
    RetainedTable(
        "domains_signaturecheck", f"{CHECK_DAYS} days", BY_RETENTION, "the alerts that it gave "
            "cause for stay longer",
        days=CHECK_DAYS,
        delete=oldest("domains_signaturecheck", "checked_at < %(before)s", key="message_id",
            order="checked_at"),
    ),
    RetainedTable(
        "domains_authenticationrefusal", f"{REFUSAL_DAYS} days after its last answer", BY_RETENTION,
        "as DMARC reports", days=REFUSAL_DAYS,
        delete=oldest("domains_authenticationrefusal", "last_at < %(before)s", order="last_at"),
    ),
    RetainedTable(
        "domains_sampledday", f"{REFUSAL_DAYS} days after it was counted", BY_RETENTION,
        "as DMARC reports",
        days=REFUSAL_DAYS,
        delete=oldest("domains_sampledday", "last_at < %(before)s", order="last_at"),
    ),
    RetainedTable("domains_ownlight", "while its address is ours", "every hour", "one row for each "
        "thing that is looked at"),
    RetainedTable("domains_readposition", "for ever", "nothing", "one row for each job that reads "
        "a growing table"),
    RetainedTable(
        "domains_identityalert", f"{ALERT_DAYS} days after it has ended", BY_RETENTION,
        "what was wrong when mail was refused is asked for months later", days=ALERT_DAYS,
        delete=oldest("domains_identityalert", "ended_at < %(before)s", order="ended_at"),
    ),
    RetainedTable(
        "domains_returnpath", f"while in use, and {TAKEN.days} days after", BY_RETENTION,
            "mail that left under the name comes back to it",
        days=TAKEN.days,
        delete=oldest(
            "domains_returnpath", "state = 'former' AND stopped_at < %(before)s",
            order="stopped_at",
        ),
    ),
    RetainedTable(
        "domains_domainalert", f"{CHANGE_DAYS} days after it has ended", BY_RETENTION,
            "when a domain was in trouble",
        days=CHANGE_DAYS,
        delete=oldest("domains_domainalert", "ended_at < %(before)s", order="ended_at"),
    ),
    RetainedTable("domains_signingkey", "with its domain", PEOPLE, "it signs until another does"),
    RetainedTable("domains_delegatedselector", "with its domain", PEOPLE, "two rows for each"),
    RetainedTable("domains_updatekey", "until another is set", PEOPLE, "one row"),
    RetainedTable("domains_credential", "until removed", PEOPLE,
        "a revoked one still names the app that sent"),
    RetainedTable("domains_credential_domains", "with its credential", PEOPLE,
        "the credential's From domains"),
    RetainedTable("domains_auditentry", "for ever, or `EKIDEN_AUDIT_DAYS`", BY_RETENTION,
        "who did what must be known years later; people act seldom", days=AUDIT_DAYS,
        delete=OLD_AUDIT_ENTRIES if AUDIT_DAYS else ""),
    RetainedTable("domains_auditseal", "for ever", "nothing",
        "the chain that proves the audit log; a row for each second in which people act"),
    RetainedTable("domains_unsealedentry", "until sealed", "every second", "an entry of the audit "
        "log that no seal covers yet"),
    RetainedTable("domains_keyfingerprint", "for ever", "nothing",
        "one row for each kind of key; no machine works without"),
    RetainedTable(
        "domains_setaside", f"{ASIDE_DAYS} days after the last failure", BY_RETENTION, "what "
            "is still there is then tried again",
        days=ASIDE_DAYS,
        delete=oldest("domains_setaside", "last_failed_at < %(before)s", order="last_failed_at"),
    ),
)  # fmt: skip
KEYS = (
    Keys(
        "ekiden:questions",
        "2 minutes",
        "its time to live",
        "when checks of domains may ask their next question",
    ),
)
