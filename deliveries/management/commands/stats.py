"""Show how much of the mail fails."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from deliveries.insight import error_rates
from deliveries.insight.error_rates import DIMENSIONS, ErrorFigures, RateScope
from deliveries.models import Alert
from domains.foundation.command import CommandParser, EkidenCommand
from domains.models import Credential, Project
from domains.senders import names


class Command(EkidenCommand):
    help = (
        "Show the error rates of the last hours, by project, credential, recipient provider or "
        "class, and open alerts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", choices=tuple(DIMENSIONS), default="project")
        parser.add_argument(
            "--hours", type=int, default=24, metavar="N", help="of the last N hours (24)"
        )
        parser.add_argument("--project", help="only of this project")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self, *args: Any, by: str, hours: int, project: str | None, as_json: bool, **options: Any
    ) -> None:
        scope = scope_of(hours, projects=[names.project(project).pk] if project else None)
        found = {_name(by, key): figures for key, figures in error_rates.by(by, scope).items()}
        alerts = Alert.objects.filter(ended_at__isnull=True).select_related("credential__project")
        if as_json:
            return self.write_json(
                {
                    "by": by,
                    "hours": hours,
                    "total": facts(error_rates.total(scope)),
                    "rows": [{"name": name, **facts(each)} for name, each in found.items()],
                    "alerts": [str(alert.credential) for alert in alerts],
                }
            )
        rows = [(name, *_cells(each)) for name, each in found.items()]
        self.write_table(
            [(by.upper(), "ENDED", "HARD", "SOFT", "SUPPRESSED", "COMPLAINTS"), *rows],
            empty="Nothing has ended in that time.",
        )
        for alert in alerts:
            since = timezone.localtime(alert.opened_at)
            self.stdout.write(
                self.style.ERROR(
                    f"Alert since {since:%Y-%m-%d %H:%M}: {alert.credential}, {alert.rate:.1f} % "
                    "hard bounces"
                )
            )
        return None


def scope_of(
    hours: int, *, projects: list[int] | None = None, now: datetime | None = None
) -> RateScope:
    """Return the last so many hours, the running one included."""
    until = (now or timezone.now()).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return RateScope(until - timedelta(hours=max(1, hours)), until, projects=projects)


def facts(figures: ErrorFigures) -> dict[str, Any]:
    return {
        "ended": figures.ended, "hard": figures.hard, "soft": figures.soft,
        "suppressed": figures.suppressed,
        "complaints": figures.complaints, "hard_rate": round(figures.hard_rate, 2),
        "soft_rate": round(figures.soft_rate, 2),
    }  # fmt: skip


def _cells(each: ErrorFigures) -> tuple[str, ...]:
    hard, soft = (
        f"{each.hard:,} ({each.hard_rate:.1f} %)",
        f"{each.soft:,} ({each.soft_rate:.1f} %)",
    )
    return f"{each.ended:,}", hard, soft, f"{each.suppressed:,}", f"{each.complaints:,}"


def _name(dimension: str, key: Any) -> str:
    if dimension == "project":
        return str(Project.objects.filter(pk=key).first() or key)
    if dimension == "credential":
        return str(
            Credential.objects.select_related("project").filter(pk=key).first()
            or key
            or "reports of ours"
        )
    return str(key or "-")
