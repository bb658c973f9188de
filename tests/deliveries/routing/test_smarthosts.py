"""Smarthosts as people write them down: what cannot work is refused, and no secret is shown."""

import io
import json
import sys

import pytest
from django.core.management import CommandError

from deliveries.models import Delivery, Destination, Lane, Route, Smarthost, SmarthostToken
from deliveries.routing import smarthosts
from domains.models import AuditEntry
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")
HOST = ("--host", "smart.test:587/verified")
BY_PASSWORD = (*HOST, "--mechanism", "PLAIN", "--username", "relay")


@pytest.fixture(autouse=True)
def data(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path


@pytest.fixture
def typed(monkeypatch):
    """Return what stands on stdin, a secret on each line."""
    return lambda *lines: monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))


def secrets_of(name):
    return smarthosts.kept_secrets(Smarthost.objects.get(name=name))


def test_a_password_comes_by_stdin_and_is_shown_nowhere(typed):
    typed("hunter2")
    shown = ekiden_json("smarthost", "add", "office", *BY_PASSWORD)
    row = Smarthost.objects.get()
    assert shown["has_secret"] and secrets_of("office") == {"password": "hunter2"}
    told = json.dumps(shown) + ekiden("smarthost", "list") + str(AuditEntry.objects.get().details)
    assert "hunter2" not in told and b"hunter2" not in bytes(row.sealed)
    assert AuditEntry.objects.get().action == "add"


def test_a_preset_fills_in_what_its_page_says(typed):
    typed("client secret")
    given = ("--tenant", "shop.test", "--client-id", "abc", "--username", "relay@shop.test")
    shown = ekiden_json("smarthost", "add", "office", "--preset", "microsoft365", *given)
    assert shown["token_url"] == "https://login.microsoftonline.com/shop.test/oauth2/v2.0/token"
    assert (shown["mechanism"], shown["per_minute"], shown["per_day"]) == ("XOAUTH2", 30, 10_000)
    assert shown["hosts"][0]["host"] == "smtp.office365.com"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--host", "smart.test:587/opportunistic"), "over verified TLS only"),
        (("--host", "smart.test:587/required"), "over verified TLS only"),
        (("--host", "smart.test:0"), "is no HOST:PORT"),
        (("--host", "smart.test:587/secure"), "is no host, port and TLS"),
        ((), "Name a host"),
    ],
)
def test_what_cannot_be_a_host_is_refused(typed, given, sentence):
    typed("hunter2")
    with pytest.raises(CommandError, match=sentence):
        ekiden("smarthost", "add", "x", "--mechanism", "PLAIN", "--username", "relay", *given)


def test_a_log_in_without_its_secret_is_refused(typed):
    typed("")
    with pytest.raises(CommandError, match="needs a secret: password"):
        ekiden("smarthost", "add", "x", *BY_PASSWORD)


def test_a_token_url_in_plain_text_is_refused(typed):
    typed("secret")
    by_token = ("--mechanism", "XOAUTH2", "--grant", "client_credentials", "--client-id", "abc")
    with pytest.raises(CommandError, match="must begin with https"):
        ekiden(
            "smarthost", "add", "x", *HOST, "--username", "relay", *by_token,
            "--token-url", "http://login.test/token",
        )  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1:2587/none", "relay.test:25/none", "[::1]:2525/none"])
def test_what_leads_back_to_ourselves_is_refused_when_it_is_written_down(settings, host):
    settings.EKIDEN_HOSTNAME = "relay.test"
    with pytest.raises(CommandError, match="is this service itself: mail would go in circles"):
        ekiden("smarthost", "add", "x", "--host", host, "--mechanism", "none")


def test_another_server_of_this_machine_is_none_of_ours():
    ekiden("smarthost", "add", "x", "--host", "127.0.0.1:2600/none", "--mechanism", "none")
    assert Smarthost.objects.get().hosts == [["127.0.0.1", 2600, "none"]]


def test_a_change_keeps_the_secret_forgets_the_token_and_opens_the_lane(typed):
    row = make.smarthost(password="hunter2")
    SmarthostToken.objects.create(smarthost=row)
    lane = make.lane(row.site, smarthost=row, closed_at=make.later(), close_reason="535 no")
    ekiden("smarthost", "change", "office", "--per-minute", "30")
    lane.refresh_from_db()
    assert lane.closed_at is None and secrets_of("office") == {"password": "hunter2"}
    assert not SmarthostToken.objects.exists()
    typed("hunter3")
    ekiden("smarthost", "change", "office", "--secret")
    assert secrets_of("office") == {"password": "hunter3"}


def test_a_lane_that_a_person_closed_stays_closed():
    row = make.smarthost(password="hunter2")
    closed = {"closed_at": make.later(), "closed_by": "somebody", "close_reason": "later"}
    lane = make.lane(row.site, smarthost=row, **closed)
    ekiden("smarthost", "change", "office", "--per-day", "500")
    lane.refresh_from_db()
    assert lane.closed_at is not None


def test_a_route_leads_to_a_host_or_to_a_smarthost():
    make.smarthost()
    ekiden("route", "add", "mx.test", "--smarthost", "office")
    assert ekiden_json("route", "list")[0]["smarthost"] == "office"
    assert "smarthost office" in ekiden("route", "list")
    with pytest.raises(CommandError, match="either HOST:PORT or --smarthost"):
        ekiden("route", "add", "b.test", "mail.test:25", "--smarthost", "office")
    with pytest.raises(CommandError, match=r"Routes lead to it: mx\.test"):
        ekiden("smarthost", "remove", "office")


def test_what_waits_for_a_removed_smarthost_is_routed_anew():
    row = make.smarthost()
    closed = {"closed_at": make.later(), "close_reason": "535 no"}
    lane = make.lane(row.site, smarthost=row, **closed)
    delivery = make.delivery(lane=lane)
    ekiden("smarthost", "remove", "office")
    delivery.refresh_from_db()
    assert delivery.lane_id == Lane.ROUTING and not Smarthost.objects.exists()


def test_a_route_has_exactly_one_of_both():
    from django.db import IntegrityError, transaction

    row = make.smarthost()
    for given in ({}, {"host": "a.test", "smarthost": row}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Route.objects.create(pattern="x.test", **given)
    assert not Destination.objects.exists() and not Delivery.objects.exists()
