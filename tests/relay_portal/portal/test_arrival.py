"""A proxy that hides whom it speaks for, and passwords in clear, are noticed by the log-ins that
came so.
"""

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client

from relay_portal.doctor import log_ins
from relay_portal.doctor.finding import Level
from tests.relay_portal.portal.conftest import code, person
from tests.relay_portal.portal.test_login import give_password, give_token

pytestmark = pytest.mark.django_db

NAMED = {"HTTP_X_FORWARDED_FOR": "192.0.2.1"}
TLS = {"secure": True}


def guess(host="portal.example.com", **how):
    give_password(Client(headers={"host": host}), "otto", "wrong", **how)


@pytest.fixture(autouse=True)
def hosts(settings):
    settings.ALLOWED_HOSTS = ["*"]


def told():
    return [
        word
        for finding in log_ins.proxy()
        for word in ("hides the address", "plain HTTP", "is known")
        if word in finding.text
    ]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (NAMED | TLS, ["is known"]),
        (TLS, ["hides the address"]),
        (NAMED, ["plain HTTP"]),
        ({}, ["hides the address", "plain HTTP"]),
        ({"HTTP_X_FORWARDED_FOR": "unknown"} | TLS, ["hides the address"]),
        ({"REMOTE_ADDR": "192.0.2.7"}, ["plain HTTP"]),
        ({"REMOTE_ADDR": "10.0.0.7"} | NAMED, ["hides the address", "plain HTTP"]),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_VIA": "1.1 edge"}, ["hides the address", "plain HTTP"]),
    ],
    ids=[
        "as documented",
        "no address",
        "no TLS",
        "neither",
        "no true address",
        "an open portal",
        "a proxy elsewhere",
        "another's mark",
    ],
)
def test_a_try_tells_how_it_came(how, expected):
    guess(**how)
    assert told() == expected


def test_of_another_host_that_says_nothing_is_told_what_is_known():
    for name in ("otto", "anna"):
        AccessLog.objects.create(
            username=name, ip_address="10.0.0.7", path_info="through untold plain"
        )
    [finding] = log_ins.proxy()
    assert (
        "came from 10.0.0.7 by plain HTTP" in finding.text
        and "a proxy that hides people" in finding.text
    )
    assert (
        "2 people have logged in from it." in finding.text
        and "one on another host is never believed" in finding.advice
    )


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"])
def test_a_look_on_the_machine_itself_says_nothing(host):
    guess(host)
    assert told() == []
    guess(host, **NAMED)
    assert told() == ["plain HTTP"]


def test_a_full_log_in_tells_it_too():
    client = Client(headers={"host": "portal.example.com"})
    user = person()
    give_password(client, **TLS)
    assert give_token(client, code(user.totpdevice_set.get())).status_code == 302
    assert (AccessLog.objects.count(), AccessAttempt.objects.count()) == (1, 0)
    assert told() == ["hides the address", "plain HTTP"]


def test_the_last_try_counts_and_the_first_look_is_silent():
    assert told() == []
    guess(**TLS)
    [finding] = log_ins.proxy()
    assert (
        finding.level is Level.WARNING
        and "127.0.0.1" in finding.text
        and "X-Forwarded-For" in finding.advice
    )
    guess(**NAMED, **TLS)
    guess("localhost")
    assert told() == ["is known"]
    guess(**TLS)
    assert told() == ["hides the address"]
