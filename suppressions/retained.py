"""How long the rows of this package are kept."""

from domains.foundation.upkeep.retention import BY_RETENTION, Keys, RetainedTable, oldest

OCCURRENCE_DAYS = 90  # a policy looks back 45 days at most
IMPORT_DAYS = 90
BRAKE_DAYS = 400

TABLES = (
    RetainedTable("suppressions_suppression", "until lifted", "people, probation", "forgetting one "
        "would write to a dead address again"),
    RetainedTable("suppressions_policy", "with its project", "people", "what the project wants"),
    RetainedTable(
        "suppressions_occurrence", f"{OCCURRENCE_DAYS} days", BY_RETENTION,
        "longer than any policy looks back",
        days=OCCURRENCE_DAYS,
        delete=oldest("suppressions_occurrence", "at < %(before)s", order="at",
            returning="handled_at IS NULL"),
    ),
    RetainedTable(
        "suppressions_brake", f"{BRAKE_DAYS} days after a person has decided", BY_RETENTION,
        "one that stands is nobody's but a person's",
        days=BRAKE_DAYS,
        delete=oldest("suppressions_brake", "ended_at < %(before)s", order="ended_at"),
    ),
    RetainedTable(
        "suppressions_import", f"{IMPORT_DAYS} days", BY_RETENTION, "its file goes when it is "
            "taken in; what it made stays",
        days=IMPORT_DAYS,
        delete=oldest("suppressions_import", "created_at < %(before)s", order="created_at",
            returning="ended_at IS NULL"),
    ),
)  # fmt: skip
KEYS: tuple[Keys, ...] = ()
