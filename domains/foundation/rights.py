"""Who may do what on which page of the portal: the one table that pages, sidebar, docs and tests
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SEE, ADD, CHANGE, DELETE, EXPORT, LIFT = "see", "add", "change", "delete", "export", "lift"
ONLY_LOOKS = frozenset({SEE, EXPORT})


class Rights(NamedTuple):
    """What operators may do on a page, and support staff with the rows of their projects."""

    operator: frozenset[str]
    support: frozenset[str]


def _rights(operator: str, support: str = "") -> Rights:
    return Rights(frozenset(operator.split()), frozenset(support.split()))


# By the label of the model, or by the name of a page that has none. The verbs beside the named ones
# are buttons of the page.
RIGHTS: dict[str, Rights] = {
    "index": _rights("see"),
    "deliveries.message": _rights("see show_content", "see"),
    "deliveries.delivery": _rights("see", "see"),
    "deliveries.refusal": _rights("see", "see"),
    "deliveries.inboundmail": _rights("see"),
    "smtp_listener.sandboxmessage": _rights("see", "see"),
    "suppressions.suppression": _rights("see add export lift", "see export lift"),
    "suppressions.policy": _rights("see add change delete", "see"),
    "suppressions.import": _rights("see add start drop", "see"),
    "suppressions.brake": _rights("see believe forget"),
    "error_rates": _rights("see", "see"),
    "classification": _rights("see", "see"),
    "unknown_answers": _rights("see"),
    "deliveries.localrule": _rights("see add change delete"),
    "deliveries.reclassification": _rights("see add apply"),
    "domains.project": _rights("see add change pause resume flush", "see"),
    "domains.domain": _rights("see add delete check_now take_on_word", "see"),
    "domains.signingkey": _rights("see add delete rotate start_signing stop_signing", "see"),
    "domains.credential": _rights("see add change pause resume flush revoke", "see"),
    "deliveries.lane": _rights("see pause resume flush"),
    "deliveries.route": _rights("see add delete"),
    "deliveries.shapingrule": _rights("see add change delete reset"),
    "deliveries.stop": _rights("see add resume"),
    "deliveries.order": _rights("see add stop_order"),
    "queues": _rights("see delete requeue"),
    "domains.setaside": _rights("see try_again drop"),
    "relay_portal.user": _rights("see add change start_anew"),
    "domains.auditentry": _rights("see", "see"),
}


def may(user: Any, verb: str, page: str) -> bool:
    """Return whether this person may do this there; whose rows they are is asked elsewhere
    (`domains.operations.pages.Pages`).
    """
    rights = RIGHTS[page]
    return verb in (rights.operator if user.is_superuser else rights.support)


def is_for_support(page: str) -> bool:
    return SEE in RIGHTS[page].support


def table() -> Iterator[str]:
    """The rows of the table in docs/operations.md."""
    for page, rights in RIGHTS.items():
        yield f"| `{page}` | {_words(rights.operator)} | {_words(rights.support)} |"


def _words(verbs: frozenset[str]) -> str:
    return ", ".join(sorted(verbs, key=lambda verb: (verb != SEE, verb))).replace("_", " ") or "–"
