import pytest

from deliveries.models import EgressRule, Pool, TenantCase, TenantRule, WarmUpDay, WarmUpPlan
from domains.operations import audit
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def test_an_operator_changes_the_daily_numbers_and_the_audit_log_tells(operator):
    plan = WarmUpPlan.objects.create(receiver="google", numbers=[50, 100], is_shipped=True)
    path = f"/deliveries/warmupplan/{plan.pk}/change/"
    page = operator.post(path, {"receiver": "google", "numbers": "20,10"})
    assert page.context["errors"]
    operator.post(path, {"receiver": "google", "numbers": "20,40"})
    plan.refresh_from_db()
    assert (plan.numbers, plan.is_edited) == ([20, 40], True)
    assert audit.of(plan).first().action == "change"


def test_the_days_of_a_warm_up_are_shown(operator):
    WarmUpDay.objects.create(
        source=make.source("west"), receiver="google", date="2026-03-01", day=4, number=500
    )
    assert b"500" in operator.get("/deliveries/warmupday/").content


def test_a_rule_for_tenants_is_made_and_removed_with_what_it_set(operator):
    pool = Pool.objects.create(name="second")
    form = {
        "name": "errors", "measure": "errors", "threshold": "10", "least": "100", "hours": "24",
        "action": "pool", "is_live": "on",
    }  # fmt: skip
    assert operator.post("/deliveries/tenantrule/add/", form).context["errors"]
    operator.post("/deliveries/tenantrule/add/", form | {"pool": pool.pk})
    rule, project = TenantRule.objects.get(), make.project()
    TenantCase.objects.create(
        rule=rule, project=project, rate=50, amount=50, total=100, has_acted=True,
        egress_rule=EgressRule.objects.create(project=project, pool=pool),
    )  # fmt: skip
    assert b"50.00 %" in operator.get("/deliveries/tenantcase/").content
    page = f"/deliveries/tenantrule/{rule.pk}/change/"
    operator.post(page, form | {"pool": pool.pk, "hours": "48"})
    assert TenantRule.objects.get().hours == 48 and EgressRule.objects.exists()
    other = Pool.objects.create(name="third")
    operator.post(page, form | {"pool": other.pk})
    assert not EgressRule.objects.exists()
    assert not TenantCase.objects.get().has_acted
    operator.post(f"/deliveries/tenantrule/{rule.pk}/delete/", {"post": "yes"})
    assert not TenantRule.objects.exists()
    assert not EgressRule.objects.exists()


def test_an_operator_warms_a_source_up_and_removes_it_with_its_days(operator):
    source = make.source("west", state="cold")
    operator.post(f"/deliveries/source/{source.pk}/do/warm_up/")
    source.refresh_from_db()
    assert source.state == "warming"
    assert [entry.action for entry in audit.of(source)] == ["warm_up"]
    WarmUpDay.objects.create(source=source, receiver="google", date="2026-03-01", day=1, number=50)
    operator.post(f"/deliveries/source/{source.pk}/delete/", {"post": "yes"})
    assert not WarmUpDay.objects.exists()
