"""Who may do what on which page of the portal: the one matrix of role and verb that pages, sidebar,
docs and tests read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

SEE, ADD, CHANGE, DELETE, EXPORT, LIFT = "see", "add", "change", "delete", "export", "lift"
REVEAL, SHOW_CONTENT = "reveal", "show_content"


class Role(TextChoices):
    """What a person is to the installation, or to some projects of it."""

    OWNER = "owner", _("Owner")
    OPERATOR = "operator", _("Operator")
    SUPPORT = "support", _("Support staff")
    AUDITOR = "auditor", _("Auditor")
    DEVELOPER = "developer", _("Developer")


# The others read `h•••o@docomo.ne.jp` (`relay_portal.access.privacy`).
READS_ADDRESSES = frozenset({Role.OWNER, Role.OPERATOR})
READS_THOSE_OF_OWN_PROJECTS = frozenset({Role.DEVELOPER})  # whose app wrote to them


class Rights(NamedTuple):
    """The verbs of each role on a page; `within`: what is left of them for a person who is limited
    to projects, with the rows of these.
    """

    owner: frozenset[str]
    operator: frozenset[str]
    support: frozenset[str]
    auditor: frozenset[str]
    developer: frozenset[str]
    within: frozenset[str]

    @property
    def verbs(self) -> frozenset[str]:
        """All that anybody may do there."""
        return frozenset().union(*(getattr(self, role) for role in Role.values))


def _rights(
    operator: str,
    support: str = "",
    *,
    owner: str | None = None,
    auditor: str = SEE,
    developer: str | None = None,
    within: str | None = None,
) -> Rights:
    """Return what each role may do with a page.

    A page whose rows belong to projects names what may be done `within` them; without a word that
    is what support staff may do. Developers see what support staff sees.
    """
    given = (
        operator if owner is None else owner,
        operator,
        support,
        auditor,
        (SEE if support else "") if developer is None else developer,
        support if within is None else within,
    )
    return Rights(*(frozenset(verbs.split()) for verbs in given))


# By the label of the model, or by the name of a page that has none. The verbs beside the named ones
# are buttons of the page.
RIGHTS: dict[str, Rights] = {
    "index": _rights("see"),
    "deliveries.message": _rights(
        "see show_content resend note_next export",
        "see reveal",
        developer="see reveal",
        within="see show_content resend note_next export reveal",
    ),
    "deliveries.messageexport": _rights("see download drop", within="see download drop"),
    "deliveries.delivery": _rights("see", "see"),
    "deliveries.refusal": _rights("see", "see reveal", developer="see reveal"),
    "deliveries.inboundmail": _rights(
        "see show_content",
        "see reveal",
        developer="see reveal",
        within="see show_content reveal",
    ),
    "smtp_listener.sandboxmessage": _rights(
        "see show_content", "see", developer="see show_content", within="see show_content"
    ),
    "suppressions.suppression": _rights(
        "see add export lift",
        "see export lift reveal",
        developer="see lift reveal",
        within="see add export lift reveal",
    ),
    "suppressions.policy": _rights("see add change delete", "see", within="see add change delete"),
    "suppressions.import": _rights("see add start drop", "see", within="see add start drop"),
    "suppressions.brake": _rights("see believe forget"),
    "error_rates": _rights("see", "see"),
    "classification": _rights("see", "see"),
    "unknown_answers": _rights("see"),
    "deliveries.localrule": _rights("see add change delete"),
    "deliveries.reclassification": _rights("see add apply"),
    "domains.project": _rights(
        "see add change pause resume flush", "see", within="see change pause resume flush"
    ),
    "domains.domain": _rights(
        "see add change delete check_now take_on_word allow_subdomains forbid_subdomains "
        "delegate_keys keep_keys",
        "see",
        developer="see check_now",
        within="see add change delete check_now allow_subdomains forbid_subdomains delegate_keys "
        "keep_keys",
    ),
    "message_check": _rights("see", "see"),
    "demands": _rights("see", "see"),
    "domains.signingkey": _rights(
        "see add delete rotate start_signing stop_signing",
        "see",
        within="see add delete rotate start_signing stop_signing",
    ),
    "domains.credential": _rights(
        "see add change pause resume flush revoke send_test",
        "see",
        developer="see add revoke send_test",
        within="see add change pause resume flush revoke send_test",
    ),
    "deliveries.lane": _rights("see pause resume flush"),
    "deliveries.tenantrule": _rights("see add change delete"),
    "deliveries.tenantcase": _rights("see"),
    "deliveries.warmupplan": _rights("see add change"),
    "deliveries.warmupday": _rights("see"),
    "deliveries.route": _rights("see add delete"),
    "deliveries.source": _rights("see add change delete rest use out warm warm_up"),
    "deliveries.pool": _rights("see add change delete"),
    "deliveries.egressrule": _rights("see add change delete"),
    "deliveries.node": _rights("see"),
    "deliveries.smarthost": _rights("see add change delete try_login"),
    "deliveries.shapingrule": _rights("see add change delete reset"),
    "deliveries.providerlimit": _rights("see add change delete"),
    "deliveries.receiverdemand": _rights("see change reset"),
    "deliveries.stop": _rights("see add resume"),
    "deliveries.order": _rights("see add stop_order"),
    "own_identity": _rights("see"),
    "queues": _rights("see delete requeue"),
    "domains.setaside": _rights("see try_again drop"),
    "relay_portal.user": _rights("see", owner="see add change invite"),
    "relay_portal.grouprole": _rights("see", owner="see add change delete"),
    "relay_portal.loginnetwork": _rights("see", owner="see add change delete"),
    "domains.auditentry": _rights("see", "see"),
}
BY_NAME_IN_TEMPLATES = {page.replace(".", "_"): page for page in RIGHTS}


def may(user: Any, verb: str, page: str) -> bool:
    """Return whether this person may do this there; whose rows they are is asked elsewhere
    (`domains.operations.pages.Pages`).
    """
    role = getattr(user, "role", "")  # nobody who has not logged in has one
    rights = RIGHTS[page]
    if role not in Role.values or verb not in getattr(rights, role):
        return False
    return not user.is_limited or verb in rights.within


def reads_addresses(user: Any) -> bool:
    """Return whether this person reads the addresses of recipients without a search or a reason."""
    role = getattr(user, "role", "")
    return role in READS_ADDRESSES or (role in READS_THOSE_OF_OWN_PROJECTS and user.is_limited)


class MayInTemplate:
    """`{{ may.deliveries_lane.see }}`: what the person who looks may do, for templates."""

    def __init__(self, user: Any, page: str = "") -> None:
        self._user, self._page = user, page

    def __getitem__(self, name: str) -> MayInTemplate | bool:
        if self._page:
            return may(self._user, name, self._page)
        return MayInTemplate(self._user, BY_NAME_IN_TEMPLATES[name])


def table() -> Iterator[str]:
    """Yield the rows of the table in docs/operations.md."""
    for page, rights in RIGHTS.items():
        yield f"| `{page}` | {' | '.join(_words(verbs) for verbs in rights)} |"


def _words(verbs: frozenset[str]) -> str:
    return ", ".join(sorted(verbs, key=lambda verb: (verb != SEE, verb))).replace("_", " ") or "–"
