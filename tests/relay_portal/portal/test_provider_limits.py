"""The pages about limits over providers."""

import pytest

from tests.deliveries import make

pytestmark = pytest.mark.django_db


def test_the_portal_takes_a_limit_and_says_what_it_holds(operator):
    make.rule("docomo")
    given = {"name": "carriers", "receivers": "docomo", "connections": 4, "period": "minute"}
    assert operator.post("/deliveries/providerlimit/add/", given).status_code == 302
    page = operator.get("/deliveries/providerlimit/").content.decode()
    assert "4 connections at once" in page
    answer = operator.post("/deliveries/providerlimit/add/", given | {"name": "b"})
    assert "already belongs to the limit carriers" in answer.content.decode()
