"""Finds messages by clues and terms, the newest first, each question by an index that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.message.ids import first_id_of
from deliveries.models import Delivery, Message
from deliveries.search import terms
from deliveries.search.inputs import Clue, ClueKind

FOUND_MOST = 200
WALKED = 20_000  # of the newest are looked at before the index is asked
LAST_ID = UUID(int=(1 << 128) - 1)

# What many messages have is soon met among the newest, by the primary key read backwards.
AMONG_NEWEST = """
SELECT message_id FROM (
    SELECT message_id, terms FROM deliveries_messageterms
    WHERE message_id >= %(since)s AND message_id < %(until)s
    ORDER BY message_id DESC LIMIT %(walked)s) newest
WHERE terms @> %(terms)s::text[] LIMIT %(most)s
"""
# What few have, the GIN index `message_by_term` knows. Of very many it gives a random part
# (`gin_fuzzy_search_limit`): those were met above, or are too many to be of use.
BY_INDEX = """
WITH found AS MATERIALIZED (
    SELECT message_id FROM deliveries_messageterms WHERE terms @> %(terms)s::text[])
SELECT message_id FROM found WHERE message_id >= %(since)s AND message_id < %(until)s
ORDER BY message_id DESC LIMIT %(most)s
"""


class SearchScope:
    """Whose messages are looked through, and of what time; `projects` None: all of them."""

    def __init__(
        self,
        projects: Sequence[int] | None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self.projects = projects
        self.since = first_id_of(since) if since else UUID(int=0)
        self.until = first_id_of(until) if until else LAST_ID


def messages_of(clue: Clue, scope: SearchScope) -> list[UUID]:
    """Return the ids of at most 200 messages that the clue names."""
    return _LOOKUPS[clue.kind](clue.value, scope)


def with_terms(wanted: Iterable[str], scope: SearchScope, *, most: int = FOUND_MOST) -> list[UUID]:
    """Return the ids of the newest messages that have all of these terms."""
    needed = sorted(set(wanted))
    if not needed or scope.projects == []:
        return []
    if scope.projects is None:
        return _with_terms(needed, scope, most)
    found = [
        id_
        for project in scope.projects
        for id_ in _with_terms([*needed, f"project:{project}"], scope, most)
    ]
    return sorted(found, reverse=True)[:most]


def _with_terms(needed: list[str], scope: SearchScope, most: int) -> list[UUID]:
    given: dict[str, Any] = {
        "terms": needed,
        "since": scope.since,
        "until": scope.until,
        "most": most,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(AMONG_NEWEST, given | {"walked": WALKED})
        found = [id_ for (id_,) in cursor.fetchall()]
        if len(found) == most:
            return found
        cursor.execute(f"SET LOCAL gin_fuzzy_search_limit = {WALKED}")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(BY_INDEX, given)
        return [id_ for (id_,) in cursor.fetchall()]


def _by_id(value: str, scope: SearchScope) -> list[UUID]:
    id_ = UUID(value)
    return [*_messages(scope).filter(pk=id_).values_list("pk", flat=True)] or [
        *_deliveries(scope).filter(pk=id_).values_list("message_id", flat=True)
    ]


def _by_beginning(value: str, scope: SearchScope) -> list[UUID]:
    digits = value.replace("-", "")[:32]
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    within = {"pk__gte": low, "pk__lte": high}
    messages = _messages(scope).filter(**within).order_by("-pk").values_list("pk", flat=True)
    deliveries = (
        _deliveries(scope).filter(**within).order_by("-pk").values_list("message_id", flat=True)
    )
    return [*messages[:FOUND_MOST], *deliveries[:FOUND_MOST]]


def _by_message_id(value: str, scope: SearchScope) -> list[UUID]:
    found = _messages(scope).with_message_id(value).order_by("-pk")
    return list(found.values_list("pk", flat=True)[:FOUND_MOST])


def _by_return_path(value: str, scope: SearchScope) -> list[UUID]:
    try:
        delivery = return_path.named(value, key=return_path_key())
    except return_path.ForgedReturnPath:
        return []
    return list(_deliveries(scope).filter(pk=delivery).values_list("message_id", flat=True))


def _by_address(value: str, scope: SearchScope) -> list[UUID]:
    """Find messages to this recipient or from this sender."""
    to = _deliveries(scope).to_address(value).order_by("-pk").values_list("message_id", flat=True)
    return [*to[:FOUND_MOST], *with_terms([f"from:{value}"], scope)]


def _by_domain(value: str, scope: SearchScope) -> list[UUID]:
    return [
        *with_terms([f"to:@{value}"], scope),
        *with_terms([f"from:@{value}"], scope),
    ]


def _by_words(value: str, scope: SearchScope) -> list[UUID]:
    """Find messages by words of the subject; a single word may be how a recipient's address
    begins.
    """
    found = with_terms(terms.words(value), scope)
    beginning = value.lower()
    if len(beginning) >= 3 and beginning.isascii() and " " not in beginning:
        to = _deliveries(scope).beginning(beginning).order_by("recipient_key", "pk")
        found += to.values_list("message_id", flat=True)[:FOUND_MOST]
    return found


def _messages(scope: SearchScope):  # type: ignore[no-untyped-def]  # the plugin loses a queryset's own type on slicing
    rows = Message.objects.filter(pk__gte=scope.since, pk__lt=scope.until)
    return rows if scope.projects is None else rows.filter(project__in=scope.projects)


def _deliveries(scope: SearchScope):  # type: ignore[no-untyped-def]  # as above
    rows = Delivery.objects.filter(message__gte=scope.since, message__lt=scope.until)
    return rows if scope.projects is None else rows.filter(project__in=scope.projects)


_LOOKUPS: dict[ClueKind, Callable[[str, SearchScope], list[UUID]]] = {
    ClueKind.ID: _by_id,
    ClueKind.BEGINNING: _by_beginning,
    ClueKind.MESSAGE_ID: _by_message_id,
    ClueKind.RETURN_PATH: _by_return_path,
    ClueKind.ADDRESS: _by_address,
    ClueKind.DOMAIN: _by_domain,
    ClueKind.WORDS: _by_words,
}
