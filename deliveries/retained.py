"""How long the rows and keys of this package are kept."""

from deliveries.models import Lane
from domains.foundation.upkeep.retention import BY_RETENTION, Keys, RetainedTable, oldest

INBOUND_DAYS = 90  # of what came to a return path, or has proven something
LETTER_DAYS = 30
UNPROVEN_DAYS = 7
STOCK_DAYS = 5  # what a full day holds, so many times, is the most of either that is kept at all
DESTINATION_DAYS = 90
LANE_DAYS = 90
PACE_DAYS = 400
ALERT_DAYS = 400
REFUSAL_DAYS = 30
ORDER_DAYS = 90
NODE_DAYS = 30
WARM_UP_DAYS = 90
SILENT_DAYS = 30
LOOK_DAYS = 90
TALLY_DAYS = 400
TRAFFIC_DAYS = 400
HISTORY_DAYS = 30
EXPORT_DAYS = 7
MINUTE_DAYS = 7
ASKED_DAYS = 7  # as in deliveries.queue.transcripts

# A lane goes when no domain has led to it for so long that no log can name it any more: pages and
# late bounces read a delivery together with its lane. One that a receiver has taught a rate is kept
# for longer. What people closed or forced is theirs to remove.
UNUSED_LANE = f"""
id > {Lane.ROUTING} AND holder IS NULL AND closed_at IS NULL AND NOT is_forced
AND (paused_until IS NULL OR paused_until < now())
AND NOT EXISTS (SELECT FROM deliveries_destination
    WHERE lane_id = coalesce(deliveries_lane.home_id, deliveries_lane.id))
AND NOT EXISTS (SELECT FROM deliveries_lane led WHERE led.home_id = deliveries_lane.id)
AND NOT EXISTS (SELECT FROM deliveries_delivery WHERE lane_id = deliveries_lane.id
    AND ended_at IS NULL)
"""  # noqa: S608  (put together from constants)
IDLE_LONG = f"""
idle_since < %(before)s - make_interval(days =>
    (SELECT least(greatest(0, max(log_days) - {LANE_DAYS}), 20000) FROM domains_project)::int)
AND (rate IS NULL OR idle_since < %(before)s - interval '{PACE_DAYS - LANE_DAYS} days')
"""  # noqa: S608  (as above)

# Mail that proves nothing is anybody's: nothing refers to it but a person who reads it. Letters
# wait for that for a month.
_FOR_A_MONTH = "('postmaster', 'abuse', 'forensic')"
LETTERS = oldest(
    "deliveries_inboundmail",
    f"delivery_id IS NULL AND kind IN {_FOR_A_MONTH} AND id < %(before_id)s", order="id",
    returning="handled_at IS NULL",
)  # fmt: skip
UNPROVEN = oldest(
    "deliveries_inboundmail",
    f"delivery_id IS NULL AND kind NOT IN {_FOR_A_MONTH} AND id < %(before_id)s",
    order="id", returning="handled_at IS NULL",
)  # fmt: skip
# The newest of those that are too much for the room; 1024 bytes stand for the row and its indexes,
# as in the quotas of a day.
OVER_STOCK = """
SELECT id FROM (SELECT id, sum(octet_length(data) + 1024) OVER (ORDER BY id DESC) AS newer
    FROM deliveries_inboundmail
                WHERE (delivery_id IS NULL) = %(is_unproven)s) AS stock
WHERE newer > %(room)s ORDER BY id DESC LIMIT 1
"""
DOWN_TO_STOCK = oldest(
    "deliveries_inboundmail",
    "(delivery_id IS NULL) = %(is_unproven)s AND id <= %(newest)s", order="id",
    returning="handled_at IS NULL",
)  # fmt: skip

TABLES = (
    RetainedTable("deliveries_transcript", f"`--transcript-days` of its project, {ASKED_DAYS} "
        "where a person asked for it", BY_RETENTION, "why an attempt failed is asked soon",
        delete=oldest("deliveries_transcript", "expires_at < now()", order="expires_at")),
    RetainedTable("deliveries_transcriptrequest", f"until the next attempt, {ASKED_DAYS} days at "
        "most", BY_RETENTION, "a wish that was not met by then is forgotten", days=ASKED_DAYS,
        delete=oldest("deliveries_transcriptrequest", "at < %(before)s", key="delivery_id",
            order="at")),
    RetainedTable("deliveries_message", "`--log-days` of its project", BY_RETENTION,
        "never before all its deliveries have ended"),
    RetainedTable("deliveries_content", "`--content-days` of its project", BY_RETENTION, "what was "
        "written is of use for days, and large"),
    RetainedTable("deliveries_messageterms", "with its message", BY_RETENTION, "one log"),
    RetainedTable("deliveries_resending", "with either of its two messages", BY_RETENTION,
        "it leads from one to the other"),
    RetainedTable("deliveries_delivery", "with its message", BY_RETENTION, "one log"),
    RetainedTable("deliveries_attempt", "with its message", BY_RETENTION, "one log"),
    RetainedTable(
        "deliveries_submission", "`--idempotency-window` of its project", BY_RETENTION, "the "
            "same mail again within it is one message",
        delete=oldest("deliveries_submission", "expires_at < now()", key="key", order="expires_at"),
    ),
    # A delivery's own attempts say what the report said; a letter to postmaster has been read by
    # then, or never will be.
    RetainedTable(
        "deliveries_inboundmail",
        f"{INBOUND_DAYS} days at a return path or proven, {LETTER_DAYS} to postmaster and abuse "
        f"and of forensic reports, else {UNPROVEN_DAYS}; {STOCK_DAYS} full days of bytes at most",
        BY_RETENTION, "also what could not be handled: the log names it then",
        days=INBOUND_DAYS,
        delete=oldest("deliveries_inboundmail", "id < %(before_id)s", order="id",
            returning="handled_at IS NULL"),
    ),
    RetainedTable(
        "deliveries_destination", f"{DESTINATION_DAYS} days after the last mail to the domain",
        BY_RETENTION,
        "the next mail asks DNS anyway", days=DESTINATION_DAYS,
        delete=oldest("deliveries_destination", "expires_at < %(before)s", key="domain",
            order="expires_at"),
    ),
    RetainedTable(
        "deliveries_lane", f"{LANE_DAYS} days after its last domain, or `--log-days` if that is "
            f"more; {PACE_DAYS} with a learned rate",
        BY_RETENTION, "never while closed, paused, leased, forced by an order, or with live mail",
        days=LANE_DAYS,
        delete=oldest("deliveries_lane", f"{IDLE_LONG} AND {UNUSED_LANE}", order="idle_since"),
    ),
    RetainedTable(
        "deliveries_refusal", f"{REFUSAL_DAYS} days", BY_RETENTION,
        "who misses a message asks within a month",
        days=REFUSAL_DAYS, delete=oldest("deliveries_refusal", "at < %(before)s", order="at"),
    ),
    RetainedTable("deliveries_route", "until removed", "people", "a person's word"),
    *(RetainedTable(f"deliveries_{name}", "until removed", "people", "a person's word")
        for name in ("source", "pool", "poolmember", "egressrule")),
    RetainedTable("deliveries_warmupplan", "until removed", "people",
        "the shipped ones and a person's word"),
    RetainedTable("deliveries_warmup", f"{SILENT_DAYS} days without mail, or with its source",
        "the job `warm_up`", "a receiver has forgotten the source by then"),
    RetainedTable("deliveries_warmupday", f"{WARM_UP_DAYS} days", BY_RETENTION,
        "what a warm-up did is looked at after it", days=WARM_UP_DAYS,
        delete=oldest("deliveries_warmupday", "opened_at < %(before)s", order="opened_at")),
    RetainedTable("deliveries_sourcecount", f"{WARM_UP_DAYS} days", BY_RETENTION,
        "a warm-up and the months after it", days=WARM_UP_DAYS,
        delete=oldest("deliveries_sourcecount", "hour < %(before)s", order="hour")),
    RetainedTable("deliveries_sourceblock", f"{WARM_UP_DAYS} days", BY_RETENTION,
        "whoever blocks again soon is left alone for longer", days=WARM_UP_DAYS,
        delete=oldest("deliveries_sourceblock", "at < %(before)s", order="at")),
    RetainedTable("deliveries_tenantrule", "until removed", "people", "a person's word"),
    RetainedTable("deliveries_tenantcase", f"{ALERT_DAYS} days after it has ended", BY_RETENTION,
        "as long as the figures behind it", days=ALERT_DAYS,
        delete=oldest("deliveries_tenantcase", "ended_at < %(before)s", order="ended_at")),
    RetainedTable("deliveries_sourcerest", "until it ends", "the job `warm_up`",
        "it says until when"),
    RetainedTable("deliveries_node", f"{NODE_DAYS} days after it was last seen", BY_RETENTION,
        "a machine that was replaced", days=NODE_DAYS,
        delete=oldest("deliveries_node", "seen_at < %(before)s", key="name", order="seen_at")),
    RetainedTable("deliveries_smarthost", "until removed", "people", "a person's word"),
    RetainedTable("deliveries_smarthosttoken", "with its smarthost, renewed before its end",
        "the workers", "one access token for all of them"),
    RetainedTable("deliveries_receiverdemand", "until removed", "people", "one row for each"),
    RetainedTable("deliveries_shapingrule", "until removed", "people",
        "the shipped ones and a person's word"),
    RetainedTable("deliveries_providerlimit", "until removed", "people", "a person's word"),
    RetainedTable("deliveries_localrule", "until removed", "people", "a person's word"),
    RetainedTable("deliveries_stop", "until resumed", "people", "a person's word"),
    RetainedTable(
        "deliveries_order", f"{ORDER_DAYS} days after it is finished", BY_RETENTION,
        "the audit log keeps who ordered what",
        days=ORDER_DAYS,
        delete=oldest("deliveries_order", "finished_at < %(before)s", order="finished_at"),
    ),
    RetainedTable(
        "deliveries_reclassification", f"{LOOK_DAYS} days", BY_RETENTION,
        "it counts the 30 days before it",
        days=LOOK_DAYS,
        delete=oldest("deliveries_reclassification", "created_at < %(before)s", order="created_at"),
    ),
    RetainedTable(
        "deliveries_alert", f"{ALERT_DAYS} days after it has ended", BY_RETENTION,
        "as long as the figures behind it",
        days=ALERT_DAYS,
        delete=oldest("deliveries_alert", "ended_at < %(before)s", order="ended_at"),
    ),
    RetainedTable(
        "deliveries_tally", f"{TALLY_DAYS} days", BY_RETENTION, "a year and the month to "
            "compare it with",
        days=TALLY_DAYS, delete=oldest("deliveries_tally", "hour < %(before)s", order="hour"),
    ),
    RetainedTable("deliveries_savedsearch", "until removed", "people", "a person's word"),
    RetainedTable("deliveries_messageexport", f"{EXPORT_DAYS} days", BY_RETENTION,
        "a file of customers' mail is fetched soon, or made anew", days=EXPORT_DAYS,
        delete=oldest("deliveries_messageexport", "created_at < %(before)s", order="created_at")),
    RetainedTable("deliveries_exportpart", "with its export", BY_RETENTION, "it is the file",
        days=EXPORT_DAYS, delete=oldest("deliveries_exportpart", "at < %(before)s", order="at")),
    RetainedTable("deliveries_lanepace", f"{MINUTE_DAYS} days", BY_RETENTION,
        "why it was slow is asked within days", days=MINUTE_DAYS,
        delete=oldest("deliveries_lanepace", "at < %(before)s", order="at")),
    RetainedTable("deliveries_backoff", f"{HISTORY_DAYS} days", BY_RETENTION,
        "a receiver's habits show over weeks", days=HISTORY_DAYS,
        delete=oldest("deliveries_backoff", "at < %(before)s", order="at")),
    RetainedTable(
        "deliveries_trafficcount",
        f"{TRAFFIC_DAYS} days; minutes for 2 and hours for 90 of them", BY_RETENTION,
        "as long as the tallies", days=TRAFFIC_DAYS,
        delete=oldest("deliveries_trafficcount", "step = 1440 AND at < %(before)s", order="at"),
    ),
)  # fmt: skip

KEYS = (
    Keys(
        "ekiden:inflow*",
        "some seconds",
        "its time to live",
        "how far delivery is behind, and what is let in",
    ),
    Keys(
        "ekiden:dns-outage",
        "some seconds",
        "its time to live",
        "what workers say whose name servers are all silent",
    ),
    Keys(
        "ekiden:filled",
        "for ever",
        "nothing",
        "its absence tells that Valkey has lost what it held",
        expires=False,
    ),
    Keys(
        "ekiden:retention",
        "a day",
        "its time to live",
        "where the removal of old messages has come to",
    ),
    Keys(
        "ekiden:growth", "30 days", "its time to live", "the sizes of the last days, for `doctor`"
    ),
    Keys(
        "rq:job:*",
        "until done; a day where it failed",
        "RQ",
        "what a job is about stands in PostgreSQL",
        expires=False,
    ),
    Keys(
        "rq:*",
        "as long as its queue or process",
        "RQ",
        "queues, registries, and who is at work",
        expires=False,
    ),
)
