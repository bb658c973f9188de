"""The choice of several rows in a form: a list of boxes to tick, which narrows while one types."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

from django.forms import CheckboxSelectMultiple
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# Not in the template: two thousand domains would take it a third of a second.
ROW = '<label{}><input type="checkbox" name="{}" value="{}" id="{}"{}> <span>{}</span></label>'
FEW = 10  # read at a glance; more than these get a field that narrows them


class TickList(CheckboxSelectMultiple):
    """A box for each row; what is chosen already stands first.

    Where the choices are in groups, `group_field` names the field of the form that says which group
    is meant: the others are hidden, and all are shown without JavaScript.
    """

    input_type = ""  # Unfold puts the label of an input of type "checkbox" behind it

    group_field = ""

    def __init__(self, label: Any) -> None:
        super().__init__()
        self.label = label

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        context = self.get_context(name, value, attrs)
        offered = [
            (group or "", option)
            for group, options, _index in context["widget"]["optgroups"]
            for option in options
        ]
        offered.sort(key=lambda each: (each[0], not each[1]["selected"]))
        groups = [
            (
                group,
                format_html_join("\n", ROW, (_cells(group, option) for _group, option in those)),
            )
            for group, those in groupby(offered, itemgetter(0))
        ]
        given = {**context, "groups": groups, "is_long": len(offered) > FEW, "list": self}
        return render_to_string("portal/tick_list.html", given)


def _cells(group: str, option: dict[str, Any]) -> tuple[Any, ...]:
    of_group = format_html(' data-group="{}"', group) if group else ""
    checked = SafeString(" checked") if option["selected"] else ""
    return (
        of_group, option["name"], option["value"], option["attrs"]["id"], checked, option["label"]
    )  # fmt: skip
