"""The question at RCPT: the covering rows, and the index that answers most of it without
PostgreSQL.
"""

import asyncio
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deliveries.backends.database import Database
from suppressions import index as index_module
from suppressions.index import Index, fingerprint
from suppressions.lookup import Lookup, Question
from suppressions.models import Suppression
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def suppress(key="gone@mx.test", **given):
    return Suppression.objects.create(**{"address_key": key, "reason": f"because of {key}"} | given)


def ask(project, key="gone@mx.test", sender="shop.test", *, indexed=True):
    """Return what a process that starts now answers, with or without its index."""

    async def main():
        database = Database("test")
        index = Index(database)
        if indexed:
            await index.turn()
        answer = await Lookup(database, index).reason(
            Question(project.pk, key, key.rpartition("@")[2], sender)
        )
        await database.close()
        return answer

    return asyncio.run(main())


@pytest.fixture(params=[True, False], ids=["with index", "without index"])
def answer(request):
    return lambda *args, **given: ask(*args, **given, indexed=request.param)


def test_an_address_is_suppressed_for_its_project_and_nobody_else(answer):
    mine = make.project()
    suppress(project=mine)
    assert answer(mine) == "because of gone@mx.test"
    assert answer(make.project()) is None
    assert answer(mine, "other@mx.test") is None


def test_the_installations_suppression_holds_for_all(answer):
    suppress()
    assert answer(make.project()) is not None


def test_a_whole_domain_may_be_suppressed(answer):
    suppress("@mx.test")
    assert answer(make.project(), "anybody@mx.test") == "because of @mx.test"
    assert answer(make.project(), "anybody@sub.mx.test") is None


def test_a_suppression_of_one_sending_domain_leaves_the_others_alone(answer):
    mine = make.project()
    suppress(project=mine, sender_domain="news.shop.test")
    assert answer(mine, sender="news.shop.test") is not None
    assert answer(mine, sender="shop.test") is None
    assert answer(mine, sender="") is None


def test_one_whose_time_is_over_forbids_nothing(answer):
    suppress(until=timezone.now() - timedelta(seconds=1))
    assert answer(make.project()) is None


def test_on_probation_one_message_is_let_in_and_while_it_tries_no_other(answer):
    row = suppress(probation_at=timezone.now() - timedelta(seconds=1))
    assert answer(make.project()) is None
    row.probe_id, row.probe_until = make.delivery().pk, timezone.now() + timedelta(days=1)
    row.save()
    assert answer(make.project()) is not None


def test_one_that_lets_nothing_through_comes_before_one_on_probation(answer):
    mine = make.project()
    suppress(probation_at=timezone.now() - timedelta(seconds=1))
    suppress(project=mine, reason="for good")
    assert answer(mine) == "for good"


# --- the index ---
def with_index(scene):
    async def main():
        database = Database("test")
        try:
            return await scene(Index(database))
        finally:
            await database.close()

    return asyncio.run(main())


def excludes(index, key="gone@mx.test"):
    return index.excludes(key, key.rpartition("@")[2])


def in_thread(work):
    """Write rows over another connection than that of the event loop."""

    def run():
        try:
            work()
        finally:
            connection.close()

    return asyncio.to_thread(run)


def test_what_is_suppressed_later_is_known_after_one_look():
    async def scene(index):
        await index.turn()
        assert excludes(index)
        await in_thread(suppress)
        await index.turn()
        assert not excludes(index)

    with_index(scene)


def test_a_transaction_that_is_under_way_at_a_look_is_found_by_a_later_one():
    made, may_commit = threading.Event(), threading.Event()

    def slowly():
        with transaction.atomic():
            suppress()
            made.set()
            may_commit.wait(10)

    async def scene(index):
        await index.turn()
        writing = asyncio.create_task(in_thread(slowly))
        await asyncio.to_thread(made.wait, 10)
        for number in range(3):  # others commit meanwhile, with later transaction ids
            await in_thread(lambda number=number: suppress(f"quick{number}@mx.test"))
            await index.turn()
        may_commit.set()
        await writing
        await index.turn()
        assert not excludes(index)
        assert not excludes(index, "quick2@mx.test")

    with_index(scene)


def test_an_old_open_transaction_does_not_make_each_look_read_all_that_came_since():
    begun, may_end, looks = threading.Event(), threading.Event(), []

    def stay_open():
        with transaction.atomic():
            suppress("oldest@mx.test")
            begun.set()
            may_end.wait(10)

    async def scene(index):
        await index.turn()
        fetch = index._database.fetch

        async def noted(sql, *args, **given):
            [(seen, prints)] = await fetch(sql, *args, **given)
            looks.append(len(prints) // 8)
            return [(seen, prints)]

        index._database.fetch = noted
        open_one = asyncio.create_task(in_thread(stay_open))
        await asyncio.to_thread(begun.wait, 10)
        for number in range(20):
            await in_thread(lambda number=number: suppress(f"quick{number}@mx.test"))
        for _ in range(3):
            await index.turn()
        may_end.set()
        await open_one
        await index.turn()
        assert not excludes(index, "oldest@mx.test")
        assert not excludes(index, "quick19@mx.test")

    with_index(scene)
    assert looks == [20, 0, 0, 1]


def test_a_copy_that_is_not_kept_up_is_not_believed(monkeypatch):
    monkeypatch.setattr(index_module, "TRUSTED", 3600.0)

    async def scene(index):
        await index.turn()
        assert excludes(index)
        monkeypatch.setattr(index_module, "TRUSTED", 0.0)
        assert not excludes(index)

    with_index(scene)


def test_an_index_that_was_never_read_excludes_nobody():
    assert not excludes(Index(None))


def test_after_a_failure_all_is_read_anew():
    class Broken:
        async def fetch(self, *args, **given):
            raise OSError("no route")

    async def scene(index):
        await index.turn()
        good, index._database = index._database, Broken()
        await index.turn()
        index._database = good
        await in_thread(suppress)
        await in_thread(
            lambda: connection.cursor().execute("UPDATE suppressions_suppression SET made_in = '1'")
        )
        await index.turn()
        assert not excludes(index)

    with_index(scene)


def test_very_many_new_ones_are_merged(monkeypatch):
    monkeypatch.setattr(index_module, "MOST_FRESH", 3)

    async def scene(index):
        await index.turn()
        for number in range(5):
            await in_thread(lambda number=number: suppress(f"gone{number}@mx.test"))
        await index.turn()
        assert not any(excludes(index, f"gone{number}@mx.test") for number in range(5))
        assert len(index._sorted) == 5
        assert not index._fresh

    with_index(scene)


@pytest.mark.parametrize(
    "key", ["gone@mx.test", "@mx.test", "ＧＯＮＥ@mx.test", "é…\U0001f600@xn--mx-test.invalid"]
)
def test_python_and_postgresql_make_the_same_fingerprint(key):
    with connection.cursor() as cursor:
        cursor.execute("SELECT substr(sha256(convert_to(%s, 'UTF8')), 1, 8)", [key])
        assert int.from_bytes(cursor.fetchone()[0], "big") == fingerprint(key)
