from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries import jobs
from deliveries.models import (
    EgressRule,
    Pool,
    SourceCount,
    Stop,
    Tally,
    TenantCase,
    TenantRule,
)
from deliveries.steering import tenants
from domains.operations import audit
from smtp_listener.admission.accounts import Accounts
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def project():
    return make.project(name="shop")


def ended(project, delivered=0, hard=0, complaints=0, at=None):
    given = {"hour": at or timezone.now(), "project": project, "credential_id": 1, "provider": ""}
    for category, is_hard, amount in (
        ("delivered", False, delivered), ("unknown_user", True, hard),
        ("complaint", False, complaints),
    ):  # fmt: skip
        Tally.objects.create(category=category, is_hard=is_hard, amount=amount, **given)


def rule(**given):
    defaults = {
        "name": "errors", "measure": "errors", "threshold": 10, "action": "pause", "is_live": True,
    }  # fmt: skip
    return TenantRule.objects.create(**defaults | given)


def check():
    tenants.check(now=timezone.now())


def case():
    return TenantCase.objects.get()


def test_a_project_of_which_too_much_is_refused_is_paused_and_the_log_says_why(project):
    rule()
    ended(project, delivered=90, hard=10)
    check()
    assert Stop.objects.get(project=project).created_by == tenants.ACTOR
    assert "10 errors of 100 deliveries within 24 hours (10.00 %)" in audit.of(project)[0].reason


@pytest.mark.parametrize(("delivered", "hard"), [(91, 9), (9, 90)])
def test_below_the_threshold_or_with_too_few_deliveries_nothing_is_done(project, delivered, hard):
    rule()
    ended(project, delivered=delivered, hard=hard)
    check()
    assert not TenantCase.objects.exists()


def test_a_dry_run_says_what_it_would_do_and_does_nothing_until_it_is_live(project):
    ekiden("tenant", "add", "errors", "--errors", "10", "--pause")
    ended(project, delivered=50, hard=50)
    check()
    assert not Stop.objects.exists()
    assert "would pause it" in ekiden("tenant", "cases")
    assert "dry run" in audit.of(project)[0].reason
    ekiden("tenant", "live", "errors")
    check()
    assert Stop.objects.get().project == project
    assert "would" not in ekiden("tenant", "cases")


def test_mail_goes_by_another_pool_until_the_rate_is_well_below_the_threshold(project):
    rule(action="pool", pool=Pool.objects.create(name="bad"))
    ended(project, delivered=90, hard=10)
    check()
    made = EgressRule.objects.get()
    assert (made.project, made.pool.name, made.position) == (project, "bad", 0)
    ended(project, delivered=11)
    check()
    assert case().ended_at is None, "9.0 % is not below 8 %"
    ended(project, delivered=30)
    check()
    assert case().ended_at is not None
    assert not EgressRule.objects.exists()
    check()
    assert TenantCase.objects.count() == 1


def test_a_slowed_project_has_fewer_messages_a_minute_at_each_credential(project):
    credential = make.credential(project, per_minute=100)
    free = make.credential(project)
    other = make.credential()
    rule(action="slow", per_minute=5)
    ended(project, delivered=50, hard=50)
    check()
    assert [per_minute(each) for each in (credential, free, other)] == [5, 5, None]
    ended(project, delivered=5000)
    check()
    assert [per_minute(each) for each in (credential, free)] == [100, None]


def per_minute(credential):
    import asyncio

    from deliveries.backends.database import Database

    async def main():
        database = Database("test")
        try:
            account = await Accounts(database).numbered(credential.pk)
            return account.per_minute
        finally:
            await database.close()

    return asyncio.run(main())


def test_a_person_who_resumes_a_paused_project_is_not_contradicted(project):
    rule()
    ended(project, delivered=50, hard=50)
    check()
    Stop.objects.all().delete()
    check()
    assert not Stop.objects.exists()


def test_complaints_of_one_source_count_for_a_rule_about_it(project):
    rule(measure="complaints", threshold=0.3, source="west")
    for source, event, amount in (
        ("west", "accepted", 1000), ("west", "complaint", 3), ("east", "complaint", 90),
    ):  # fmt: skip
        SourceCount.objects.create(
            hour=timezone.now(), source=source, receiver="google", project=project, event=event,
            amount=amount,
        )  # fmt: skip
    check()
    assert (case().amount, case().total) == (3, 1000)
    [east, west] = ekiden_json("tenant", "rates")
    assert (west["source"], west["complaint_rate"], east["complaints"]) == ("west", 0.3, 90)


def test_old_mail_does_not_count(project):
    rule()
    ended(project, delivered=50, hard=50, at=timezone.now() - timedelta(hours=30))
    check()
    assert not TenantCase.objects.exists()


def test_a_rule_about_one_project_leaves_the_others_alone(project):
    rule(project=make.project())
    ended(project, delivered=50, hard=50)
    check()
    assert not TenantCase.objects.exists()


@pytest.mark.parametrize("how", ["dry-run", "remove"])
def test_what_a_rule_has_set_goes_with_it(project, how):
    rule(action="pool", pool=Pool.objects.create(name="bad"))
    ended(project, delivered=50, hard=50)
    check()
    ekiden("tenant", how, "errors")
    check()
    assert not EgressRule.objects.exists()


def change(**given):
    """Change the rule as its page does."""
    row = TenantRule.objects.get()
    for name, value in given.items():
        setattr(row, name, value)
    tenants.change(row, given)


def is_set():
    return (
        [each.pool.name for each in EgressRule.objects.select_related("pool")],
        Stop.objects.count(),
        case().per_minute,
    )


def test_a_changed_rule_takes_back_what_it_has_set_and_does_the_other_thing(project):
    first, second = (Pool.objects.create(name=name) for name in ("first", "second"))
    rule(action="pool", pool=first)
    ended(project, delivered=50, hard=50)
    check()
    for given, then in (
        ({"pool": second}, (["second"], 0, None)),
        ({"action": "slow", "pool": None, "per_minute": 5}, ([], 0, 5)),
        ({"per_minute": 3}, ([], 0, 3)),
        ({"action": "pause", "per_minute": None}, ([], 1, None)),
        # only a person resumes
        ({"action": "slow", "per_minute": 4}, ([], 1, 4)),
    ):
        change(**given)
        assert is_set() == ([], then[1] if then[2] == 4 else 0, None)
        check()
        assert is_set() == then
    assert any("The rule was changed. Taken back." in each.reason for each in audit.of(project))


def test_a_changed_rule_that_does_the_same_leaves_all_as_it_is(project):
    rule(action="slow", per_minute=5)
    ended(project, delivered=50, hard=50)
    check()
    change(threshold=20)
    assert is_set() == ([], 0, 5)


def test_a_changed_rule_that_applies_no_more_does_nothing(project):
    rule(action="slow", per_minute=5)
    ended(project, delivered=80, hard=20)
    check()
    change(action="pause", per_minute=None, threshold=90)
    check()
    assert case().ended_at is not None and is_set() == ([], 0, None)


def test_the_job_checks_the_rules(project):
    rule()
    ended(project, delivered=50, hard=50)
    jobs.add_up()
    assert case().has_acted


@pytest.mark.parametrize(
    "given",
    [{"action": "pool"}, {"action": "slow"}, {"per_minute": 5}, {"threshold": 0}, {"hours": 200}],
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(given):
    defaults = {"name": "x", "measure": "errors", "threshold": 10, "action": "pause"}
    with pytest.raises(ValidationError):
        TenantRule(**defaults | given).full_clean()


def test_the_rules_are_listed_with_what_they_do(project):
    ekiden("tenant", "add", "slow", "--complaints", "0.3", "--per-minute", "5", "--project", "shop")
    printed = ekiden("tenant", "list")
    assert "0.3 % complaints" in printed
    assert "take 5 messages a minute  dry run" in printed
    [facts] = ekiden_json("tenant", "list")
    assert (facts["project"], facts["action"], facts["is_live"]) == ("shop", "slow", False)


def test_a_pool_to_which_a_rule_for_tenants_leads_is_removed_only_after_the_rule():
    rule(action="pool", pool=Pool.objects.create(name="bad"))
    with pytest.raises(CommandError, match="Rules for tenants lead to the pool bad: errors"):
        ekiden("pool", "remove", "bad")
    ekiden("tenant", "remove", "errors")
    ekiden("pool", "remove", "bad")
    assert not Pool.objects.exists()
