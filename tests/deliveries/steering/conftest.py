"""What the tests of steering share."""

import pytest

from deliveries.steering import orders
from tests.deliveries import make


@pytest.fixture
def credential():
    return make.credential(make.project(name="shop"), name="web")


@pytest.fixture
def small_batches(monkeypatch):
    """Take two deliveries at a time, so that a few of them are many."""
    monkeypatch.setattr(orders, "BATCH", 2)
