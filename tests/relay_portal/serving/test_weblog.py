"""What the portal's log says of requests that are refused."""

import io
import logging

import pytest
from django.test import Client

from deliveries.backends.loglines import GroupedHandler

HERE = {"host": "localhost"}


def wrong_host():
    return Client(headers={"host": "evil.test"}).get("/health/")


def no_form():
    return Client(headers=HERE).post("/account/login/", {"x": "y"})


def no_multipart():
    return Client(headers=HERE).post(
        "/account/login/", b"x", content_type="multipart/form-data; boundary=" + 300 * "x"
    )


def too_many_fields():
    return Client(headers=HERE).post(
        "/account/login/", {f"x{number}": "" for number in range(1100)}
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asks", "said"),
    [
        (wrong_host, "event=wrong-host text=\"Invalid HTTP_HOST header: 'evil.test'."),
        (no_form, 'event=bad-request text="ManagementForm data is missing'),
        (no_multipart, 'event=bad-request text="'),
        (too_many_fields, 'event=bad-request text="The number of GET/POST parameters exceeded'),
    ],
)
def test_a_request_that_is_refused_is_one_line_without_a_traceback(asks, said):
    handler = next(
        each for each in logging.getLogger().handlers if isinstance(each, GroupedHandler)
    )
    written = io.StringIO()
    kept = handler.setStream(written)
    try:
        assert asks().status_code == 400
    finally:
        handler.setStream(kept)
    [line] = written.getvalue().splitlines()
    assert said in line
