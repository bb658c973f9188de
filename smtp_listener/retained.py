"""How long the rows and keys of this package are kept."""

from domains.foundation.upkeep.retention import Keys, RetainedTable
from smtp_listener.admission.limits import SESSION_KEEP, TALLY_KEEP

TABLES = (
    RetainedTable(
        "smtp_listener_sandboxmessage",
        "the last 500, of 256 MB at most",
        "the sandbox, as it takes more",
        "a look at what an app sends",
    ),
)
KEYS = (
    Keys(
        "ekiden:minute:*", "2 minutes", "its time to live", "a credential's messages of one minute"
    ),
    Keys("ekiden:day:*", "25 hours", "its time to live", "a credential's messages of one day"),
    Keys(
        "ekiden:inbound:*",
        "25 hours",
        "its time to live",
        "stored bytes of strangers' mail of one day",
    ),
    Keys(
        "ekiden:low-disk",
        "2 minutes after the last word",
        "its time to live",
        "which machines refuse mail for lack of room",
    ),
    Keys(
        "ekiden:sessions:*",
        f"{SESSION_KEEP} seconds",
        "its time to live",
        "a credential's open sessions",
    ),
    Keys(
        "ekiden:count:*",
        f"{TALLY_KEEP // 86_400} days",
        "its time to live",
        "figures for `/metrics/`",
    ),
)
