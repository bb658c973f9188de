"""The pages about where mail leaves from."""

import pytest

from deliveries.insight import sources as insight
from deliveries.models import EgressRule, Node, Pool, Source, SourceRest
from deliveries.steering import sources
from domains.models import AuditEntry
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def east(**given):
    return sources.add(Source(name="east", ipv4="192.0.2.25", **given))


def test_a_source_is_added_to_a_pool_that_is_made(operator):
    given = {"name": "east", "ipv4": "192.0.2.25", "ehlo_name": "", "pool": "main", "weight": 50}
    assert operator.post("/deliveries/source/add/", given).status_code == 302
    member = Source.objects.get().memberships.get()
    assert (member.pool.name, member.weight) == ("main", 50)
    assert AuditEntry.objects.latest("id").action == "add"


def test_a_source_without_an_address_is_refused_with_a_sentence(operator):
    given = {"name": "east", "ehlo_name": "", "pool": "main", "weight": 50}
    answer = operator.post("/deliveries/source/add/", given)
    assert "Give an IPv4 address, an IPv6 address, or both." in answer.content.decode()
    assert not Source.objects.exists()


def test_a_source_is_put_to_rest_with_a_reason_and_back_into_use(operator):
    row = east()
    SourceRest.objects.create(source=row, receiver="docomo", reason="blocked")
    operator.post(f"/deliveries/source/{row.pk}/do/rest/", {"reason": "listed"})
    row.refresh_from_db()
    assert (row.state, row.reason) == ("resting", "listed")
    operator.post(f"/deliveries/source/{row.pk}/do/use/")
    row.refresh_from_db()
    assert (row.state, row.reason, row.rests.count()) == ("warm", "", 0)
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True))[-2:] == [
        "rest",
        "use",
    ]


def test_a_rest_for_a_site_that_no_rule_names_says_whose_host_it_is(operator):
    row, lane = east(), make.lane("mx.shop.test")
    for receiver in (f"lane-{lane.pk}", "lane-999999", "docomo"):
        SourceRest.objects.create(source=row, receiver=receiver, reason="blocked")
    page = operator.get(f"/deliveries/source/{row.pk}/change/").content.decode()
    for name in ("mx.shop.test: blocked", "lane-999999: blocked", "docomo: blocked"):
        assert name in page
    assert {rest["name"] for rest in insight.sources()[0]["rests"]} == {
        "mx.shop.test",
        "lane-999999",
        "docomo",
    }


def test_a_pool_is_written_as_words(operator):
    east()
    sources.add(Source(name="west", ipv4="192.0.2.26"))
    given = {"name": "receipts", "shares": "east=100 west=300"}
    assert operator.post("/deliveries/pool/add/", given).status_code == 302
    pool = Pool.objects.get(name="receipts")
    assert dict(pool.members.values_list("source__name", "weight")) == {"east": 100, "west": 300}
    page = operator.get(f"/deliveries/pool/{pool.pk}/change/").content.decode()
    assert "east=100 west=300" in page


@pytest.mark.parametrize(
    ("members", "sentence"),
    [("east=much", "east=much is no SOURCE=WEIGHT"), ("gone", "There is no source gone.")],
)
def test_a_pool_that_cannot_be_is_refused_with_a_sentence(operator, members, sentence):
    east()
    answer = operator.post("/deliveries/pool/add/", {"name": "x", "shares": members})
    assert sentence in answer.content.decode()
    assert not Pool.objects.filter(name="x").exists()


def test_a_rule_says_which_mail_it_is_about(operator):
    east()
    pool = Pool.objects.get()
    shop = make.project(name="shop")
    given = {"position": 5, "project": shop.pk, "credential": "", "sending_domain": "shop.test"}
    given |= {"priority": 2, "receiver": "", "pool": pool.pk}
    assert operator.post("/deliveries/egressrule/add/", given).status_code == 302
    assert EgressRule.objects.get().conditions == "project=shop from=shop.test priority=urgent"
    assert "Priority: Urgent" in operator.get("/deliveries/egressrule/").content.decode()


def test_a_node_shows_its_sources(operator):
    Node.objects.create(name="one.test", sources=["east", "west"])
    page = operator.get("/deliveries/node/").content.decode()
    assert "one.test" in page and "east, west" in page and "at work" in page
