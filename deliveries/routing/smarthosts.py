"""Smarthosts: written down, changed and taken back, and what must hold for one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import Lane, Smarthost, SmarthostToken
from deliveries.queue.row_locks import change_deliveries
from deliveries.queue.wakeups import notify_now
from deliveries.routing import smarthost_secrets as secrets
from deliveries.routing.resolver import is_own
from deliveries.routing.routes import is_host
from domains.foundation import sql
from domains.foundation.dns.allowed_addresses import Address
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.operations.changed_columns import changed_since, columns_of
from domains.senders.keys import ring

HOSTS_MOST = 10
LOOK = 5.0  # seconds for a host's addresses; what is not found then shows while sending
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({Smarthost.HostTls.VERIFIED, Smarthost.HostTls.IMPLICIT})
ROUTE_ANEW = change_deliveries(
    "ended_at IS NULL AND lane_id = ANY(%(lanes)s) AND claim = 0", to="lane_id = %(to)s"
)
LIMITS = (
    "connections",
    "messages_per_connection",
    "per_second",
    "per_minute",
    "per_hour",
    "per_day",
)


def wanted_secrets(row: Smarthost) -> tuple[str, ...]:
    """Return the names of the secrets that its log-in needs, in the order in which they are
    asked for.
    """
    if row.mechanism == Smarthost.Mechanism.NONE:
        return ()
    if not row.takes_tokens:
        return (secrets.PASSWORD,)
    if row.grant == Smarthost.Grant.REFRESH:
        return (secrets.CLIENT_SECRET, secrets.REFRESH_TOKEN)
    return (secrets.CLIENT_SECRET,)


def check(row: Smarthost, given: Mapping[str, str]) -> None:
    """Raise `ValidationError` for what cannot work. `given` are its secrets in clear."""
    row.hosts = checked_hosts(row.hosts)
    if row.mechanism != Smarthost.Mechanism.NONE:
        for host, port, tls in row.hosts:
            if tls not in SAFE:
                raise ValidationError(
                    {
                        "hosts": _(
                            "%(host)s:%(port)s: we log in over verified TLS only. Choose the TLS "
                            "verified or implicit."
                        )
                        % {"host": host, "port": port}
                    }
                )
    else:
        row.username = ""
    if row.takes_tokens:
        _check_tokens(row)
    else:
        row.grant = row.token_url = row.client_id = row.scope = row.tenant = ""
    for name in wanted_secrets(row):
        is_public = name == secrets.CLIENT_SECRET and row.grant == Smarthost.Grant.REFRESH
        if not given.get(name) and not is_public:
            raise ValidationError(_("The log-in needs a secret: %s.") % name.replace("_", " "))
    row.full_clean()


def checked_hosts(given: Any) -> list[list[Any]]:
    """Return [[host, port, TLS], …] in canonical form; raise `ValidationError`."""
    if not isinstance(given, list) or not 0 < len(given) <= HOSTS_MOST:
        raise ValidationError({"hosts": _("A smarthost has one to ten hosts.")})
    return [_checked_host(*each) for each in given]


def _checked_host(host: Any, port: Any, tls: Any) -> list[Any]:
    host = str(host).removeprefix("[").removesuffix("]").rstrip(".").lower()
    is_port = isinstance(port, int) and 0 < port < 65_536
    if not is_host(host) or not is_port or tls not in Smarthost.HostTls.values:
        raise ValidationError({"hosts": _("%s is no host, port and TLS.") % f"{host}:{port} {tls}"})
    if leads_back(host, port):
        raise ValidationError(
            {
                "hosts": _("%(host)s:%(port)s is this service itself: mail would go in circles.")
                % {"host": host, "port": port}
            }
        )
    return [host, port, tls]


def leads_back(host: str, port: int) -> bool:
    """Tell whether one of our own listeners is there."""
    ours = (
        settings.EKIDEN_SUBMISSION_PORT,
        settings.EKIDEN_SUBMISSIONS_PORT,
        settings.EKIDEN_MX_PORT,
    )
    if host == settings.EKIDEN_HOSTNAME.lower():
        return True
    return port in ours and any(is_own(address) for address in _addresses(host))


def _addresses(host: str) -> list[Address]:
    with suppress(ValueError):
        return [ip_address(host)]
    if host == "localhost":
        return [ip_address("127.0.0.1")]

    async def look() -> list[Address]:
        async with asyncio.timeout(LOOK):
            answer = await Resolver(nameservers(settings.EKIDEN_DNS)).addresses(host)
            return list(answer.records)

    with suppress(NoSuchName, TemporaryFailure, TimeoutError):
        return asyncio.run(look())
    return []


def _check_tokens(row: Smarthost) -> None:
    if not row.grant:
        raise ValidationError({"grant": _("Say how tokens are got.")})
    for field in ("token_url", "client_id"):
        if not getattr(row, field):
            raise ValidationError({field: _("The log-in by token needs this.")})
    url = urlsplit(row.token_url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
        raise ValidationError({"token_url": _("It must begin with https://")})
    if "{" in row.token_url:
        raise ValidationError({"tenant": _("The preset needs a tenant.")})


def kept_secrets(row: Smarthost) -> dict[str, str]:
    """Return its secrets in clear; raise `KeyRingError`."""
    return secrets.opened(row.sealed, ring()) if row.sealed else {}


@transaction.atomic
def add(row: Smarthost, given: Mapping[str, str]) -> Smarthost:
    """Write a new one down with its secrets; raise `ValidationError`."""
    check(row, given)
    row.sealed = secrets.sealed(_only(row, given), ring()) if any(given.values()) else b""
    row.save(force_insert=True)
    transaction.on_commit(lambda: notify_now(has_orders=True))
    return row


@transaction.atomic
def change(
    row: Smarthost, given: Mapping[str, str] | None = None, *, columns: Collection[str]
) -> None:
    """Write down these columns, which a person changed; secrets stay where none are `given`.

    Its lanes are opened where a refusal has closed them, and drains follow within a second.
    """
    new = {name: text for name, text in (given or {}).items() if text}
    before = columns_of(row)
    check(row, kept_secrets(row) | new)  # empties what makes no sense beside the rest
    # Another may have changed it since the row was read: a worker its refresh token, people the
    # rest.
    stored = Smarthost.objects.select_for_update().get(pk=row.pk)
    for name in {*columns, *changed_since(row, before)}:
        setattr(stored, name, getattr(row, name))
    kept = _only(stored, kept_secrets(stored) | new)
    stored.sealed = secrets.sealed(kept, ring()) if kept else b""
    stored.changed_at = timezone.now()
    stored.save()
    row.refresh_from_db()
    SmarthostToken.objects.filter(smarthost=row).delete()
    lanes = Lane.objects.filter(smarthost=row)
    lanes.update(hosts=row.lane_hosts)
    open_again(row)
    transaction.on_commit(lambda: notify_now(has_orders=True))


def open_again(row: Smarthost) -> None:
    """Let its lanes try again that answers have paused or closed; a person's word stands."""
    lanes = Lane.objects.filter(smarthost=row)
    lanes.filter(closed_at__isnull=False, closed_by="").update(closed_at=None, close_reason="")
    lanes.filter(paused_until__isnull=False).update(paused_until=None, pause_reason="", failures=0)


@transaction.atomic
def remove(row: Smarthost) -> None:
    """Take it back; what waits in its lanes is routed anew. Raise `ValidationError` while a
    route, a rule or a pool leads to it.
    """
    if patterns := list(row.routes.values_list("pattern", flat=True)[:5]):
        raise ValidationError(
            _("Routes lead to it: %s. Lead them elsewhere first.") % ", ".join(patterns)
        )
    if rules := list(row.rules.all()[:5]):
        raise ValidationError(
            _("Egress rules lead to it: %s. Remove them first.") % "; ".join(map(str, rules))
        )
    if pools := list(row.pools.values_list("name", flat=True)[:5]):
        raise ValidationError(
            _("It carries the overflow of pools: %s. Take it off them first.") % ", ".join(pools)
        )
    lanes = list(Lane.objects.filter(smarthost=row).values_list("pk", flat=True))
    # What an agent has in hand it gives back itself: it finds the smarthost gone.
    sql.run(ROUTE_ANEW, {"lanes": lanes, "to": Lane.ROUTING})
    Lane.objects.filter(pk__in=lanes).update(
        closed_at=None, closed_by="", close_reason="", paused_until=None, pause_reason=""
    )
    row.delete()
    transaction.on_commit(lambda: notify_now(lanes=[Lane.ROUTING], has_orders=True))


def _only(row: Smarthost, given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in wanted_secrets(row) if given.get(name)}


def states(rows: Iterable[Smarthost]) -> dict[int, str]:
    """Say in a word how the lanes of each are: closed and paused ones wait."""
    found = {row.pk: "open" for row in rows}
    lanes = Lane.objects.filter(smarthost__in=found)
    paused = lanes.paused(now=timezone.now()).values_list("smarthost", flat=True)
    closed = lanes.filter(closed_at__isnull=False).values_list("smarthost", flat=True)
    return found | dict.fromkeys(paused, "paused") | dict.fromkeys(closed, "closed")


def state(row: Smarthost) -> str:
    return states([row])[row.pk]
