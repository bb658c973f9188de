"""What the tests of the queue share."""

import pytest

from tests.deliveries import make


@pytest.fixture
def lane():
    lane = make.lane()
    make.leads_to(lane, "mx.test")
    return lane
