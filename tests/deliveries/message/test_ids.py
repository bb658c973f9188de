from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from deliveries.message.ids import first_id_of, made_at, new_id


def test_ids_sort_by_the_time_they_were_made():
    ids = [new_id() for _ in range(1000)]
    assert [id_.int >> 64 for id_ in ids] == sorted(id_.int >> 64 for id_ in ids)


def test_an_id_is_a_version_7_uuid():
    assert (new_id().version, new_id().variant) == (7, RFC_4122)


def test_an_id_tells_when_it_was_made():
    assert abs(made_at(new_id()) - datetime.now(UTC)) < timedelta(seconds=1)


def test_the_first_id_of_a_moment_bounds_those_made_after_it():
    moment = datetime.now(UTC)
    assert first_id_of(moment) < new_id() < first_id_of(moment + timedelta(minutes=1))


def test_ids_do_not_repeat():
    assert len({new_id() for _ in range(10_000)}) == 10_000
