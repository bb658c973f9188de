"""Manage pools of sources, and the rules that say which mail leaves by which."""

from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction

from deliveries.management import egress_rule_actions
from deliveries.models import EgressRule, Pool, Smarthost
from deliveries.steering import sources
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit


class Command(ActionCommand):
    help = (
        "A pool is sources that share mail by weight. Rules say which mail leaves by which pool; "
        "the rest leaves by the pool `default`."
    )

    def add_actions(self, add: AddAction) -> None:
        setting = add("set", self.set, "Make a pool of these sources, or change it.")
        setting.add_argument("name", metavar="NAME")
        setting.add_argument("members", metavar="SOURCE[=WEIGHT]", nargs="+")
        setting.add_argument(
            "--urgent-warms",
            action="store_true",
            help="lead urgent mail to warming sources as well",
        )
        setting.add_argument(
            "--overflow",
            metavar="SMARTHOST",
            help="carries at once what none of the sources may carry (default: it waits)",
        )
        add("list", self.list_all, "List the pools, and the rules that lead to them.")
        removing = add("remove", self.remove, "Remove a pool.")
        removing.add_argument("name", metavar="NAME")
        leading = add("lead", self.lead, "Lead mail that meets all conditions to a pool.")
        leading.add_argument("name", metavar="POOL")
        egress_rule_actions.add_conditions(leading)
        unleading = add("unlead", self.unlead, "Remove a rule.")
        unleading.add_argument("number", metavar="NUMBER", type=int)

    @transaction.atomic
    def set(
        self, *, name: str, members: list[str], urgent_warms: bool, overflow: str | None
    ) -> None:
        pool = sources.set_pool(
            name, sources.weights_of(members), urgent_warms=urgent_warms,
            overflow=_smarthost(overflow) if overflow else None,
        )  # fmt: skip
        audit.note_command("change", pool, details={"members": members, "overflow": overflow})
        self.stdout.write(f"The pool {pool} is {' '.join(members)}; mail that waits follows.")

    def list_all(self, *, as_json: bool) -> None:
        pools = [
            _facts(pool)
            for pool in Pool.objects.select_related("overflow").prefetch_related("members__source")
        ]
        rules = [
            {"rule": rule.pk, "position": rule.position, "mail": rule.conditions or "all mail",
             "pool": rule.pool.name if rule.pool else rule.target}
            for rule in EgressRule.objects.select_related(
                "pool", "smarthost", "project", "credential"
            )
        ]  # fmt: skip
        if as_json:
            return self.write_json({"pools": pools, "rules": rules})
        shown = [
            (pool["name"], " ".join(f"{name}={weight}" for name, weight in pool["sources"].items()),
             pool["overflow"] or "-")
            for pool in pools
        ]  # fmt: skip
        self.write_table(
            [("POOL", "SOURCES", "OVERFLOW"), *shown],
            empty="There is no pool: mail leaves by all sources.",
        )
        if rules:
            self.stdout.write("")
            header = ("RULE", "POSITION", "MAIL", "POOL")
            self.write_table(
                [header, *(tuple(map(str, rule.values())) for rule in rules)], empty=""
            )
        return None

    @transaction.atomic
    def remove(self, *, name: str) -> None:
        pool = _pool(name)
        audit.note_command("delete", pool, details={**_facts(pool)})
        sources.remove_pool(pool)
        self.stdout.write(f"Removed the pool {name}.")

    @transaction.atomic
    def lead(self, *, name: str, **given: Any) -> None:
        rule = egress_rule_actions.rule_of(pool=_pool(name), **given)
        if not rule.conditions:
            raise ValidationError(
                "Give a condition; mail that no rule names leaves by the pool `default`."
            )
        egress_rule_actions.add_rule(self, rule)

    @transaction.atomic
    def unlead(self, *, number: int) -> None:
        rules = EgressRule.objects.all()
        egress_rule_actions.remove_rule(self, rules, number, listed_by="pool list")


def _pool(name: str) -> Pool:
    found = Pool.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no pool {name}. See: ./ekiden pool list")
    return found


def _smarthost(name: str) -> Smarthost:
    found = Smarthost.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no smarthost {name}. See: ./ekiden smarthost list")
    return found


class PoolRow(TypedDict):
    name: str
    sources: dict[str, int]
    urgent_warms: bool
    overflow: str | None


def _facts(pool: Pool) -> PoolRow:
    return {
        "name": pool.name,
        "sources": {member.source.name: member.weight for member in pool.members.all()},
        "urgent_warms": pool.urgent_warms,
        "overflow": pool.overflow.name if pool.overflow else None,
    }
