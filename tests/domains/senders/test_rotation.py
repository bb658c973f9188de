"""Delegated selectors: asked for as CNAMEs, given to keys in turn, and rotated on a schedule."""

from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from domains import jobs
from domains.foundation.dns import updates
from domains.identity import delegated_keys
from domains.models import (
    AuditEntry,
    DelegatedSelector,
    Domain,
    DomainAlertKind,
    Project,
    SigningKey,
)
from domains.senders import (
    delegation,
    domain_alerts,
    key_states,
    key_zone,
    rotation,
    verification,
)
from domains.senders.keys import make_key
from domains.senders.records import Purpose
from tests.commands import ekiden, ekiden_json

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def domain(settings, tmp_path):
    settings.EKIDEN_KEY_ZONE, settings.EKIDEN_DATA = "keys.relay.test", tmp_path
    project = Project.objects.create(name="shop")
    return Domain.objects.create(project=project, name="shop.test", token="t", verified_at=NOW)


@pytest.fixture
def delegated(domain):
    delegation.delegate(domain)
    DelegatedSelector.objects.update(is_found=True)
    return domain


def signs(key, at=NOW):
    """Have the key sign, as three checks over an hour leave it."""
    for minutes in (0, 30, 60):
        moment = at - timedelta(minutes=60 - minutes)
        key_states.note_check(
            key.domain, {key.record_name: "found"}, watch=timedelta(hours=1), now=moment
        )
    key.refresh_from_db()
    assert key.state == "signing"
    return key


def rotated(days):
    return rotation.rotate_due(now=NOW + days * DAY)


def test_the_records_to_publish_are_two_cnames_and_no_key(delegated):
    make_key(delegated)
    records = verification.required_records(delegated)
    cnames = {each.name: each.value for each in records if each.purpose == "dkim-delegation"}
    assert list(cnames) == [f"ekiden{n}._domainkey.shop.test" for n in (1, 2)]
    assert all(each.endswith(".keys.relay.test") for each in cnames.values())
    assert not [each for each in records if each.purpose == "dkim"]


def test_the_cname_proves_whose_the_domain_is(delegated):
    other = Domain(project=Project.objects.create(name="other"), name="shop.test", token="u")
    other.save()
    delegation.delegate(other)
    assert not {each.value for each in delegation.to_publish(other)} & {
        each.value for each in delegation.to_publish(delegated)
    }
    assert Purpose.KEY_DELEGATION in verification.PROOFS


def test_keys_take_the_selectors_in_turn(delegated):
    first, second = make_key(delegated), make_key(delegated)
    assert (first.selector, second.selector) == ("ekiden1", "ekiden2")
    with pytest.raises(delegation.SelectorsBusy):
        make_key(delegated)
    assert make_key(delegated, "ed25519").selector.startswith("ek2")


def test_a_selector_is_free_again_once_its_key_is_retired(delegated):
    first = make_key(delegated)
    first.retire(now=NOW)
    assert make_key(delegated).selector == "ekiden1"


def test_a_key_is_found_where_the_cname_and_our_record_are(delegated):
    row = delegation.selectors(delegated)["ekiden1"]
    for cname, ours, state in [
        ("found", "found", "found"), ("missing", "found", "missing"),
        ("found", "spreading", "spreading"), ("unreachable", "found", "unreachable"),
    ]:  # fmt: skip
        states = delegated_keys.key_states(delegated, {row.name: cname}, {row.target: ours})
        assert states[row.name] == state


def test_a_record_that_our_zone_lost_is_told_to_it_again(delegated):
    DelegatedSelector.objects.update(kept_value="v=DKIM1")
    row = delegation.selectors(delegated)["ekiden2"]
    delegated_keys.note_check(delegated, {row.name: "found"}, {row.target: "missing"})
    found = dict(DelegatedSelector.objects.values_list("selector", "kept_value"))
    assert found == {"ekiden1": "v=DKIM1", "ekiden2": ""}


def test_delegation_moves_a_domain_with_a_key_of_its_own_over(domain):
    old = signs(make_key(domain))
    delegation.delegate(domain)
    assert rotated(1) == 0  # its CNAMEs were not found yet
    DelegatedSelector.objects.update(is_found=True)
    assert (rotated(1), rotated(2)) == (1, 0)
    signs(domain.keys.get(selector="ekiden1"), NOW + DAY)
    old.refresh_from_db()
    assert old.state == "retiring"


def test_the_next_key_is_made_after_180_days(delegated):
    signs(make_key(delegated))
    assert (rotated(179), rotated(181), rotated(182)) == (0, 1, 0)
    assert SigningKey.objects.get(state="made").selector == "ekiden2"
    assert AuditEntry.objects.get(action="rotate").actor == "key rotation"


def test_days_are_the_domains_own_and_none_is_never(delegated):
    signs(make_key(delegated))
    ekiden("key", "delegate", "shop.test", "--days", "30")
    assert rotated(29) == 0
    ekiden("key", "delegate", "shop.test", "--days", "0")
    assert rotated(999) == 0
    noted = AuditEntry.objects.filter(action="choose_rotation").order_by("pk")
    assert [each.details["changed"]["rotation_days"] for each in noted] == [[180, 30], [30, 0]]


def test_a_key_that_waits_for_its_selector_is_made_later(delegated):
    signs(make_key(delegated))
    make_key(delegated).delete()
    second = signs(make_key(delegated), NOW + 100 * DAY)
    assert second.selector == "ekiden2" and rotated(281) == 0  # the first is retiring
    key_states.retire_what_is_over(now=NOW + 281 * DAY)
    assert rotated(281) == 1


def test_after_a_switch_was_taken_back_a_person_decides(delegated):
    signs(make_key(delegated))
    given = {"domain": "shop.test", "new": "ekiden2", "old": "ekiden1"}
    domain_alerts.open_alert(delegated, DomainAlertKind.KEY_GONE, given, now=NOW)
    assert rotated(400) == 0


def test_a_switch_is_taken_back_once_and_the_next_ends_the_alert(delegated):
    old = signs(make_key(delegated))
    new = signs(make_key(delegated), NOW + DAY)
    for _ in range(2):
        key_states.go_back(new, DomainAlertKind.KEY_GONE, {}, now=NOW + DAY)
    states = dict(SigningKey.objects.values_list("selector", "state"))
    assert states == {"ekiden1": "signing", "ekiden2": "retiring"}
    entry = AuditEntry.objects.get(action="sign_again")
    assert (entry.object_name, entry.reason) == (old.record_name, "key-gone")
    [alert] = domain_alerts.open_alerts(delegated)
    assert "ekiden1, signs for shop.test again" in domain_alerts.english(alert)
    key_states.retire_what_is_over(now=NOW + 30 * DAY)
    signs(make_key(delegated), NOW + 31 * DAY)
    assert not domain_alerts.open_alerts(delegated)


def test_a_key_past_its_time_never_signs_again(delegated):
    signs(make_key(delegated))
    new = signs(make_key(delegated), NOW + DAY)
    kind = DomainAlertKind.KEY_GONE
    assert key_states.go_back(new, kind, {}, now=NOW + 30 * DAY) is None


def test_the_command_shows_what_to_publish(domain):
    said = ekiden("key", "delegate", "shop.test")
    assert "ekiden1._domainkey.shop.test  CNAME\n  ekiden1." in said and "every 180 days" in said
    shown = ekiden_json("key", "delegate", "shop.test", "--json")
    assert [each["is_found"] for each in shown["selectors"]] == [False, False]
    key = ekiden_json("key", "rotate", "shop.test", "--json")
    assert key["delegated_to"].startswith("ekiden1.")
    assert "The next keys of shop.test stand" in ekiden("key", "delegate", "shop.test", "--end")
    assert AuditEntry.objects.filter(action__in=("delegate_keys", "keep_keys")).count() == 3


def test_an_ended_delegation_keeps_the_cname_that_a_key_needs(delegated):
    signs(make_key(delegated))
    delegation.end(delegated)
    assert [each.name for each in delegation.to_publish(delegated)] == [
        "ekiden1._domainkey.shop.test"
    ]
    assert make_key(delegated).selector.startswith("ek2") and rotated(400) == 0


def test_without_a_zone_nothing_is_delegated(domain, settings):
    settings.EKIDEN_KEY_ZONE = ""
    for command in (("key", "delegate", "shop.test"), ("key", "zone")):
        with pytest.raises(CommandError, match="Set EKIDEN_KEY_ZONE"):
            ekiden(*command)


def test_a_name_that_another_key_has_is_not_delegated(domain):
    key = make_key(domain)
    domain.keys.filter(pk=key.pk).update(selector="ekiden2")
    with pytest.raises(CommandError, match=r"has the name ekiden2\._domainkey"):
        ekiden("key", "delegate", "shop.test")


def test_of_two_nodes_one_at_a_time_tells_the_server_of_the_zone(delegated, settings):
    settings.EKIDEN_KEY_ZONE_SERVER = "127.0.0.1:1"
    make_key(delegated)
    other_node = connection.copy()
    try:
        with other_node.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [jobs._KEY_ZONE])
            jobs.keep_key_zone()
            assert not DelegatedSelector.objects.exclude(trouble="").exists()
            # A session that is closed may hold its locks for a moment longer.
            cursor.execute("SELECT pg_advisory_unlock(%s)", [jobs._KEY_ZONE])
    finally:
        other_node.close()
    jobs.keep_key_zone()
    assert DelegatedSelector.objects.exclude(trouble="").exists()


def test_a_selector_that_is_delegated_again_while_its_key_is_taken_out_stays(
    delegated, settings, monkeypatch
):
    settings.EKIDEN_KEY_ZONE_SERVER = "127.0.0.1:1"
    DelegatedSelector.objects.update(is_ending=True, kept_value="an old key")
    monkeypatch.setattr(updates, "put_text", lambda *_, **__: delegation.delegate(delegated))
    assert key_zone.keep(now=NOW) == 2
    assert DelegatedSelector.objects.filter(is_ending=False, kept_value="").count() == 2
