"""Where receivers refuse what a new key signs, the key before it signs again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.authentication import refusals, switched_keys
from deliveries.message.ids import first_id_of
from deliveries.models import Attempt
from domains.models import AuthenticationRefusal, Domain, DomainAlert, ReadPosition, SigningKey
from domains.senders import key_states
from domains.senders.keys import make_key
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")
NOW = timezone.now()
SWITCHED = NOW - timedelta(minutes=10)


@pytest.fixture
def domain(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    refusals.collect()
    domain = Domain.objects.create(
        project=make.project(), name="shop.test", token="t", verified_at=NOW
    )
    for day in (30, 0):
        switch(make_key(domain), SWITCHED - timedelta(days=day))
    switched_keys.take_turn(now=NOW)  # begins at what is there now
    return domain


def switch(key, at):
    for minutes in (60, 30, 0):
        moment = at - timedelta(minutes=minutes)
        states = {key.record_name: "found"}
        key_states.note_check(key.domain, states, watch=timedelta(hours=1), now=moment)


def refused(amount=1, *, minute=1, author="shop@shop.test", enhanced="5.7.30", stage="body"):
    made_at = first_id_of(SWITCHED + timedelta(minutes=minute))
    for number in range(amount):
        lane = make.lane(f"mx-{Attempt.objects.count()}.test", provider="google")
        message = make.message(header_from=author, id=type(made_at)(int=made_at.int + number))
        Attempt.objects.create(
            delivery=make.delivery(lane=lane, message=message), outcome="bounced", stage=stage,
            code=550, enhanced=enhanced, text="no", category="authentication", at=NOW,
        )  # fmt: skip


def turn():
    return switched_keys.take_turn(now=NOW)


def states():
    return list(SigningKey.objects.order_by("pk").values_list("state", flat=True))


def test_five_refusals_where_there_were_none_bring_the_old_key_back(domain):
    refused(4)
    assert turn() == 0 and states() == ["retiring", "signing"]
    refused(minute=2)
    assert turn() == 1 and states() == ["signing", "retiring"]
    alert = DomainAlert.objects.get()
    assert (alert.kind, alert.given["count"], alert.given["before"]) == ("key-refused", "5", "0")


def test_nothing_is_counted_twice(domain):
    refused(4)
    assert (turn(), turn(), turn()) == (0, 0, 0)
    assert SigningKey.objects.active().get().refusals == 4


def test_as_many_as_in_the_week_before_bring_nothing_back(domain):
    day = SWITCHED.date() - timedelta(days=3)
    AuthenticationRefusal.objects.create(
        domain=domain, day=day, receiver="google", mechanism="dkim", amount=5, last_at=SWITCHED
    )
    refused(15)
    assert turn() == 0
    refused(minute=2)
    assert turn() == 1


@pytest.mark.parametrize("given", [
    {"minute": -5}, {"author": "a@other.test"}, {"enhanced": "5.7.27"}, {"stage": "expiry"},
], ids=["signed before", "another domain", "SPF", "said before"])  # fmt: skip
def test_what_the_new_key_has_no_part_in_does_not_count(domain, given):
    refused(9, **given)
    assert turn() == 0 and SigningKey.objects.active().get().refusals == 0


def test_a_name_below_counts_for_its_domain(domain):
    refused(5, author="a@news.shop.test")
    assert turn() == 1


def test_nothing_is_read_while_no_switch_is_watched(domain):
    SigningKey.objects.filter(state="retiring").update(state="retired")
    refused(9)
    assert turn() == 0 and not ReadPosition.objects.filter(name=switched_keys.NAME).exists()


@pytest.mark.parametrize(
    ("count", "worst", "is_above"), [(4, 0, False), (5, 0, True), (30, 10, False), (31, 10, True)]
)
def test_well_above_is_five_and_three_times_the_worst_day(count, worst, is_above):
    assert switched_keys.is_well_above(count, worst) is is_above
