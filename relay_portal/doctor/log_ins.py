"""How people reach the portal: whether the proxy before it says for whom it asks, and by TLS."""

from __future__ import annotations

from collections.abc import Iterator

from axes.models import AccessAttempt, AccessLog
from django.conf import settings

from relay_portal.access.arrival import HIDDEN, PLAIN, THROUGH, UNTOLD
from relay_portal.doctor.finding import Finding, Level, good
from relay_portal.models import GroupRole, User

PROXY = "See “Reverse proxy” in docs/operations.md."


def proxy() -> Iterator[Finding]:
    """Judge by the last log-in, or try of one, that did not come from this machine itself."""
    came = [
        rows.filter(path_info__startswith=THROUGH)
        for rows in (AccessLog.objects, AccessAttempt.objects)
    ]
    newest = filter(None, (rows.order_by("-attempt_time").first() for rows in came))
    found = max(newest, key=lambda row: row.attempt_time, default=None)
    if found is None:
        return
    how = found.path_info.split()
    when = f"The last log-in or try ({found.attempt_time:%Y-%m-%d %H:%M} UTC)"
    if HIDDEN in how:
        text = f"{when} came through a proxy that hides the address: all count as "
        advice = (
            "Wrong passwords of one lock out all: let a proxy on this machine pass "
            f"X-Forwarded-For. {PROXY}"
        )
        yield Finding("log-in", Level.WARNING, f"{text}{found.ip_address}.", advice)
    if PLAIN in how and UNTOLD in how:
        yield _plain_http_from(str(found.ip_address), when)
    elif PLAIN in how:
        text = f"{when} came by plain HTTP, with a password that others may read."
        advice = f"Let the proxy take TLS alone, and pass X-Forwarded-Proto. {PROXY}"
        yield Finding("log-in", Level.WARNING, text, advice)
    if not {HIDDEN, PLAIN} & set(how):
        yield good("log-in", "by TLS, and the client's address is known")


def _plain_http_from(address: str, when: str) -> Finding:
    """Warn of plain HTTP from another host, which may be a person or a proxy that hides people."""
    log_ins = AccessLog.objects.filter(ip_address=address)
    people = log_ins.values("username").distinct().count()
    text = (
        f"{when} came from {address} by plain HTTP, with a password that others may read. The "
        "request does not say whether a person is there, or a proxy that hides people."
    ) + (f" {people} people have logged in from it." if people > 1 else "")
    advice = (
        "Let nothing but a proxy on this machine reach the portal; one on another host is never "
        f"believed. {PROXY}"
    )
    return Finding("log-in", Level.WARNING, text, advice)


def openid_provider() -> Iterator[Finding]:
    """Ask the OpenID provider what it says of itself, and see that somebody may come by it."""
    if not settings.EKIDEN_OPENID_ISSUER:
        return
    # Read here: its libraries are a tenth of a start, and `status` looks at nothing of it.
    from relay_portal.openid import provider
    from relay_portal.openid.provider import ProviderError

    try:
        provider.metadata(anew=True)
        provider.keys(anew=True)
    except ProviderError as error:
        advice = "Look at the address in EKIDEN_OPENID_ISSUER, and whether this machine reaches it."
        yield Finding("openid", Level.WARNING, str(error), advice)
        return
    if not GroupRole.objects.exists():
        advice = "Map one: ./ekiden openid map GROUP --role operator"
        yield Finding("openid", Level.WARNING, "No group of the provider may do anything.", advice)
    else:
        yield good("openid", f"{provider.name()} answers, and groups are mapped")


def break_glass() -> Iterator[Finding]:
    """See that somebody gets in when the provider does not answer, or no group is mapped."""
    if not settings.EKIDEN_OPENID_ISSUER:
        return
    count = User.objects.local_owners().exclude(enrolled_at=None).count()
    if count:
        yield good("owner", f"{count} can log in without the OpenID provider")
        return
    yield Finding(
        "owner",
        Level.BAD,
        "Nobody can log in as owner while the OpenID provider is away.",
        "Make one who has a password and a second factor of our own: "
        "./ekiden person invite NAME --role owner",
    )
