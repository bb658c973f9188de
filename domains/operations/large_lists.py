"""Lists of large tables: nothing is counted, an index sorts, large columns stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import BinaryField, Field, JSONField, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.paginator import InfinitePaginator as EndlessPaginator
from unfold.views import ChangeList


# Unfold publishes no types; its templates go by this very name
class InfinitePaginator(EndlessPaginator):  # type: ignore[misc]
    """Counts nothing: COUNT(*) over a million messages takes as long as reading them.

    The pages end somewhere, since OFFSET reads what it skips; who looks for something older
    searches for it.
    """

    PAGES = 200

    @cached_property
    def count(self) -> int:
        return self.PAGES * int(self.per_page)


class InOrder(ChangeList):  # type: ignore[misc]  # as above
    """A list in its one order, for which there is an index; `?o=` sorts by nothing else.

    It leaves large columns in the database.
    """

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(*args, **kwargs)
        own = (
            column.name
            for column in large_columns(self.model)
            if column.name not in self.model_admin.list_reads
        )
        return found.defer(*own, *self._large_of_others())

    def _large_of_others(self) -> Iterator[str]:
        for way in (
            self.list_select_related if isinstance(self.list_select_related, (tuple, list)) else ()
        ):
            model: Any = self.model
            names = way.split("__")
            for number, name in enumerate(names, start=1):
                model = model._meta.get_field(name).related_model
                yield from (
                    "__".join([*names[:number], column.name]) for column in large_columns(model)
                )

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(self.model_admin.ordering)


def large_columns(model: type[Model]) -> list[Field[Any, Any]]:
    """Return the columns that may hold more than a line."""
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, (BinaryField, JSONField)) or field.name == "traceback"
    ]
