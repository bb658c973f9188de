"""The choice of several rows in a form: a list of boxes to tick, which narrows while one types."""

from __future__ import annotations

from typing import Any

from django.forms import CheckboxSelectMultiple
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

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
        given = {**context, "offered": offered, "is_long": len(offered) > FEW, "list": self}
        return render_to_string("portal/tick_list.html", given)
