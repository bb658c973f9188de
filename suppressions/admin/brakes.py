"""The portal's pages about the brakes on learning: what is held, and the choice to believe or to
forget it.
"""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.operations.pages import Pages, RowVerb, client_address, reason_of
from suppressions import brakes
from suppressions.models import Brake, Occurrence

EXAMPLES = 20  # of what is held, the newest


def _stands(row: Brake) -> bool:
    return row.ended_at is None


@admin.register(Brake)
class BrakePages(Pages):
    """For operators: a brake concerns the addresses of all projects."""

    fields = (
        "title",
        "began_at",
        "domains",
        "usual",
        "held",
        "examples",
        "ended_at",
        "is_believed",
        "ended_by",
    )
    readonly_fields = fields
    list_display = ("title", "began_at", "domains", "usual", "ended_at", "is_believed", "ended_by")
    verbs = (
        RowVerb(
            "believe", _("Believe it"), "check_circle",
            _("What is held counts then, and these addresses may be suppressed. Learning goes on."),
            _stands, asks_reason=True,
        ),
        RowVerb(
            "forget", _("Forget it"), "cancel", _("What is held never counts. Learning goes on."),
            _stands, asks_reason=True,
        ),
    )  # fmt: skip

    def believe(self, request: HttpRequest, row: Brake) -> HttpResponse:
        return self._release(request, row, is_believed=True)

    def forget(self, request: HttpRequest, row: Brake) -> HttpResponse:
        return self._release(request, row, is_believed=False)

    def _release(self, request: HttpRequest, row: Brake, *, is_believed: bool) -> HttpResponse:
        amount = brakes.release(
            row, is_believed=is_believed, by=request.user.get_username(), reason=reason_of(request),
            now=timezone.now(),
            client_address=client_address(request),
        )  # fmt: skip
        if is_believed:
            text = ngettext(
                "%d occurrence counts now; learning goes on.",
                "%d occurrences count now; learning goes on.",
                amount,
            )
        else:
            text = ngettext(
                "%d occurrence is forgotten; learning goes on.",
                "%d occurrences are forgotten; learning goes on.",
                amount,
            )
        messages.success(request, text % amount)
        return self.to_page_of(row)

    def notice(self, row: Brake) -> str:
        if not _stands(row):
            return ""
        return gettext(
            "Look at your resolver and at the answers below before you decide: one fault may "
            "have made all of them."
        )

    @display(description=_("class"))
    def title(self, row: Brake) -> str:
        """Name the class in words; its bare name where the row is older than the list of
        classes.
        """
        return row.title

    @display(description=_("held"))
    def held(self, row: Brake) -> int:
        return _held(row).count() if _stands(row) else 0

    @display(description=_("the latest of them"))
    def examples(self, row: Brake) -> SafeString:
        found = _held(row).order_by("-id")[:EXAMPLES] if _stands(row) else ()
        lines = ((each.address_key, each.host, each.code or "", each.text[:200]) for each in found)
        return format_html_join("", '<p class="portal-text">{} – {} {} {}</p>', lines)


def _held(row: Brake) -> QuerySet[Occurrence]:
    return Occurrence.objects.filter(is_held=True, category=row.category)
