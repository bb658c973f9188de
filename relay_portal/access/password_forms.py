"""The forms by which a person chooses a password; they write it and nothing else of the row."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.forms import SetPasswordForm
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget


class PasswordAlone:
    """Of a form that sets a password. The hash takes half a second, in which an owner may take the
    person's rights away.
    """

    cleaned_data: dict[str, Any]  # Django's

    def set_password_and_save(
        self,
        user: AbstractBaseUser,
        password_field_name: str = "password1",  # noqa: S107  # the name of a field
        commit: bool = True,
    ) -> AbstractBaseUser:
        user.set_password(self.cleaned_data[password_field_name])
        if commit:
            user.save(update_fields=["password"])
        return user


class ChosenPassword(PasswordAlone, SetPasswordForm):  # type: ignore[type-arg]  # generic for the stubs only
    """The first password of a person, or a new one after an invitation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


class OwnPassword(PasswordAlone, AdminOwnPasswordChangeForm):  # type: ignore[misc]  # Unfold publishes no types
    """Another password in place of the one that is given."""
