"""What the tests of steering share."""

import pytest

from tests.deliveries import make


@pytest.fixture
def credential():
    return make.credential(make.project(name="shop"), name="web")
