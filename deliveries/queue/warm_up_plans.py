"""The shipped daily numbers of a warm-up, and their rows.

How others do it, read on 2026-11-29: 200, 500, 1,000, 2,000, 5,000 and so on, more than a million
a day within a month (kb.adcrux.io/kbp/user-manuals/ip-warm-up-strategy); each receiver for itself,
Yahoo with fewer than Gmail and Microsoft, and who lacks the mail for a day sends what there is and
goes on with the next (docs.oracle.com/en/cloud/saas/marketing/responsys-user-express/Help/Settings/
IP_Warmup.htm). Ours begin lower, for a sender whom nobody knows, and end where one address of a
self-hosted relay seldom gets.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from deliveries.models import WarmUpPlan

DAYS = 30
MOST_DAYS = 365

# Small receivers and those without a rule: together, since nobody knows who stands behind them.
DEFAULT = (
    50, 100, 200, 500, 750, 1_000, 1_500, 2_000, 2_500, 3_000,
    4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 12_000, 14_000, 16_000,
    18_000, 20_000, 23_000, 26_000, 29_000, 32_000, 36_000, 40_000, 45_000, 50_000,
)  # fmt: skip
LARGE = (
    50, 100, 200, 500, 1_000, 2_000, 3_500, 5_000, 7_000, 9_000,
    12_000, 15_000, 18_000, 22_000, 26_000, 30_000, 35_000, 40_000, 46_000, 53_000,
    60_000, 70_000, 80_000, 90_000, 100_000, 115_000, 130_000, 150_000, 175_000, 200_000,
)  # fmt: skip
YAHOO = (
    50, 100, 200, 400, 700, 1_000, 1_500, 2_500, 3_500, 5_000,
    7_000, 9_000, 11_000, 13_000, 16_000, 19_000, 22_000, 26_000, 30_000, 35_000,
    40_000, 46_000, 53_000, 60_000, 68_000, 76_000, 85_000, 95_000, 110_000, 125_000,
)  # fmt: skip

SHIPPED: dict[str, tuple[int, ...]] = {
    WarmUpPlan.DEFAULT: DEFAULT,
    "google": LARGE,
    "microsoft": LARGE,
    "microsoft365": LARGE,
    "yahoo": YAHOO,
}


@transaction.atomic
def sync() -> None:
    """Keep rows for the plans that this version ships; what was changed here stays as it is."""
    known = {row.receiver: row for row in WarmUpPlan.objects.all()}
    for receiver, numbers in SHIPPED.items():
        row = known.get(receiver)
        if row is None or not row.is_edited:
            reset(receiver, numbers)
    for row in known.values():
        if row.is_shipped and not row.is_edited and row.receiver not in SHIPPED:
            row.delete()


def reset(receiver: str, numbers: tuple[int, ...]) -> None:
    """Write the shipped numbers."""
    WarmUpPlan.objects.update_or_create(
        receiver=receiver,
        defaults={
            "numbers": list(numbers), "is_shipped": True, "is_edited": False,
            "changed_at": timezone.now(),
        },
    )  # fmt: skip


def numbers_of(receiver: str) -> list[int]:
    """Return the receiver's plan, else the default one, else the shipped one."""
    rows = {
        row.receiver: row.numbers
        for row in WarmUpPlan.objects.filter(receiver__in=[receiver, WarmUpPlan.DEFAULT])
    }
    return rows.get(receiver) or rows.get(WarmUpPlan.DEFAULT) or list(DEFAULT)


def number_of(numbers: list[int], day: int) -> int:
    """Return the number of a day of the plan, the first being 1."""
    return numbers[min(max(day, 1), len(numbers)) - 1]


def change(receiver: str, numbers: list[int]) -> WarmUpPlan:
    """Write a person's numbers; raises `ValidationError`."""
    row = WarmUpPlan.objects.filter(receiver=receiver).first() or WarmUpPlan(receiver=receiver)
    row.numbers, row.is_edited, row.changed_at = numbers, True, timezone.now()
    row.full_clean()
    row.save()
    return row


def back_to_shipped(receiver: str) -> WarmUpPlan | None:
    """Return the receiver's plan as it is shipped; one that is not is removed. None: no such."""
    row = WarmUpPlan.objects.filter(receiver=receiver).first()
    if row is not None and receiver in SHIPPED:
        reset(receiver, SHIPPED[receiver])
    elif row is not None:
        WarmUpPlan.objects.filter(pk=row.pk).delete()
    return row
