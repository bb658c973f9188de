"""The portal's pages about where mail leaves from: sources, pools, egress rules and nodes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from deliveries.insight.sources import is_here, receiver_names
from deliveries.models import EgressRule, Node, Pool, Source, SourceState
from deliveries.steering import sources, warming
from domains.operations.labels import Labels
from domains.operations.large_lists import InOrder
from domains.operations.pages import Pages, RowVerb, reason_of
from domains.operations.row_forms import RowForm


class SourceList(InOrder):
    """Looks up the nodes at once for all sources of a page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        here = _nodes_here()
        for row in self.result_list:
            row.nodes_here = here


def _nodes_here() -> list[Node]:
    now = timezone.now()
    return [node for node in Node.objects.all() if is_here(node, now)]


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    pool = forms.SlugField(
        label=capfirst(_("pool")),
        initial=Pool.DEFAULT,
        help_text=_("Made where it is not there."),
        widget=UnfoldAdminTextInputWidget,
    )
    weight = forms.IntegerField(
        label=capfirst(_("weight")), min_value=1, initial=100, widget=UnfoldAdminIntegerFieldWidget
    )


@admin.register(Source)
class SourcePages(Pages):
    list_display = ("name", "address", "condition", "pools", "nodes")
    ordering = ("name",)
    # Its lanes bear its name; another address is another source.
    set_once = ("name", "ipv4", "ipv6")
    readonly_fields = (
        "state",
        "warms_each",
        "reason",
        "pools",
        "nodes",
        "resting_for",
        "created_at",
    )
    verbs = (
        RowVerb(
            "rest", _("Put to rest"), "pause_circle",
            _("It sends nothing until you put it into use; its mail goes by the others of its "
              "pool, or waits where there is none."),
            lambda source: source.state in (SourceState.WARM, SourceState.WARMING),
            asks_reason=True,
        ),
        RowVerb(
            "use", _("Put into use"), "play_circle",
            applies=lambda source: (
                source.state not in (SourceState.WARM, SourceState.WARMING)
                or source.rests.exists()
            ),
        ),
        RowVerb(
            "warm_up", _("Warm it up"), "thermostat",
            _("Each receiver gets few messages a day from it, and more with each good day; what "
              "is above goes by the others of its pool, or waits where there is none."),
            lambda source: source.state != SourceState.WARMING,
        ),
        RowVerb(
            "warm", _("Call it warm"), "local_fire_department",
            _("No receiver has a number of messages a day from it any more, not even one that it "
              "has never written to."),
            lambda source: source.is_warming_up,
        ),
        RowVerb(
            "out", _("Take out of use"), "block", _("Its mail goes by the others of its pool."),
            lambda source: source.state != SourceState.OUT, asks_reason=True,
        ),
    )  # fmt: skip

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SourceList]:
        return SourceList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return super().get_queryset(request).prefetch_related("memberships__pool", "rests")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = ("name", "ipv4", "ipv6", "ehlo_name")
        return (*own, *self.readonly_fields) if obj else (*own, "pool", "weight")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_form(request, obj, **({} if obj else {"form": SourceForm}), **kwargs)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            sources.tell()
        else:
            sources.add(obj, form.cleaned_data["pool"], form.cleaned_data["weight"])

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # Django's signature
        """Let the days of its warm-up go with it, which nobody may delete alone."""
        found, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return found, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        sources.remove(obj)

    def warm_up(self, request: HttpRequest, row: Source) -> str:
        warming.begin(row, by=None)
        return gettext("It warms up. The page Days of warm-ups shows how far it is.")

    def warm(self, request: HttpRequest, row: Source) -> str:
        warming.end(row, by=None)
        return gettext("It is warm for all receivers.")

    def rest(self, request: HttpRequest, row: Source) -> str:
        sources.set_state(row, SourceState.RESTING, reason_of(request))
        return gettext("It sends nothing until somebody puts it into use.")

    def use(self, request: HttpRequest, row: Source) -> str:
        row.rests.all().delete()
        warming.use(row)
        return gettext("It is in use.")

    def out(self, request: HttpRequest, row: Source) -> str:
        sources.set_state(row, SourceState.OUT, reason_of(request))
        return gettext("It is out of use; its mail goes by the others of its pool.")

    @display(description=_("address"))
    def address(self, row: Source) -> str:
        return " ".join(row.addresses)

    @display(
        description=_("state"),
        label=Labels({
            "cold": "", "warming": "info", "warm": "success", "resting": "warning",
            "out": "danger",
        }),
    )  # fmt: skip
    def condition(self, row: Source) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("pools"))
    def pools(self, row: Source) -> str:
        found = [f"{each.pool.name} × {each.weight}" for each in row.memberships.all()]
        return ", ".join(found) or "–"

    @display(description=_("nodes"))
    def nodes(self, row: Source) -> str:
        here = getattr(row, "nodes_here", None)  # in a list
        nodes = _nodes_here() if here is None else here
        names = [node.name for node in nodes if row.name in node.sources]
        return ", ".join(names) or gettext("none can bind it now")

    @display(description=_("rests for"))
    def resting_for(self, row: Source) -> str:
        rests = row.rests.all()
        names = receiver_names(rest.receiver for rest in rests)
        return "; ".join(f"{names[rest.receiver]}: {rest.reason}" for rest in rests) or "–"


class PoolForm(RowForm):
    shares = forms.CharField(
        label=capfirst(_("sources")),
        help_text=_("With weights, separated by blanks: east=100 west=300"),
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            found = self.instance.members.select_related("source")
            self.fields["shares"].initial = " ".join(
                f"{each.source.name}={each.weight}" for each in found
            )

    def clean_shares(self) -> dict[str, int]:
        return sources.weights_of(self.cleaned_data["shares"].split())


@admin.register(Pool)
class PoolPages(Pages):
    form = PoolForm
    set_once = ("name",)
    list_display = ("name", "shares", "urgent_warms", "overflow")
    list_select_related = ("overflow",)
    ordering = ("name",)
    fields = ("name", "shares", "urgent_warms", "overflow")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pool]:
        return super().get_queryset(request).prefetch_related("members__source")

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        names = set(form.changed_data) if change else {"shares", "urgent_warms", "overflow"}
        given = {name: form.cleaned_data[name] for name in names - {"name", "shares"}}
        shares = form.cleaned_data["shares"] if "shares" in names else None
        obj.pk = sources.set_pool(obj.name, shares, **given).pk

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        sources.remove_pool(obj)

    @display(description=_("sources"))
    def shares(self, row: Pool) -> str:
        found = [f"{each.source.name} × {each.weight}" for each in row.members.all()]
        return ", ".join(found) or "–"


@admin.register(EgressRule)
class EgressRulePages(Pages):
    list_display = ("position", "mail", "pool", "smarthost")
    ordering = ("position", "pk")
    list_select_related = ("project", "credential", "pool", "smarthost")

    def save_model(self, request: HttpRequest, obj: EgressRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sources.tell()

    def delete_model(self, request: HttpRequest, obj: EgressRule) -> None:
        sources.remove_rule(obj)

    @display(description=_("mail"))
    def mail(self, row: EgressRule) -> str:
        return row.mail


@admin.register(Node)
class NodePages(Pages):
    list_display = ("name", "bound", "condition", "seen_at")
    ordering = ("name",)
    fields = ("name", "bound", "condition_text", "first_seen_at", "seen_at")
    readonly_fields = fields
    has_history = False

    @display(description=_("sources"))
    def bound(self, row: Node) -> str:
        return ", ".join(row.sources) or "–"

    @display(description=_("state"), label=Labels({"here": "success", "gone": "danger"}))
    def condition(self, row: Node) -> tuple[str, str]:
        if is_here(row, timezone.now()):
            return "here", gettext("at work")
        return "gone", gettext("not seen for a while")

    @display(description=_("state"))
    def condition_text(self, row: Node) -> str:  # only a list shows a label
        return str(self.condition(row)[1])
