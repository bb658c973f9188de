"""The portal's pages about pauses: of all delivery, of projects and credentials, of recipient
domains.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries.models import Lane, Order, Stop
from deliveries.steering import orders, pauses
from deliveries.steering.selection import Selection
from domains.admin.credentials import CredentialPages
from domains.admin.projects import ProjectPages
from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.models import Credential, Project
from domains.operations.audit_words import actor_label
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb, reason_of

PAUSE = _(
    "Its mail is accepted and waits until you resume. What still waits at its deadline expires."
)
FLUSH = RowVerb("flush", _("Try now"), "bolt", asks_reason=True)


class Pausing(Pages):
    """Of rows whose mail can be paused by a `Stop`."""

    pausing = (
        RowVerb(
            "pause",
            _("Pause"),
            "pause_circle",
            PAUSE,
            lambda row: pauses.of(row) is None,
            asks_reason=True,
        ),
        RowVerb(
            "resume",
            _("Resume"),
            "play_circle",
            applies=lambda row: pauses.of(row) is not None,
            asks_reason=True,
        ),
        FLUSH,
    )

    def notice(self, row: Any) -> str:
        found = pauses.of(row)
        return since(found.created_at, found.created_by, found.reason) if found else ""

    def pause(self, request: HttpRequest, row: Project | Credential) -> str:
        owner = {"project": row} if isinstance(row, Project) else {"credential": row}
        scope = Stop.Scope.PROJECT if isinstance(row, Project) else Stop.Scope.CREDENTIAL
        with suppress(pauses.AlreadyStopped):  # by somebody else, at this moment: the page says who
            pauses.stop(scope, reason=reason_of(request), by=request.user.get_username(), **owner)
        return gettext("Paused: its mail is accepted, and waits.")

    def resume(self, request: HttpRequest, row: Project | Credential) -> str:
        if (found := pauses.of(row)) is not None:
            pauses.resume(found)
        return gettext("Resumed: its mail goes on.")

    def flush(self, request: HttpRequest, row: Project | Credential) -> str:
        return flush(
            request,
            Selection(project=row.pk) if isinstance(row, Project) else Selection(credential=row.pk),
        )


def flush(request: HttpRequest, selection: Selection) -> str:
    stopped = orders.stopped(selection)
    order = orders.give(
        Order.Verb.RETRY, selection, reason=reason_of(request), by=request.user.get_username()
    )
    tried = max(0, order.expected - stopped)
    said = ngettext("%d delivery is tried now.", "%d deliveries are tried now.", tried) % tried
    if stopped:
        said += " " + ngettext(
            "%d waits all the same: it is paused or held.",
            "%d wait all the same: they are paused or held.",
            stopped,
        ) % stopped  # fmt: skip
    return said


def since(at: Any, by: str, reason: str) -> str:
    given = {
        "since": timezone.localtime(at).strftime("%Y-%m-%d %H:%M %Z"),
        "by": actor_label(by),
        "reason": reason,
    }
    return (
        gettext("Paused since %(since)s by %(by)s: %(reason)s") % given
        if by
        else gettext("Closed since %(since)s: %(reason)s") % given
    )


admin.site.unregister([Project, Credential])


@admin.register(Project)
class PausableProjectPages(Pausing, ProjectPages):
    verbs = (*ProjectPages.verbs, *Pausing.pausing)


@admin.register(Credential)
class PausableCredentialPages(Pausing, CredentialPages):
    verbs = (*Pausing.pausing, *CredentialPages.verbs)


class StopForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    """All delivery has a button of its own, on the overview."""

    class Meta:
        widgets = {"reason": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        if "scope" in self.fields:  # on the page that only shows one there is no field
            self.fields["scope"].choices = [  # type: ignore[attr-defined]
                each for each in Stop.Scope.choices if each[0] != Stop.Scope.ALL
            ]

    def clean_domain(self) -> str:
        try:
            return (
                canonical_domain(self.cleaned_data["domain"]) if self.cleaned_data["domain"] else ""
            )
        except BadAddress as error:
            raise ValidationError(_("This is no domain name.")) from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        scope = given.get("scope")
        for name in ("project", "credential", "domain"):
            if name == scope and not given.get(name) and name not in self.errors:
                self.add_error(name, _("Say which one."))
            elif name != scope:
                given[name] = "" if name == "domain" else None
        same = {name: given.get(name) for name in ("scope", "project", "credential", "domain")}
        if not self.errors and Stop.objects.filter(**same).exists():
            raise ValidationError(_("It is paused already."))
        return given


@admin.register(Stop)
class StopPages(Pages):
    """Everything that people have paused; lanes are closed on their own pages."""

    form = StopForm
    fields = ("scope", "project", "credential", "domain", "reason")
    conditional_fields = {  # what is to be paused asks for one of these
        name: f"scope == '{name}'" for name in ("project", "credential", "domain")
    }
    list_display = ("name", "kind", "created_at", "author", "reason")
    list_select_related = ("project", "credential__project")
    list_before_template = "deliveries/closed_lanes.html"
    verbs = (RowVerb("resume", _("Resume"), "play_circle", asks_reason=True),)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        closed = [each for each in pauses.everything() if isinstance(each.row, Lane)]
        # Unfold publishes no types
        return super().changelist_view(request, {"closed_lanes": closed, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "scope", "reason", "author", "created_at") if obj else self.fields

    def notice(self, row: Stop) -> str:
        return gettext(
            "Its mail is accepted and waits until you resume. What still waits at its deadline "
            "expires."
        )

    def get_urls(self) -> list[URLPattern]:
        stop = self.admin_site.admin_view(require_POST(self.stop_everything))
        return [path("everything/", stop, name=self._name("everything")), *super().get_urls()]

    @transaction.atomic
    def stop_everything(self, request: HttpRequest) -> HttpResponse:
        """Stop all delivery: the emergency stop."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if not reason_of(request):
            messages.error(request, gettext("Say why: it goes into the audit log."))
            return redirect("admin:index")
        try:
            made = pauses.stop(
                Stop.Scope.ALL, reason=reason_of(request), by=request.user.get_username()
            )
        except pauses.AlreadyStopped:
            messages.warning(request, gettext("All delivery is stopped already."))
            return redirect("admin:index")
        self.note(request, "pause", made)
        messages.success(
            request, gettext("All delivery stops now. Mail is still accepted, and waits.")
        )
        return redirect("admin:index")

    def save_model(self, request: HttpRequest, obj: Stop, form: Any, change: bool) -> None:
        given = {
            name: form.cleaned_data[name]
            for name in ("scope", "project", "credential", "domain", "reason")
        }
        made = pauses.stop(**given, by=request.user.get_username())
        obj.pk = made.pk
        obj.refresh_from_db()

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        self.note(request, "pause", pauses.target(obj))

    def resume(self, request: HttpRequest, row: Stop) -> HttpResponse:
        self.note(request, "resume", pauses.target(row))
        pauses.resume(row)
        messages.success(request, gettext("Resumed: its mail goes on."))
        return redirect(f"admin:{self._name('changelist')}")

    @display(description=_("what"))
    def name(self, row: Stop) -> str:
        return str(row)

    @display(description=_("kind"), label=Labels({Stop.Scope.ALL: "danger"}))
    def kind(self, row: Stop) -> tuple[str, str]:
        return row.scope, row.get_scope_display()
