"""One bad item of a queue: it waits, is put aside, and stops nothing."""

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.utils import timezone

from domains.models import ItemKind, Project, SetAside
from domains.operations import isolation
from domains.operations.isolation import guarded, is_free, isolated, step, together_or_alone

pytestmark = pytest.mark.usefixtures("transactional_db")


def fail(key=1, times=1, **given):
    for _ in range(times):
        with isolated(ItemKind.INBOUND, key, **given):
            raise ValueError("a \0 poison")


def row():
    return SetAside.objects.get()


def test_a_failure_is_written_down_with_its_traceback_and_not_raised():
    fail()
    assert (row().failures, row().set_aside_at) == (1, None)
    assert "ValueError: a \ufffd poison" in row().traceback
    assert row().retry_at > timezone.now()


def test_what_a_failed_item_wrote_is_rolled_back():
    with isolated(ItemKind.INBOUND, 1):
        Project.objects.create(name="half-done")
        raise ValueError
    assert not Project.objects.filter(name="half-done").exists()


def test_a_statement_that_fails_leaves_the_next_item_a_working_connection():
    with transaction.atomic():
        with isolated(ItemKind.INBOUND, 1), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert Project.objects.count() >= 0
    assert row().failures == 1


def test_the_third_failure_puts_the_item_aside(caplog):
    fail(times=2)
    assert row().set_aside_at is None
    fail()
    assert row().set_aside_at is not None
    assert "event=set-aside kind=inbound key=1" in caplog.text


def test_without_lasting_an_item_is_never_put_aside():
    fail(times=5, lasting=False)
    assert (row().failures, row().set_aside_at) == (5, None)


def test_what_is_not_tried_again_is_put_aside_at_once():
    fail(most=1)
    assert row().set_aside_at is not None


def test_success_forgets_what_failed_before():
    fail()
    with isolated(ItemKind.INBOUND, 1):
        pass
    assert not SetAside.objects.exists()


@pytest.mark.parametrize("error", [OperationalError("the server went away")])
def test_an_outage_is_raised_and_is_no_failure_of_the_item(error):
    with pytest.raises(OperationalError), isolated(ItemKind.INBOUND, 1):
        raise error
    assert not SetAside.objects.exists()


def test_a_value_that_is_too_large_for_an_index_is_the_items_fault():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE narrow (text text UNIQUE)")
    with isolated(ItemKind.INBOUND, 1), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO narrow SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n"
        )
    assert "index row" in row().traceback


def test_a_worker_that_dies_three_times_leaves_the_item_put_aside():
    class Killed(BaseException):
        pass

    for _ in range(3):
        with pytest.raises(Killed), isolated(ItemKind.INBOUND, 1, may_kill=True):
            raise Killed
    assert (row().failures, row().traceback) == (3, "The worker ended during this item.")
    assert row().set_aside_at is not None


def test_an_item_that_was_begun_and_failed_counts_once():
    fail(may_kill=True)
    assert row().failures == 1
    assert "ValueError" in row().traceback


def test_a_long_traceback_keeps_its_end():
    with isolated(ItemKind.INBOUND, 1):
        raise ValueError("x" * 50_000 + "end")
    assert row().traceback.rstrip().endswith("end")
    assert len(row().traceback) == isolation.TRACEBACK_MOST


def test_together_where_it_goes_and_alone_where_not():
    seen = []

    def work(ids):
        seen.append(list(ids))
        if 2 in ids:
            raise DataError("poison")
        return len(ids)

    assert together_or_alone(ItemKind.OCCURRENCE, [1, 2, 3], work) == [1, 1]
    assert seen == [[1, 2, 3], [1], [2], [3]]
    assert row().key == "2"


def test_a_queryset_passes_over_what_waits_or_is_put_aside():
    projects = [Project.objects.create(name=f"p{number}") for number in range(3)]
    fail(projects[0].pk)
    fail(projects[1].pk, times=3)
    SetAside.objects.filter(key=projects[1].pk).update(retry_at=timezone.now())
    assert list(
        Project.objects.filter(is_free(ItemKind.INBOUND), name__startswith="p").order_by("pk")
    ) == [projects[2]]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM domains_project WHERE name LIKE 'p_' AND "
            f"{isolation.passed_over(ItemKind.INBOUND, id='domains_project.id')}"
        )
        assert cursor.fetchall() == [("p2",)]


def test_a_step_that_fails_lets_the_next_one_go_on():
    with step("first"):
        raise ValueError
    with step("second"):
        done = True
    assert done
    assert (row().kind, row().key, row().set_aside_at) == ("step", "first", None)


def test_a_guarded_item_keeps_what_it_committed():
    with guarded(ItemKind.ORDER, 1):
        Project.objects.create(name="kept")
        raise ValueError
    assert Project.objects.filter(name="kept").exists()
