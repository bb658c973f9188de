"""Mail leaves with the From domain's own return path as long as DNS leads it here."""

import asyncio
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.models import Attempt, Delivery
from deliveries.sending.controls import Controls
from domains.identity import checking
from domains.models import Domain, ReturnPath
from domains.senders import domain_alerts
from tests.commands import ekiden_json
from tests.deliveries import make
from tests.deliveries.bounces.test_receive import REPORT, arrives
from tests.deliveries.stage import in_thread, play
from tests.fakes.dns import FakeDns

pytestmark = pytest.mark.usefixtures("mail_db", "valkey")
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    project = make.project()
    return Domain.objects.create(
        project=project, name="shop.test", token="t", verified_at=timezone.now()
    )


@pytest.fixture
def dns(settings):
    zones = {"rp.shop.test": {"CNAME": ["relay.test."]}, "relay.test": {"A": ["127.0.0.1"]}}
    with FakeDns(zones) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield dns


def use(domain, name="rp.shop.test"):
    now = timezone.now()
    return ReturnPath.objects.create(
        domain=domain, name=name, state="used", found_since=now - HOUR, used_since=now,
        changed_at=now,
    )  # fmt: skip


def left_as(settings, shop, **given):
    """Return the reverse-path of one message of the shop's, as its receiver heard it."""
    make.delivery(of=make.message(shop.project, **given))
    [mail] = play(settings).messages
    return mail.reverse_path


def test_from_check_to_check_mail_leaves_as_dns_says(settings, shop, dns):
    now = timezone.now()
    seen = []
    for minutes, is_there in ((0, True), (11, True), (22, False)):
        if not is_there:
            del dns.zones["rp.shop.test"]
        settings.EKIDEN_DNS = [dns.url]
        checking.check([shop], now=now + timedelta(minutes=minutes))
        seen.append(left_as(settings, shop).partition("@")[2])
    assert seen == ["relay.test", "rp.shop.test", "relay.test"]
    assert domain_alerts.open_alerts(shop)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    used = Attempt.objects.order_by("at").values_list("return_path", flat=True)
    assert list(used) == seen


def test_a_bounce_to_the_own_return_path_is_matched(settings, shop):
    use(shop)
    local_part = left_as(settings, shop).partition("@")[0]
    named = return_path.parse(local_part, key=return_path_key(), now=timezone.now())
    assert "has bounced" in arrives(REPORT % b"failed", Delivery.objects.get(pk=named))


def test_the_log_of_a_message_tells_the_return_path_that_was_used(settings, shop):
    use(shop)
    left_as(settings, shop)
    [delivery] = ekiden_json("trace", "you@mx.test")["deliveries"]
    assert delivery["attempts"][0]["return_path"] == "rp.shop.test"


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ({"header_from": "a@news.shop.test"}, "rp.shop.test"),
        ({"header_from": "a@other.test"}, "relay.test"),
        ({"header_from": "a@eshop.test"}, "relay.test"),
        ({"mail_from": ""}, ""),
    ],
)
def test_the_from_domain_decides(settings, shop, given, domain):
    use(shop)
    assert left_as(settings, shop, **given).partition("@")[2] == domain


def test_another_project_does_not_leave_with_it(settings, shop):
    use(shop)
    shop.project = make.project()
    assert left_as(settings, shop).endswith("@relay.test")


@pytest.mark.parametrize("how", ["stopped", "removed"])
def test_a_running_worker_hears_of_a_change_within_a_second(settings, shop, how):
    row, orders = use(shop), []
    other = Domain.objects.create(project=shop.project, name="other.test", token="t")
    use(other, "rp.other.test")
    change = partial(stop, row) if how == "stopped" else row.delete

    async def main():
        database = Database("test")
        controls = Controls(database, uuid4())
        claimed = SimpleNamespace(project_id=shop.project_id, header_from="a@shop.test")
        for each in (lambda: None, change):
            await asyncio.to_thread(in_thread, each)
            await controls.read()
            orders.append(controls.return_path(claimed))
        await database.close()

    asyncio.run(main())
    assert orders == ["rp.shop.test", ""]


def stop(row):
    now = timezone.now()
    ReturnPath.objects.filter(pk=row.pk).update(state="broken", stopped_at=now, changed_at=now)
