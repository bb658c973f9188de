"""The content of a message for those who may read it; each look is written down."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from deliveries.message import compression
from deliveries.message.parts import attachment, parts_of
from deliveries.message.readable import read
from deliveries.models import Content, Message
from domains.operations.pages import RowVerb

LARGEST = 268_435_456  # bytes
NUMBER_MOST = 4  # digits


def is_kept(row: Message) -> bool:
    return row.project.shows_content and Content.objects.filter(pk=row.pk).exists()


SHOW_CONTENT = RowVerb("show_content", _("Show content"), "visibility", applies=is_kept)


class ShowsContent:
    """The verb `show_content` of a page about mail: its text, its HTML in a frame that may do
    nothing, and with the number of an attachment that one as a file.
    """

    opts: Any  # of the pages that this is mixed into
    admin_site: Any
    note: Any

    def data_of(self, row: Any) -> bytes | None:
        """Return the bytes as they are stored, compressed; None where they are not kept."""
        kept = Content.objects.filter(pk=row.pk).first()
        return bytes(kept.data) if kept else None

    def show_content(self, request: HttpRequest, row: Any) -> HttpResponse:
        kept = self.data_of(row)
        if kept is None:
            raise Http404
        try:
            data = compression.decompress(kept, most=LARGEST)
        except ValueError:
            data = b""
        number = request.POST.get("attachment", "")
        if number:
            return self._attachment(request, row, data, number)
        self.note(request, "show_content", row)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Content"),
            "original": row,
            "reading": read(data),
            "parts": parts_of(data),
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change",
                args=[row.pk]),
        }  # fmt: skip
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "deliveries/content.html", context, headers=headers)

    def _attachment(self, request: HttpRequest, row: Any, data: bytes, number: str) -> HttpResponse:
        """Answer with one attachment, as bytes of no type under a name of ours: browsers then only
        save it.

        Raises `Http404` where the message has no attachment of this number (0 is the first).
        """
        is_number = number.isascii() and number.isdigit() and len(number) <= NUMBER_MOST
        found = attachment(data, int(number)) if is_number else None
        if found is None:
            raise Http404
        self.note(request, "show_content", row, details={"attachment": int(number)})
        headers = {
            "Content-Disposition": f'attachment; filename="attachment-{int(number) + 1}.bin"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(found, content_type="application/octet-stream", headers=headers)
