"""Warns of a credential whose mail bounces too often, and pauses it where its project wants
that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from deliveries.models import Alert, Stop
from deliveries.steering import pauses as stops
from domains.foundation import sql
from domains.models import Credential, ItemKind
from domains.operations import audit
from domains.operations.isolation import isolated

logger = logging.getLogger("ekiden.mail")

ACTOR = "alert"
# An alert ends below four fifths of the threshold, so that a rate that hovers around it does not
# open one each minute.
ENDS_BELOW = 0.8

# Without a policy the standard: 5 per cent is where Amazon SES begins to review an account
# (reputationdashboard-bounce in its developer guide), and 100 deliveries are enough for such a
# figure to mean something.
RATES = """
SELECT credential.id, coalesce(policy.alert_rate, 5)::float8, coalesce(policy.alert_least, 100),
    coalesce(policy.alert_hours, 24),
       coalesce(policy.pauses_credential, false), sums.ended, sums.hard
FROM domains_credential credential
LEFT JOIN suppressions_policy policy ON policy.project_id = credential.project_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE category NOT IN ('suppressed', 'complaint')), 0) AS
        ended,
           coalesce(sum(amount) FILTER (WHERE is_hard), 0) AS hard
    FROM recent WHERE recent.credential_id = credential.id
      AND recent.hour > %(now)s - make_interval(hours => coalesce(policy.alert_hours, 24)::int))
          sums
WHERE sums.ended > 0 OR EXISTS (SELECT FROM deliveries_alert alert
    WHERE alert.credential_id = credential.id AND alert.ended_at IS NULL)
"""
# The longest time that a policy may look at, read once for all credentials.
RECENT = """
WITH recent AS MATERIALIZED (
    SELECT hour, credential_id, category, is_hard, sum(amount) AS amount FROM deliveries_tally
    WHERE hour > %(now)s - interval '168 hours' GROUP BY hour, credential_id, category, is_hard
)
"""


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """A credential's figures against its project's threshold, in per cent."""

    credential_id: int
    threshold: float
    least: int
    hours: int
    pauses: bool
    ended: int
    hard: int

    @property
    def rate(self) -> float:
        return 100 * self.hard / self.ended if self.ended > 0 else 0.0

    @property
    def is_bad(self) -> bool:
        return self.threshold > 0 and self.ended >= self.least and self.rate >= self.threshold

    @property
    def is_good_again(self) -> bool:
        return (
            self.threshold <= 0
            or self.ended < self.least
            or self.rate < self.threshold * ENDS_BELOW
        )


def check(*, now: datetime) -> tuple[int, int]:
    """Open and end alerts; return how many of each."""
    open_ones = {
        alert.credential_id: alert for alert in Alert.objects.filter(ended_at__isnull=True)
    }
    opened = ended = 0
    for figures in current_figures(now=now):
        alert = open_ones.get(figures.credential_id)
        with isolated(ItemKind.ALERT, figures.credential_id, lasting=False):
            if alert is None and figures.is_bad:
                opened += _open(figures)
            elif alert is not None and figures.is_good_again:
                alert.ended_at = now
                alert.save(update_fields=["ended_at"])
                logger.info(
                    "event=alert-ended credential=%s rate=%.1f",
                    figures.credential_id,
                    figures.rate,
                )
                ended += 1
    return opened, ended


def current_figures(*, now: datetime) -> list[AlertFigures]:
    """Return the figures of each credential that had mail lately or has an alert."""
    return [
        AlertFigures(*row[:5], ended=int(row[5]), hard=int(row[6]))  # type: ignore[misc]
        for row in sql.rows(RECENT + RATES, {"now": now})
    ]


@transaction.atomic
def _open(figures: AlertFigures) -> bool:
    credential = (
        Credential.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=figures.credential_id)
    )
    alert, is_new = Alert.objects.get_or_create(
        credential=credential, ended_at=None,
        defaults={"rate": figures.rate, "bounced": figures.hard, "total": figures.ended,
            "hours": figures.hours},
    )  # fmt: skip
    if not is_new:
        return False
    said = (
        f"{figures.hard} of {figures.ended} deliveries within {figures.hours} hours bounced "
        f"hard ({figures.rate:.1f} %)"
    )
    logger.warning(
        "event=alert credential=%s project=%s said=%r", credential.pk, credential.project_id, said
    )
    audit.note(ACTOR, "alert", credential, reason=said)
    if figures.pauses:
        _pause(credential, alert, said)
    return True


def _pause(credential: Credential, alert: Alert, said: str) -> None:
    """Pause the credential as a person would; only a person resumes it."""
    try:
        with transaction.atomic():
            stops.stop(Stop.Scope.CREDENTIAL, reason=said, by=ACTOR, credential=credential)
    except stops.AlreadyStopped:
        return
    alert.has_paused = True
    alert.save(update_fields=["has_paused"])
    audit.note(ACTOR, "pause", credential, reason=said)
