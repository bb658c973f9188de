"""The jobs about domains: wake-ups that look at the database and do what is to be done there."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from domains.models import Domain, SigningKey
from domains.operations.isolation import Kind, is_free, isolated, step

logger = logging.getLogger(__name__)

GROUP = 250  # domains whose records are looked up at once: the slowest ends the group
AGAIN = timedelta(
    days=1
)  # a verified domain's records are looked at this often, an unverified one's with each run


def make_keys(domain_id: int) -> None:
    """Give the domain its first signing key; nothing where it has one, or is gone."""
    from domains.senders.key_states import sign_on_word
    from domains.senders.keys import make_key  # cryptography is only needed here

    with isolated(Kind.KEY, domain_id, most=1):
        domain = (
            Domain.objects.select_for_update().filter(pk=domain_id).first()
        )  # two jobs at once must not make two keys
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


def verify_domains() -> None:
    """Look at the records of all domains that are unverified or were last looked at long ago,
    these first.
    """
    from domains.foundation.dns.question_rate import QuestionRate
    from domains.identity import checking, looks

    questions = looks.Questions(QuestionRate())
    now = timezone.now()
    due = list(
        Domain.objects.due_for_check(before=now - AGAIN)
        .filter(is_free(Kind.DOMAIN))
        .values_list("pk", flat=True)
    )
    for start in range(0, len(due), GROUP):
        group = list(Domain.objects.filter(pk__in=due[start : start + GROUP]))
        checking.check(group, now=now, questions=questions, is_routine=True)
    logger.info("event=domains_checked domains=%d", len(due))


def look_at_ourselves() -> None:
    """Look how receivers see the addresses that mail leaves from."""
    from domains.identity import own_lights

    with step("domains.identity.own_lights"):
        own_lights.refresh(now=timezone.now())


def watch_return_paths() -> None:
    """Look at the names that domains' mail leaves with, or is about to; what has changed there is
    checked whole.
    """
    from domains.identity import return_path_watch  # dnspython is only needed here
    from domains.senders import return_paths

    with step("domains.return_paths"):
        return_paths.give_up_ownerless()
    moved = return_path_watch.take_turn(now=timezone.now())
    logger.info("event=return_paths_watched changed=%d", moved)


def keep_key_zone() -> None:
    """Tell the name server of delegated keys what it does not know yet."""
    from domains.senders import key_zone

    with step("domains.key_zone"):
        if taken := key_zone.keep(now=timezone.now()):
            logger.info("event=key-zone-kept records=%d", taken)


def watch_keys() -> None:
    """Make the keys that are due, look for the records of those that are to sign, and retire those
    that no mail needs.
    """
    from domains.foundation.dns.question_rate import QuestionRate
    from domains.identity import checking, looks
    from domains.senders import key_states, rotation

    with step("domains.rotation"):
        rotation.rotate_due(now=timezone.now())
    questions = looks.Questions(QuestionRate())
    waiting = list(
        Domain.objects.verified()
        .filter(is_free(Kind.DOMAIN), keys__in=SigningKey.objects.waiting())
        .distinct()
        .values_list("pk", flat=True)
    )
    for start in range(0, len(waiting), GROUP):
        group = list(Domain.objects.filter(pk__in=waiting[start : start + GROUP]))
        checking.check(group, now=timezone.now(), questions=questions)
    retired = key_states.retire_what_is_over(now=timezone.now())
    logger.info("event=keys_watched domains=%d retired=%d", len(waiting), retired)
