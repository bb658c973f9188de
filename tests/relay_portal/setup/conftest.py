"""What the tests of the setup share."""

import pytest
from django.conf import settings as in_force

from domains.operations import own_keys


@pytest.fixture
def machine(settings, tmp_path):
    """Return a function that goes to a machine of the installation, such as `machine("b")`.

    A machine has no keys but those that were put there.
    """
    settings.SECRET_KEY = (
        "put back at the end"  # the fixture's last act; an empty one in between would fail it
    )
    settings.HAS_SECRET_KEY_FROM_ENVIRONMENT = False

    def to(name):
        settings.EKIDEN_DATA = tmp_path / name
        settings.EKIDEN_DATA.mkdir(exist_ok=True)
        file = own_keys.secret_path()
        in_force.SECRET_KEY = file.read_text() if file.exists() else ""
        return settings.EKIDEN_DATA

    to("a")
    return to
