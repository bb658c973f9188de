"""What the mail itself needs: keys, domains, lanes that move, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings

from deliveries.insight import sources, stats
from deliveries.steering import pauses
from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.models import Domain, SetAside, SigningKey
from domains.operations import own_keys
from relay_portal.console import sandbox
from relay_portal.doctor.finding import Finding, Level, good
from suppressions.models import Brake


def own_keys_fit() -> Iterator[Finding]:
    """Tell if the keys of this machine are the installation's: else what comes back is thrown away
    as forged.
    """
    try:
        own_keys.check()
    except KeyRingError as error:
        yield Finding(
            "keys", Level.BAD, str(error), "Until then no process of this machine starts."
        )
        return
    yield good("keys", "those of the installation")


def keys() -> Iterator[Finding]:
    keys = list(SigningKey.objects.to_publish().select_related("domain"))
    if not keys:
        yield good("signing keys", "there are none yet")
        return
    try:
        ring = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring", create=False)
        for key in keys:
            ring.decrypt(key.private_key)
    except KeyRingError as error:
        yield Finding(
            "signing keys",
            Level.BAD,
            str(error),
            "Restore the ring from its backup, or make new keys: ./ekiden domain --help",
        )
        return
    yield good("signing keys", f"{len(keys)} can be used")


def domains() -> Iterator[Finding]:
    unverified = list(Domain.objects.unverified().values_list("name", flat=True).distinct()[:5])
    assumed = list(
        Domain.objects.verified().filter(is_assumed=True).values_list("name", flat=True)[:5]
    )
    if unverified:
        advice = f"Publish their records: ./ekiden domain show {unverified[0]}"
        yield Finding("domains", Level.WARNING, f"Not verified: {', '.join(unverified)}.", advice)
    if assumed:
        advice = (
            "Their mail is unsigned to the world until their DKIM records are published: "
            "./ekiden domain show DOMAIN"
        )
        yield Finding(
            "domains", Level.WARNING, f"Taken on an operator's word: {', '.join(assumed)}.", advice
        )
    if not unverified and not assumed:
        yield good("domains", f"{Domain.objects.verified().count()} verified")


def waiting() -> Iterator[Finding]:
    now = datetime.now(UTC)
    if missing := stats.conservation()["missing"]:
        yield Finding(
            "mail",
            Level.BAD,
            f"{missing} accepted recipients are neither live nor ended.",
            "This must not be: report it.",
        )
    for lane, waiting in stats.troubled_lanes(5, now=now):
        if waiting and not lane.closed_at:
            yield Finding(
                "mail",
                Level.WARNING,
                f"{waiting} wait for {lane}, which is paused: {lane.pause_reason}",
                "./ekiden trace RECIPIENT",
            )


def leaving() -> Iterator[Finding]:
    """Look whether each source that is in use can be used, and what rests."""
    known = [each for each in sources.sources() if each["state"] in ("warming", "warm")]
    away = [each for each in known if not each["nodes"]]
    level = Level.BAD if away == known else Level.WARNING
    for each in away[:5]:
        text = f"No machine at work has the address of the source {each['name']}."
        advice = (
            "Give a machine with workers the address, start one there, or take the source out of "
            f'use: ./ekiden source out {each["name"]} --reason "…"'
        )
        yield Finding("sources", level, text, advice)
    rests = [(each["name"], rest) for each in known for rest in each["rests"]]
    for name, rest in rests[:5]:
        text = f"The source {name} sends nothing to {rest['receiver']}: {rest['reason']}"
        advice = f"Back into use: ./ekiden source use {name} --receiver {rest['receiver']}"
        yield Finding("sources", Level.WARNING, text, advice)
    if known and not rests and not away:
        yield good("sources", f"{len(known)} in use")


def paused() -> Iterator[Finding]:
    """Look for what people have stopped and may have forgotten."""
    in_force = pauses.everything()
    if (emergency := pauses.emergency()) is not None:
        text = (
            f"All delivery has been stopped since {emergency.created_at:%Y-%m-%d %H:%M} UTC: "
            f"{emergency.reason}"
        )
        yield Finding("pauses", Level.BAD, text, 'To go on: ./ekiden resume all --reason "…"')
    for each in [each for each in in_force if each.row != emergency][:5]:
        text = (
            f"{each.name} ({each.kind.lower()}) has been paused since {each.at:%Y-%m-%d %H:%M} "
            f"UTC: {each.reason}"
        )
        yield Finding("pauses", Level.WARNING, text, "To go on: ./ekiden resume --help")
    if not in_force:
        yield good("pauses", "nothing is paused")


def learning() -> Iterator[Finding]:
    """Name the classes that are not learned from, since too many domains turned dead at once."""
    in_force = list(Brake.objects.filter(ended_at__isnull=True))
    for brake in in_force:
        since = f"{brake.began_at:%Y-%m-%d %H:%M} UTC"
        text = (
            f"Learning of {brake.category} has been stopped since {since}: {brake.domains} "
            "domains turned dead at once."
        )
        advice = (
            "Look at the resolver and at some of the answers; then ./ekiden suppression believe "
            f"{brake.category}, or forget"
        )
        yield Finding("learning", Level.BAD, text, advice)
    if not in_force:
        yield good("learning", "nothing is held")


def set_aside() -> Iterator[Finding]:
    """Look for what its loop could not handle, so that it waits for a person."""
    found = SetAside.objects.troubles()
    for row in found.order_by("-last_failed_at")[:5]:
        text = (
            f"{row} failed {row.failures} times, last at {row.last_failed_at:%Y-%m-%d %H:%M} UTC."
        )
        yield Finding(
            "put aside",
            Level.BAD,
            text,
            "Its traceback, and what may be done: the portal, Put aside.",
        )
    if not found.exists():
        yield good("put aside", "nothing is put aside")


def private_networks() -> Iterator[Finding]:
    if named := ", ".join(settings.EKIDEN_PRIVATE_NETWORKS):
        advice = (
            "Whoever writes DNS for a recipient's domain chooses the host there: unset "
            "EKIDEN_PRIVATE_NETWORKS, or name fewer."
        )
        yield Finding(
            "private networks",
            Level.WARNING,
            f"Mail is carried into {named} where DNS says so.",
            advice,
        )


def sandbox_route() -> Iterator[Finding]:
    if sandbox.route():
        yield Finding(
            "sandbox",
            Level.WARNING,
            "All mail goes to the built-in sandbox, none to the internet.",
            "To send for real: ./ekiden live",
        )
