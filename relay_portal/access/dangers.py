"""What is dangerous: acts before which the gate asks for the second factor again.

One table; the gate (`relay_portal.access.middleware`) looks at every request with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.http import HttpRequest
from django.urls import ResolverMatch

from domains.foundation.rights import BY_NAME_IN_TEMPLATES, EXPORT

# By the label of the rows' model: verbs of `domains.foundation.rights`, and buttons of a page.
DANGEROUS: dict[str, frozenset[str]] = {
    "relay_portal.user": frozenset({"add", "change", "invite"}),
    "relay_portal.grouprole": frozenset({"add", "change", "delete"}),
    "relay_portal.loginnetwork": frozenset({"add", "change", "delete"}),
    "domains.domain": frozenset({"add", "delete", "take_on_word"}),
    "domains.signingkey": frozenset({"delete", "stop_signing"}),
    "domains.credential": frozenset({"add", "revoke"}),
    "deliveries.stop": frozenset({"everything"}),
    "deliveries.order": frozenset({"add"}),
    "deliveries.route": frozenset({"add", "delete"}),
    "deliveries.smarthost": frozenset({"add", "change", "delete"}),
    # where mail leaves from, and for whom it is stopped
    "deliveries.source": frozenset({"add", "change", "delete", "out", "use", "warm"}),
    "deliveries.pool": frozenset({"add", "change", "delete"}),
    "deliveries.egressrule": frozenset({"add", "change", "delete"}),
    "deliveries.tenantrule": frozenset({"add", "change", "delete"}),
    "deliveries.message": frozenset({EXPORT, "resend"}),
    "deliveries.messageexport": frozenset({"download"}),
    "suppressions.suppression": frozenset({EXPORT, "lift"}),
    "suppressions.policy": frozenset({"delete"}),
}
# A person's own way in.
ACCOUNT = frozenset({
    "two_factor:setup", "two_factor:backup_tokens", "two_factor:remove_factor",
})  # fmt: skip


def _is_in_bulk(request: HttpRequest) -> bool:
    return not request.POST.get("ids", "").isdigit()


def _is_given(request: HttpRequest) -> bool:
    return "reason" in request.POST


def _is_on_word(request: HttpRequest) -> bool:
    return "assume" in request.POST


# Of some verbs, which requests are meant, and how the docs say it.
ONLY: dict[tuple[str, str], tuple[Callable[[HttpRequest], bool], str]] = {
    ("suppressions.suppression", "lift"): (_is_in_bulk, " in bulk"),
    ("domains.domain", "add"): (_is_on_word, " on a person's word"),
    ("deliveries.order", "add"): (_is_given, ""),  # what is asked before looks only
}


def is_dangerous(match: ResolverMatch, request: HttpRequest) -> bool:
    """Return whether this request does something that asks for the factor again.

    Looking at a form does not; fetching an export does.
    """
    name = match.view_name
    if name in ACCOUNT:
        return request.method == "POST"
    page, verb = act_of(match)
    if verb not in DANGEROUS.get(page, ()):
        return False
    if request.method != "POST" and verb != EXPORT:
        return False
    is_meant, _ = ONLY.get((page, verb), (None, ""))
    return is_meant is None or is_meant(request)


def act_of(match: ResolverMatch) -> tuple[str, str]:
    """Return the page and the verb that an address stands for."""
    for name, page in BY_NAME_IN_TEMPLATES.items():
        verb = match.view_name.removeprefix(f"admin:{name}_")
        if verb != match.view_name:
            return page, str(match.kwargs.get("verb", "")) if verb == "do" else verb
    return "", ""


def table() -> Iterator[str]:
    """Yield the rows of the table in docs/operations.md."""
    for page, verbs in DANGEROUS.items():
        only = {verb: words for (of, verb), (_, words) in ONLY.items() if of == page}
        words = (f"{verb.replace('_', ' ')}{only.get(verb, '')}" for verb in sorted(verbs))
        yield f"| `{page}` | {', '.join(words)} |"
