"""Rules lead mail of a project, a credential or a sending domain to a smarthost; the rest leaves by
itself.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest
from django.core.management import CommandError

from deliveries.models import Delivery, EgressRule, Route
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.stage import drain_until, in_thread, scene
from tests.fakes.mx import FakeMx

pytestmark = pytest.mark.usefixtures("mail_db")
ZONES = {
    "mx.test": {"MX": [(5, "in.mx.test")]},
    "in.mx.test": {"A": ["127.0.0.1"]},
    "smart.test": {"A": ["127.0.0.2"]},
}


@pytest.fixture
def smarthost():
    return make.smarthost(mechanism="none")


def deliver(settings, smarthost, before=lambda mx: None):
    """Return the receiver's host and the smarthost, after all was delivered."""

    async def main():
        async with AsyncExitStack() as stack:
            mx, _ = await stack.enter_async_context(scene(settings, ZONES))
            smart = await stack.enter_async_context(FakeMx(host="127.0.0.2"))

            def ready():
                smarthost.hosts = [["smart.test", smart.port, "none"]]
                smarthost.save()
                before(mx)

            await asyncio.to_thread(in_thread, ready)
            await drain_until(lambda: not Delivery.objects.live().exists(), 30)
            return mx, smart

    return asyncio.run(main())


def mail(project=None, **given):
    of = make.message(project or make.project(), **given)
    return make.delivery("you@mx.test", of)


def recipients(mx):
    return len(mx.messages)


def test_a_project_leaves_by_the_smarthost_and_the_others_by_themselves(settings, smarthost):
    office = make.project(name="office-mail")
    ekiden("smarthost", "lead", "office", "--project", "office-mail")
    led, free = mail(office), mail()
    mx, smart = deliver(settings, smarthost)
    assert (recipients(mx), recipients(smart)) == (1, 1)
    led.refresh_from_db(), free.refresh_from_db()
    assert led.lane.smarthost_id == smarthost.pk and free.lane.smarthost_id is None


def test_a_sending_domain_leaves_by_the_smarthost(settings, smarthost):
    ekiden("smarthost", "lead", "office", "--from", "shop.test")
    mail(header_from="a@shop.test")
    mail(header_from="a@other.test")
    mx, smart = deliver(settings, smarthost)
    assert (recipients(mx), recipients(smart)) == (1, 1)


def test_with_sources_as_well_the_rule_leads_out(settings, smarthost):
    make.source("east", ipv4="127.0.0.1")
    ekiden("smarthost", "lead", "office", "--from", "shop.test")
    mail(header_from="a@shop.test")
    mail(header_from="a@other.test")
    mx, smart = deliver(settings, smarthost)
    assert (recipients(mx), recipients(smart)) == (1, 1)


def test_a_static_route_goes_before_the_rules(settings, smarthost):
    ekiden("smarthost", "lead", "office", "--from", "shop.test")
    mail(header_from="a@shop.test")

    def before(mx):
        Route.objects.create(pattern="mx.test", host="127.0.0.1", port=mx.port)

    mx, smart = deliver(settings, smarthost, before)
    assert (recipients(mx), recipients(smart)) == (1, 0)


def test_rules_are_listed_and_taken_back(smarthost):
    ekiden("smarthost", "lead", "office", "--from", "shop.test")
    rule = EgressRule.objects.get()
    assert ekiden_json("smarthost", "list")[0]["rules"][0]["mail"] == "from=shop.test"
    assert "Sending domain: shop.test \u2192 smarthost office" in ekiden("smarthost", "list")
    with pytest.raises(CommandError, match="Egress rules lead to it"):
        ekiden("smarthost", "remove", "office")
    ekiden("smarthost", "unlead", str(rule.pk))
    assert not EgressRule.objects.exists()
