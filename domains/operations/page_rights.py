"""Answers what Django's admin asks about rights by `domains.foundation.rights` alone."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from domains.foundation import rights


class PageRights:
    """Of pages about rows, before Unfold's class."""

    opts: Any  # Django's: of the model

    def may(self, request: HttpRequest, verb: str) -> bool:
        return rights.may(request.user, verb, self.opts.label_lower)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may(request, rights.SEE)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may(request, rights.ADD)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may(request, rights.CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may(request, rights.DELETE)
