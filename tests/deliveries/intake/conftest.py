"""What the tests of the intake share."""

import pytest

from tests.deliveries import make


@pytest.fixture
def credential():
    return make.credential()
