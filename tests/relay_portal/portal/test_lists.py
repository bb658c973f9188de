"""What a list reads: no large column, and no row a second time."""

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from domains.operations.large_lists import large_columns
from smtp_listener.models import SandboxMessage
from suppressions.models import Brake
from tests.deliveries import make
from tests.relay_portal.portal import rows

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
LARGE_NAMES = (
    "data",
    "private_key",
    "secret_hash",
    "traceback",
    "evidence",
    "findings",
    "errors",
    "pace",
    "hosts",
    "position",
)


def selected(sql):
    """Return the columns that come whole, as `"table"."column"`."""
    return set(
        sql.partition(" FROM ")[0].removeprefix("SELECT ").removeprefix("DISTINCT ").split(", ")
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_leaves_large_columns_in_the_database(model, operator, monkeypatch):
    rows.of(make.project())
    kept = admin.site._registry[model].list_reads
    large = {
        f'"{each._meta.db_table}"."{field.column}"'
        for each in MODELS
        for field in large_columns(each)
    }
    large -= {
        '"deliveries_lane"."hosts"'
    }  # a few names, by which closed lanes are called above the list of pauses
    large -= {f'"{model._meta.db_table}"."{name}"' for name in kept}
    monkeypatch.setattr(
        Model,
        "refresh_from_db",
        lambda row, *args, **kwargs: pytest.fail(f"{row._meta.label} is read again: {kwargs}"),
    )
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = operator.get(
            reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        )
    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list), "an empty list shows nothing"
    for query in asked:
        assert not selected(query["sql"]) & large, query["sql"][:500]


def test_the_large_columns_are_told_by_their_kind():
    names = {field.name for model in MODELS for field in large_columns(model)}
    assert set(LARGE_NAMES) <= names


def test_the_sandbox_list_reads_the_beginning_of_a_message_only(operator):
    subject = b"Subject: =?utf-8?b?5rOo5paH?=\r\n\r\n"
    SandboxMessage.objects.create(
        mail_from="a@b.test", recipient="c@d.test", data=subject + b"x" * 3_000_000
    )
    page = reverse("admin:smtp_listener_sandboxmessage_changelist")
    [row] = operator.get(page).context["cl"].result_list
    assert len(row.beginning) == 16_384
    assert "注文" in operator.get(page).text
    assert (
        operator.get(
            reverse("admin:smtp_listener_sandboxmessage_change", args=[row.pk])
        ).status_code
        == 200
    )


def statements_of(operator, model):
    with CaptureQueriesContext(connection) as asked:
        path = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert operator.get(reverse(path)).status_code == 200
    return [query["sql"] for query in asked]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_asks_no_more_of_the_database_for_more_rows(model, operator):
    rows.of(make.project())
    statements_of(operator, model)  # what is looked up once for all
    one = statements_of(operator, model)
    Brake.objects.update(ended_at=timezone.now())  # one of a class stands
    rows.of(make.project())
    more = statements_of(operator, model)
    assert len(more) <= len(one), "\n".join(each[:300] for each in more if each not in one)
