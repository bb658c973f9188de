"""The one SQL expression that says whether mail to an address is forbidden; asked at RCPT and
again at the claim.
"""


def covering(
    *,
    key: str,
    domain: str,
    project: str,
    sender: str,
    delivery: str = "NULL::uuid",
    obeys: str = "true",
) -> str:
    """Return a sub-select of at most one row (reason, id, may_try) for these SQL expressions.

    `sender` is the reverse-path's domain. `may_try`: the time of probation has come, and no other
    delivery is trying. Where several rows forbid, one that lets nothing through comes first.
    `obeys`: whether what the service learned by itself counts.
    """
    return f"""
    SELECT s.reason, s.id, s.probation_at IS NOT NULL AND s.probation_at <= now()
               AND (s.probe_id IS NULL OR s.probe_id IS NOT DISTINCT FROM {delivery}
                   OR s.probe_until <= now()) AS may_try
    FROM suppressions_suppression s
    WHERE s.address_key IN ({key}, '@' || {domain})
        AND (s.project_id = {project} OR s.project_id IS NULL)
      AND (s.until IS NULL OR s.until > now())
          AND (s.sender_domain = '' OR s.sender_domain = {sender})
      AND ({obeys} OR s.source <> 'automatic')
    ORDER BY may_try LIMIT 1"""  # noqa: S608  (of the caller's own expressions)
