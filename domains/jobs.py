"""The jobs about domains: wake-ups that look at the database and do what is to be done there."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from domains.foundation.upkeep.turns import NextTurn, Turn, alone
from domains.models import Domain, ItemKind, SigningKey
from domains.models.senders import DomainQuerySet
from domains.operations.isolation import is_free, isolated, step

logger = logging.getLogger(__name__)

# A verified domain's records are looked at this often, an unverified one's with each run.
AGAIN = timedelta(days=1)
WATCHING = 480  # seconds that a run of the watch over return paths may take, in turns
# Of two runs at once the second leaves it to the first.
_VERIFYING, _KEYS, _RETURN_PATHS = 0x656B_7671, 0x656B_7672, 0x656B_7673
_KEY_ZONE = 0x656B_7674


def make_keys(domain_id: int) -> None:
    """Give the domain its first signing key; nothing where it has one, or is gone."""
    from domains.senders.key_states import sign_on_word
    from domains.senders.keys import make_key  # cryptography is only needed here

    with isolated(ItemKind.KEY, domain_id, most=1):
        # Two jobs at once must not make two keys.
        domain = Domain.objects.select_for_update().filter(pk=domain_id).first()
        if domain is not None and not domain.keys.to_publish().exists():
            make_key(domain)
            if domain.is_assumed:
                sign_on_word(domain)


def seal_audit_log() -> None:
    """Chain what people did since the last call."""
    from domains.operations import audit_chain

    with step("domains.audit_chain"):
        audit_chain.seal()


def verify_domain(domain_id: int) -> None:
    """Look at the domain's records now."""
    from domains.identity import checking  # dnspython is only needed here

    checking.check(list(Domain.objects.filter(pk=domain_id)), now=timezone.now())


def verify_domains(begun: int = 0) -> NextTurn:
    """Look at the records of all domains that are unverified or were last looked at long ago,
    these first.

    `begun` is when the first turn of this run began, in seconds since 1970.
    """
    now = timezone.now()
    begun = begun or int(now.timestamp())
    with alone(_VERIFYING) as is_alone:
        if not is_alone:
            return None
        due = Domain.objects.due_for_check(before=now - AGAIN)
        return (begun,) if _check_in_turn(due, begun, is_routine=True) else None


def _check_in_turn(domains: DomainQuerySet, begun: int, *, is_routine: bool) -> bool:
    """Check those that no turn of the run has looked at; tell whether some are left."""
    from domains.foundation.dns.question_rate import QuestionRate
    from domains.identity import checking, looks  # dnspython is only needed here

    waiting = domains.not_looked_at_since(datetime.fromtimestamp(begun, UTC))
    pks = list(waiting.filter(is_free(ItemKind.DOMAIN)).values_list("pk", flat=True))
    turn = Turn(pks)
    fresh = (domain for pk in turn for domain in Domain.objects.filter(pk=pk))
    checking.check(
        fresh, now=timezone.now(), questions=looks.Questions(QuestionRate()), is_routine=is_routine
    )
    logger.info("event=domains_checked domains=%d left=%d", turn.taken, len(pks) - turn.taken)
    return turn.has_more


def look_at_ourselves() -> None:
    """Look how receivers see the addresses that mail leaves from."""
    from domains.identity import own_lights

    with step("domains.identity.own_lights"):
        own_lights.refresh(now=timezone.now())


def watch_return_paths(begun: int = 0, left: int = 0) -> NextTurn:
    """Look at the names that domains' mail leaves with, or is about to; what has changed there is
    checked whole.

    `left` of them are for this turn and the next ones; `begun` as for `verify_domains`.
    """
    from domains.identity import return_path_watch  # dnspython is only needed here
    from domains.senders import return_paths

    now = timezone.now()
    with alone(_RETURN_PATHS) as is_alone:
        if not is_alone:
            return None
        if not begun:
            with step("domains.return_paths"):
                return_paths.give_up_ownerless()
        left = return_path_watch.take_turn(now=now, most=left if begun else None)
    begun = begun or int(now.timestamp())
    return (begun, left) if left and now.timestamp() < begun + WATCHING else None


def keep_key_zone() -> None:
    """Tell the name server of delegated keys what it does not know yet."""
    from domains.senders import key_zone

    with alone(_KEY_ZONE) as is_alone, step("domains.key_zone"):
        # Of two at once the slower could put a key back that the other has just replaced.
        if is_alone and (taken := key_zone.keep(now=timezone.now())):
            logger.info("event=key-zone-kept records=%d", taken)


def watch_keys(begun: int = 0) -> NextTurn:
    """Make the keys that are due, look for the records of those that are to sign, and retire those
    that no mail needs; `begun` as for `verify_domains`.
    """
    from domains.senders import key_states, rotation

    now = timezone.now()
    with alone(_KEYS) as is_alone:
        if not is_alone:
            return None
        if not begun:
            with step("domains.rotation"):
                rotation.rotate_due(now=now)
            retired = key_states.retire_what_is_over(now=now)
            logger.info("event=keys_watched retired=%d", retired)
        begun = begun or int(now.timestamp())
        return (begun,) if _check_in_turn(_with_a_new_key(), begun, is_routine=False) else None


def _with_a_new_key() -> DomainQuerySet:
    waits = SigningKey.objects.waiting().filter(domain=OuterRef("pk"))
    return Domain.objects.verified().filter(Exists(waits))
