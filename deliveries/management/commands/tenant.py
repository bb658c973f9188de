"""Rules for projects whose mail is refused or complained of too often, and their figures."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from deliveries.models import Pool, TenantCase, TenantMeasure, TenantRule
from deliveries.steering import tenants
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.models import Project
from domains.operations import audit
from domains.senders import names

SHOWN = 50


class Command(ActionCommand):
    help = (
        "A rule for tenants pauses a project, leads its mail to another pool or slows it down "
        "while too much of its mail is refused or complained of. A new rule is a dry run."
    )

    def add_actions(self, add: AddAction) -> None:
        rates = add("rates", self.rates, "Show the rates of each project and source.")
        rates.add_argument("--hours", type=int, default=24, help="default: %(default)s")
        adding = add("add", self.add, "Add a rule; it is a dry run until it is made live.")
        adding.add_argument("name", metavar="NAME")
        what = adding.add_mutually_exclusive_group(required=True)
        what.add_argument("--errors", type=float, metavar="PERCENT", help="of hard bounces")
        what.add_argument("--complaints", type=float, metavar="PERCENT")
        deed = adding.add_mutually_exclusive_group(required=True)
        deed.add_argument("--pause", action="store_true", help="pause the project")
        deed.add_argument("--pool", help="send its mail by the sources of this pool")
        deed.add_argument("--per-minute", type=int, help="messages taken from each credential")
        adding.add_argument("--project", help="default: each for itself")
        adding.add_argument("--source", default="", help="default: whatever it leaves by")
        adding.add_argument("--least", type=int, default=100, help="deliveries (%(default)s)")
        adding.add_argument("--hours", type=int, default=24, help="default: %(default)s")
        add("list", self.list_all, "List the rules.")
        live = add("live", self.live, "Let a rule act from now on.")
        dry = add("dry-run", self.dry_run, "Let a rule only say what it would do.")
        removing = add("remove", self.remove, "Remove a rule, and take back what it has set.")
        for parser in (live, dry, removing):
            parser.add_argument("name", metavar="NAME")
        add("cases", self.cases, "List the projects to which a rule applies, or applied.")

    def rates(self, *, hours: int, as_json: bool) -> None:
        found = tenants.by_source(hours=hours, now=timezone.now())
        projects = dict(Project.objects.values_list("pk", "name"))
        errors, complaints = TenantMeasure.ERRORS, TenantMeasure.COMPLAINTS
        rows = [
            {
                "project": projects.get(project, str(project)), "source": source,
                "deliveries": each.total, "errors": each.errors,
                "error_rate": round(each.rate(errors), 3), "complaints": each.complaints,
                "complaint_rate": round(each.rate(complaints), 3),
            }
            for (project, source), each in found.items()
        ]  # fmt: skip
        if as_json:
            return self.write_json(rows)
        header = ("PROJECT", "SOURCE", "DELIVERIES", "ERRORS", "%", "COMPLAINTS", "%")
        table = [
            (
                str(row["project"]), str(row["source"]), f"{row['deliveries']:,}",
                f"{row['errors']:,}", f"{row['error_rate']:.2f}", f"{row['complaints']:,}",
                f"{row['complaint_rate']:.2f}",
            )
            for row in rows
        ]  # fmt: skip
        return self.write_table(
            [header, *table], empty=f"No source has sent anything within {hours} hours."
        )

    @transaction.atomic
    def add(
        self, *, name: str, errors: float | None, complaints: float | None, pause: bool,
        pool: str | None, per_minute: int | None, project: str | None, source: str, least: int,
        hours: int,
    ) -> None:  # fmt: skip
        measure = TenantMeasure.COMPLAINTS if errors is None else TenantMeasure.ERRORS
        action = TenantRule.Action.PAUSE
        if not pause:
            action = TenantRule.Action.POOL if pool else TenantRule.Action.SLOW
        rule = TenantRule(
            name=name, measure=measure, threshold=(complaints or 0) if errors is None else errors,
            action=action, pool=_pool(pool), per_minute=per_minute,
            project=names.project(project) if project else None, source=source, least=least,
            hours=hours,
        )  # fmt: skip
        rule.full_clean()
        rule.save()
        audit.note_command("add", rule, details={"values": audit.facts(rule)})
        self.stdout.write(
            f"Added the rule {rule}: {rule.deed}. It is a dry run; see what it would do: "
            f"./ekiden tenant cases. Let it act: ./ekiden tenant live {rule}"
        )

    def list_all(self, *, as_json: bool) -> None:
        rules = list(TenantRule.objects.select_related("pool", "project"))
        if as_json:
            return self.write_json([_facts(rule) for rule in rules])
        header = ("RULE", "OF", "SOURCE", "AT", "WITHIN", "DOES", "")
        rows = [
            (
                rule.name, rule.project.name if rule.project else "each project",
                rule.source or "any", f"{rule.threshold:g} % {rule.measure}",
                f"{rule.hours} h, {rule.least} deliveries", rule.deed,
                "live" if rule.is_live else "dry run",
            )
            for rule in rules
        ]  # fmt: skip
        return self.write_table([header, *rows], empty="There is no rule for tenants.")

    def live(self, *, name: str) -> None:
        rule = self._set_live(name, is_live=True)
        self.stdout.write(f"The rule {rule} acts within a minute: {rule.deed}.")

    def dry_run(self, *, name: str) -> None:
        rule = self._set_live(name, is_live=False)
        self.stdout.write(f"The rule {rule} only says what it would do; what it set is taken back.")

    @transaction.atomic
    def _set_live(self, name: str, *, is_live: bool) -> TenantRule:
        rule = _find(name)
        before, rule.is_live = rule.is_live, is_live
        rule.save(update_fields=["is_live"])
        audit.note_command("change", rule, details={"is_live": [before, is_live]})
        return rule

    @transaction.atomic
    def remove(self, *, name: str) -> None:
        rule = _find(name)
        audit.note_command("delete", rule, details={"values": audit.facts(rule)})
        tenants.remove(rule, now=timezone.now())
        self.stdout.write(f"Removed the rule {name}.")

    def cases(self, *, as_json: bool) -> None:
        cases = TenantCase.objects.select_related("rule__pool", "project")[:SHOWN]
        if as_json:
            return self.write_json([_case(case) for case in cases])
        rows = [
            (
                case.project.name, case.rule.name,
                f"{case.rate:.2f} % ({case.amount} of {case.total})",
                f"{case.opened_at:%Y-%m-%d %H:%M}",
                f"{case.ended_at:%Y-%m-%d %H:%M}" if case.ended_at else "-",
                case.rule.deed if case.has_acted else f"would {case.rule.deed}",
            )
            for case in cases
        ]  # fmt: skip
        header = ("PROJECT", "RULE", "RATE", "SINCE", "ENDED", "DOES")
        return self.write_table([header, *rows], empty="No rule has applied to a project yet.")


def _find(name: str) -> TenantRule:
    rule = TenantRule.objects.select_related("pool").filter(name=name).first()
    if rule is None:
        raise CommandError(f"There is no rule {name}. See: ./ekiden tenant list")
    return rule


def _pool(name: str | None) -> Pool | None:
    pool = Pool.objects.filter(name=name).first() if name else None
    if name and pool is None:
        raise CommandError(f"There is no pool {name}.")
    return pool


def _facts(rule: TenantRule) -> dict[str, object]:
    return {
        "name": rule.name, "project": rule.project.name if rule.project else None,
        "source": rule.source or None, "measure": rule.measure, "threshold": rule.threshold,
        "least": rule.least, "hours": rule.hours, "action": rule.action,
        "pool": rule.pool.name if rule.pool else None, "per_minute": rule.per_minute,
        "is_live": rule.is_live,
    }  # fmt: skip


def _case(case: TenantCase) -> dict[str, object]:
    return {
        "project": case.project.name, "rule": case.rule.name, "rate": case.rate,
        "amount": case.amount, "total": case.total, "opened_at": case.opened_at.isoformat(),
        "ended_at": case.ended_at and case.ended_at.isoformat(), "has_acted": case.has_acted,
        "does": case.rule.deed,
    }  # fmt: skip
