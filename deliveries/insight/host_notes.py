"""What a lane remembers of its hosts, in words for people."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from deliveries.models import Lane
from deliveries.routing import host_experience

# By kind; the keyword of an extension is a kind of its own.
TEXTS: dict[str, Promise] = {
    host_experience.UNWELL: _(
        "%(host)s: asked after the other hosts until %(until)s, because it answered: %(said)s"
    ),
    host_experience.DOMAIN: _(
        "%(host)s: the mail of this recipient domain waits until %(until)s, because a host "
        "answered: %(said)s"
    ),
}
WITHOUT = _("%(host)s: without %(kind)s until %(until)s, because it answered: %(said)s")


def lines(lane: Lane, *, now: datetime) -> list[str]:
    """Write one sentence for each remark that is still in force."""
    return [
        _spelled(remark) for remark in host_experience.remarks(lane.experience, now=now.timestamp())
    ]


def _spelled(remark: host_experience.Remark) -> str:
    until = timezone.localtime(datetime.fromtimestamp(remark.until, UTC)).strftime("%Y-%m-%d %H:%M")
    return str(TEXTS.get(remark.kind, WITHOUT)) % {
        "host": remark.host,
        "kind": remark.kind,
        "until": until,
        "said": remark.said,
    }
