"""The pages about receivers: what is shipped, what was changed here and by whom, and the way
back.
"""

import pytest

from deliveries.models import ShapingRule
from deliveries.shaping import rules
from domains.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/deliveries/shapingrule/"


@pytest.fixture(autouse=True)
def shipped():
    rules.sync()


def form_of(row, **changed):
    fields = [
        "title", "connections", "connections_per_minute", "messages_per_connection", "per_second",
        "per_minute", "per_hour", "per_day",
        "connect_timeout", "greeting_timeout", "reply_timeout", "body_timeout", "tls",
    ]  # fmt: skip
    given = {name: "" if (value := getattr(row, name)) is None else value for name in fields}
    given |= {"mx_suffixes": ",".join(row.mx_suffixes), "domains": ",".join(row.domains)}
    return given | changed


def test_the_list_tells_the_figures_and_what_was_changed_here(operator):
    row = ShapingRule.objects.get(name="docomo")
    rules.save(row)
    page = operator.get(LIST).content.decode()
    assert "NTT docomo" in page and "Changed here" in page and "As shipped" in page


def test_a_changed_figure_is_followed_noted_and_can_be_taken_back(operator):
    row = ShapingRule.objects.get(name="docomo")
    shipped = row.connections
    assert operator.post(f"{LIST}docomo/change/", form_of(row, connections=2)).status_code == 302
    row.refresh_from_db()
    assert (row.connections, row.is_edited) == (2, True)
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.object_id) == ("change", "docomo")
    assert entry.details["changed"]["connections"] == [shipped, 2]
    operator.post(f"{LIST}docomo/do/reset/")
    row.refresh_from_db()
    assert (row.connections, row.is_edited) == (shipped, False)
    assert AuditEntry.objects.latest("id").action == "reset"


def test_only_what_was_changed_can_be_reset(operator):
    assert operator.post(f"{LIST}docomo/do/reset/").status_code == 404


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"connections": "0"}, "greater than or equal to 1"),
        ({"mx_suffixes": "google.com"}, "already belongs to the rule"),
        ({"domains": "not a domain"}, "no domain name"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(operator, changed, said):
    row = ShapingRule.objects.get(name="docomo")
    page = operator.post(f"{LIST}docomo/change/", form_of(row, **changed))
    assert page.status_code == 200 and said in page.content.decode()
    row.refresh_from_db()
    assert not row.is_edited


def test_a_rule_of_ones_own_can_be_made_and_removed(operator):
    made = ShapingRule(
        name="partner", title="A partner", mx_suffixes=["mx.partner.test"], connections=1
    )
    assert operator.post(f"{LIST}add/", form_of(made, name="partner")).status_code == 302
    assert ShapingRule.objects.get(name="partner").is_edited
    assert operator.post(f"{LIST}partner/delete/", {"post": "yes"}).status_code == 302
    assert not ShapingRule.objects.filter(name="partner").exists()


def test_a_shipped_rule_cannot_be_removed(operator):
    assert operator.post(f"{LIST}docomo/delete/", {"post": "yes"}).status_code == 403
