"""How long the rows and keys of the portal are kept, and of the libraries that it is made with."""

from domains.foundation.upkeep.retention import BY_RETENTION, Keys, RetainedTable, oldest

ACCESS_DAYS = 90
TRY_DAYS = 1
ADMIN_LOG_DAYS = 90


def _first(table: str, time: str) -> str:
    """Return the statement for a table without an index of times, whose ids grow with time: its
    first rows, where they are old.
    """
    # S608 : put together from constants
    first = f"SELECT id, {time} FROM {table} ORDER BY id LIMIT %(most)s"  # noqa: S608
    return (
        f"DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM ({first}) first WHERE "  # noqa: S608
        f"{time} < "
        "%(before)s))"
    )


# With their expirations, whose constraint is looked at when the statement is over.
TRIES = """
WITH old AS MATERIALIZED (
    SELECT id FROM axes_accessattempt WHERE attempt_time < %(before)s ORDER BY attempt_time
        LIMIT %(most)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM axes_accessattemptexpiration WHERE access_attempt_id =
        ANY(ARRAY(SELECT id FROM old))
)
DELETE FROM axes_accessattempt WHERE id = ANY(ARRAY(SELECT id FROM old))
"""

TABLES = (
    RetainedTable("relay_portal_user", "until removed", "people", "whoever may log in"),
    RetainedTable("relay_portal_user_projects", "with the user", "people",
        "which projects a person is limited to"),
    RetainedTable("relay_portal_invitation", "until used", "its use",
        "one for each user at most; it is good for three days"),
    RetainedTable("relay_portal_provideridentity", "with the user", "people",
        "who a person is at the OpenID provider"),
    RetainedTable("relay_portal_grouprole", "until deleted", "people",
        "what a group at the OpenID provider may do"),
    RetainedTable("relay_portal_grouprole_projects", "with the group", "people",
        "which projects a group is limited to"),
    RetainedTable("relay_portal_loginnetwork", "until deleted", "people",
        "from where people may log in"),
    RetainedTable("relay_portal_user_groups", "with the user", "people", "Django's; unused"),
    RetainedTable("relay_portal_user_user_permissions", "with the user", "people",
        "Django's; unused"),
    RetainedTable("otp_totp_totpdevice", "with the user", "people", "a second factor"),
    RetainedTable("otp_static_staticdevice", "with the user", "people", "recovery codes"),
    RetainedTable("otp_static_statictoken", "until used", "its use", "recovery codes"),
    RetainedTable("two_factor_webauthn_webauthndevice", "with the user", "people",
        "a second factor"),
    RetainedTable(
        "django_session", "12 hours", BY_RETENTION, "a session is made by a right password only",
        delete=oldest("django_session", "expire_date < now()", key="session_key",
            order="expire_date"),
    ),
    RetainedTable("axes_accessattempt", f"{TRY_DAYS} day", BY_RETENTION,
        "wrong passwords count for 15 minutes", days=TRY_DAYS, delete=TRIES),
    RetainedTable("axes_accessattemptexpiration", "with its attempt", BY_RETENTION, "as above"),
    RetainedTable("axes_accesslog", f"{ACCESS_DAYS} days", BY_RETENTION,
        "who logged in, from where",
        days=ACCESS_DAYS,
          delete=_first("axes_accesslog", "attempt_time")),
    RetainedTable("axes_accessfailurelog", f"{ACCESS_DAYS} days", BY_RETENTION,
        "switched off; what is there is old", days=ACCESS_DAYS,
          delete=_first("axes_accessfailurelog", "attempt_time")),
    RetainedTable("django_admin_log", f"{ADMIN_LOG_DAYS} days", BY_RETENTION,
        "the audit log says the same and more", days=ADMIN_LOG_DAYS,
          delete=_first("django_admin_log", "action_time")),
    RetainedTable("auth_group", "for ever", "nothing", "Django's; unused"),
    RetainedTable("auth_group_permissions", "for ever", "nothing", "Django's; unused"),
    RetainedTable("auth_permission", "for ever", "`setup`", "a few for each kind of row"),
    RetainedTable("django_content_type", "for ever", "`setup`", "one for each kind of row"),
    RetainedTable("django_migrations", "for ever", "`setup`", "one for each step of the schema"),
)  # fmt: skip
KEYS = (
    Keys(
        "ekiden:status",
        "a minute",
        "its time to live",
        "`status` writes it to see that Valkey takes writes",
    ),
    Keys(
        "ekiden:unsubscribe:*",
        "a minute",
        "its time to live",
        "a client's visits of the public page",
    ),
)
