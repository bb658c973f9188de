"""Two requests at once cannot do together what neither may do alone."""

import threading
from contextlib import contextmanager, suppress

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import signals
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from deliveries.models import Source
from domains.foundation.rights import Role
from relay_portal.access import invitations
from relay_portal.models import User
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import held_up, is_held_up
from tests.relay_portal.portal.conftest import INVITATION, PASSWORD, person, verified

pytestmark = pytest.mark.usefixtures("mail_db")
NEW = "another long password 43"


def make_operator(user):
    user.role = Role.OPERATOR
    with suppress(ValidationError), transaction.atomic():
        user.check_an_owner_remains()
        user.save(update_fields=["role"])


def test_two_owners_cannot_take_each_others_role():
    first, second = person("olga"), person("otto")
    other = threading.Thread(target=in_thread, args=[lambda: make_operator(second)])
    with transaction.atomic():
        make_operator(first)
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert User.objects.local_owners().get() == second


def test_two_factors_cannot_be_removed_at_once():
    user = person()
    browsers = [verified(user), verified(user)]
    TOTPDevice.objects.create(user=user, name="default")

    def remove(browser, device):
        browser.post(f"/account/security/remove/{device.persistent_id}/")

    with transaction.atomic():
        devices = list(TOTPDevice.objects.select_for_update())
        others = [
            threading.Thread(target=in_thread, args=[lambda each=each: remove(*each)])
            for each in zip(browsers, devices, strict=True)
        ]
        for other in others:
            other.start()
        while any(other.is_alive() for other in others) and held_up() < len(others):
            pass
    for other in others:
        other.join()
    assert TOTPDevice.objects.count() == 1


@contextmanager
def as_it_is_saved(model, **changed):
    """Change the row once, as another request does, between the form's look at it and its save."""

    def change(sender, instance, **_):
        signals.pre_save.disconnect(sender=model, dispatch_uid="test")
        model.objects.filter(pk=instance.pk).update(**changed)

    signals.pre_save.connect(change, sender=model, weak=False, dispatch_uid="test")
    try:
        yield
    finally:
        signals.pre_save.disconnect(sender=model, dispatch_uid="test")


def fields_of(browser, path):
    given = browser.get(path).context["adminform"].form.initial
    return {name: value for name, value in given.items() if value not in (None, [], False)}


def test_a_form_brings_no_password_back_that_a_reset_has_ended():
    browser, sue = verified(person()), person("sue")
    path = f"/relay_portal/user/{sue.pk}/change/"
    fields = fields_of(browser, path) | {"email": "sue@us.test"}
    with as_it_is_saved(User, password="!reset", enrolled_at=None):
        assert browser.post(path, fields).status_code == 302
    sue.refresh_from_db()
    assert (sue.email, sue.password, sue.enrolled_at) == ("sue@us.test", "!reset", None)


def test_a_form_brings_no_source_back_that_was_taken_out_meanwhile():
    browser, row = verified(person()), make.source(state="warm")
    path = f"/deliveries/source/{row.pk}/change/"
    fields = fields_of(browser, path) | {"ehlo_name": "one.us.test"}
    with as_it_is_saved(Source, state="out", reason="blocked"):
        assert browser.post(path, fields).status_code == 302
    row.refresh_from_db()
    assert (row.ehlo_name, row.state, row.reason) == ("one.us.test", "out", "blocked")


def test_a_password_that_is_changed_brings_no_right_back():
    user = person()
    browser = verified(user)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    with as_it_is_saved(User, is_active=False):
        assert browser.post("/password_change/", form).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW) and not user.is_active


def test_a_password_that_is_chosen_brings_no_right_back():
    sue, browser = person("sue", enrolled=False), Client()
    browser.get(f"{INVITATION}{invitations.invite(sue, by='olga')[1]}/")
    with as_it_is_saved(User, role=Role.SUPPORT):
        browser.post(INVITATION, {"new_password1": NEW, "new_password2": NEW})
    sue.refresh_from_db()
    assert sue.check_password(NEW) and sue.role == Role.SUPPORT
