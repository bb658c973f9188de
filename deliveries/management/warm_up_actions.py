"""The actions of `source` about warming up."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from deliveries.insight import warm_up_forecast, warm_ups
from deliveries.models import ShapingRule, Source, WarmUpPlan
from deliveries.queue import warm_up_plans
from deliveries.steering import warming
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit


class WarmUpActions(ActionCommand):
    """`warm`, `progress` and `numbers`."""

    def add_warm_up_actions(self, add: AddAction) -> None:
        warm = add("warm", self.warm, "Warm a source up: a number for each receiver and day.")
        warm.add_argument("name", metavar="NAME")
        warm.add_argument("--day", type=int, help="of the plans, to begin with (default: 1)")
        warm.add_argument("--done", action="store_true", help="it is warm: no numbers any more")
        warm.add_argument("--receiver", default="", help="with --done: for this receiver alone")
        warm.add_argument(
            "--dry-run", action="store_true", dest="is_dry_run",
            help="only show what it would have done with last week's mail",
        )  # fmt: skip
        warm.add_argument("--json", action="store_true", dest="as_json", help="with --dry-run")
        progress = add("progress", self.progress, "Show how far the warm-ups are, and their days.")
        progress.add_argument("name", metavar="NAME", nargs="?", help="one source (default: all)")
        progress.add_argument("--days", type=int, default=1, help="default: %(default)s")
        numbers = add("numbers", self.numbers, "Show or change the daily numbers of warm-ups.")
        numbers.add_argument("receiver", metavar="RECEIVER", nargs="?", help="name of its rule")
        numbers.add_argument("given", metavar="N,N,…", nargs="?", help="first day first")
        numbers.add_argument("--reset", action="store_true", help="back to what is shipped")

    def warm(
        self, *, name: str, day: int | None, done: bool, receiver: str, is_dry_run: bool,
        as_json: bool,
    ) -> None:  # fmt: skip
        source = find_source(name)
        if day is not None and not 1 <= day <= warm_up_plans.MOST_DAYS:
            raise CommandError(f"--day is a number from 1 to {warm_up_plans.MOST_DAYS}.")
        if is_dry_run:
            return self._dry_run(source, day or 1, as_json=as_json)
        if receiver and not done:
            raise CommandError("--receiver is for --done: a warm-up begins with all receivers.")
        if done:
            return self._done(source, receiver)
        warming.begin(source, day=day or 1, by=audit.command_line())
        return self.stdout.write(
            f"{source} warms up, from day {day or 1} on with each receiver. "
            f"How far it is: ./ekiden source progress {source.name}"
        )

    def _done(self, source: Source, receiver: str) -> None:
        if receiver:
            _must_be_known(receiver)
        warming.end(source, receiver, by=audit.command_line())
        for_whom = f" for {receiver}" if receiver else ""
        self.stdout.write(f"{source} is warm{for_whom}: it has no numbers there any more.")

    def _dry_run(self, source: Source, day: int, *, as_json: bool) -> None:
        found = warm_up_forecast.forecast(source, first_day=day, now=timezone.now())
        share = warm_up_forecast.share_of(source)
        if as_json:
            days = [
                {
                    "date": each.date.isoformat(), "receiver": each.receiver, "day": each.day,
                    "number": each.number, "mail": each.mail, "wanted": each.wanted,
                    "led": each.led, "overflow": each.overflow,
                }
                for each in found
            ]  # fmt: skip
            return self.write_json({"source": source.name, "share": share, "days": days})
        header = ("DATE", "RECEIVER", "DAY", "NUMBER", "MAIL", "ITS SHARE", "LED", "OVERFLOW")
        rows = [
            (
                each.date.isoformat(), each.receiver, str(each.day), f"{each.number:,}",
                f"{each.mail:,}", f"{each.wanted:,}", f"{each.led:,}", f"{each.overflow:,}",
            )
            for each in found
        ]  # fmt: skip
        self.write_table([header, *rows], empty="No mail has ended in the last seven days.")
        if found:
            self.stdout.write(
                f"Of last week's mail {source.name} would have had {share:.0%}; what is above its "
                "number goes by other sources at once. Nothing was changed."
            )
        return None

    def progress(self, *, name: str | None, days: int, as_json: bool) -> None:
        source = find_source(name) if name else None
        found = warm_ups.days(source, days=days, now=timezone.now())
        if as_json:
            return self.write_json(found)
        header = (
            "DATE", "SOURCE", "RECEIVER", "DAY", "NUMBER", "LED", "ACCEPTED", "DEFERRED",
            "BLOCKED", "COMPLAINTS", "",
        )  # fmt: skip
        return self.write_table(
            [header, *map(_row, found)],
            empty="No source warms up. Begin: ./ekiden source warm NAME",
        )

    @transaction.atomic
    def numbers(
        self, *, receiver: str | None, given: str | None, reset: bool, as_json: bool
    ) -> None:
        if receiver and given:
            self._change(receiver, given)
        elif receiver and reset:
            self._reset(receiver)
        elif reset:
            raise CommandError("Name the receiver whose numbers go back to what is shipped.")
        rows = WarmUpPlan.objects.all()
        if receiver:
            rows = rows.filter(receiver=receiver)
        if as_json:
            return self.write_json(
                [
                    {"receiver": row.receiver, "numbers": row.numbers, "is_edited": row.is_edited}
                    for row in rows
                ]
            )
        table = [
            (row.receiver, " ".join(map(str, row.numbers)), "changed" if row.is_edited else "")
            for row in rows
        ]
        return self.write_table(
            [("RECEIVER", "NUMBERS, FIRST DAY FIRST", ""), *table],
            empty=f"{receiver} has no numbers of its own: those of `default` hold.",
        )

    def _change(self, receiver: str, given: str) -> None:
        _must_be_known(receiver)
        try:
            numbers = [int(number) for number in given.split(",")]
        except ValueError as error:
            raise CommandError(f"{given} is no list such as 50,100,200.") from error
        row = warm_up_plans.change(receiver, numbers)
        audit.note_command("change", row, details={"numbers": numbers})

    def _reset(self, receiver: str) -> None:
        row = warm_up_plans.back_to_shipped(receiver)
        if row is None:
            raise CommandError(f"{receiver} has no numbers of its own.")
        audit.note_command("reset", row)


def _must_be_known(receiver: str) -> None:
    if receiver != WarmUpPlan.DEFAULT:
        ShapingRule.objects.all().must_have([receiver])


def find_source(name: str) -> Source:
    """Return the source of this name; raises `CommandError`."""
    found = Source.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no source {name}. See: ./ekiden source list")
    return found


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    number = "-" if each["number"] is None else f"{each['number']:,}"
    state = "warm" if each["is_warm"] else each["verdict"]
    return (
        each["date"], each["source"], each["receiver"], f"{each['day']}/{each['days']}", number,
        *(f"{each[name]:,}" for name in ("led", "accepted", "throttled", "blocked", "complaints")),
        state,
    )  # fmt: skip
