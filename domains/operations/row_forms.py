"""The form of a row's page: what a person leaves as it was shown stays as the row has it by now."""

from __future__ import annotations

from typing import Any

from django import forms

from domains.operations.changed_columns import changed_since, columns_of


class RowForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    """A page stands open for hours, in which another page, a command or a job changes the row.

    So each field says in a hidden input what it showed. A value that comes back as it was shown is
    nothing that the person has said.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        self._before = columns_of(self.instance)
        if self.instance._state.adding:
            return
        tells = not self.is_bound or any(name.startswith("initial-") for name in self.data)
        for field in self.fields.values():
            # A password is shown to nobody, so there is nothing to say.
            field.show_hidden_initial = tells and not isinstance(field.widget, forms.PasswordInput)
            if isinstance(field, forms.ModelMultipleChoiceField):
                field.hidden_widget = _OneInput

    def changed_columns(self) -> set[str]:
        """Return the columns of the row that hold something else than what was read for it."""
        return changed_since(self.instance, self._before)

    def _clean_fields(self) -> None:
        changed = set(self.changed_data)
        kept = [
            field
            for name, field in self.fields.items()
            if field.show_hidden_initial and name not in changed and not field.disabled
        ]
        for field in kept:
            field.disabled = True  # Django then takes what the row has
        super()._clean_fields()  # type: ignore[misc]  # the stubs leave it out
        for field in kept:
            field.disabled = False  # on the page that tells of an error it can be filled in


class _OneInput(forms.HiddenInput):
    """Hold all chosen rows in one input: a request has a thousand fields at most."""

    def format_value(self, value: Any) -> str:
        return ",".join(str(each) for each in value or ())

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        given = data.get(name)
        return given.split(",") if given else []
