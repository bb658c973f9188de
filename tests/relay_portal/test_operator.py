import pytest
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from relay_portal.models import User
from tests.commands import ekiden

pytestmark = pytest.mark.django_db


def test_after_a_reset_the_password_alone_enrols_a_second_factor_again():
    user = User.objects.create_user("mika", password="an old one", is_staff=True, enrolled_at=timezone.now())
    TOTPDevice.objects.create(user=user)
    ekiden("operator", "reset", "mika")
    user.refresh_from_db()
    assert user.may_enrol and not TOTPDevice.objects.exists()


def test_a_reset_gives_a_new_password_and_shows_it():
    user = User.objects.create_user("mika", password="an old one", is_staff=True)
    said = ekiden("operator", "reset", "mika")
    user.refresh_from_db()
    assert not user.check_password("an old one")
    assert user.check_password(said.partition("password ")[2].split()[0])
