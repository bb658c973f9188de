import pytest

from domains.foundation import sql
from domains.models import Project

pytestmark = pytest.mark.django_db
NUMBERS = "SELECT n, -n FROM generate_series(1, %(most)s) n ORDER BY n"


def test_rows_columns_and_values_are_read():
    assert sql.rows(NUMBERS, {"most": 2}) == [(1, -1), (2, -2)]
    assert sql.column(NUMBERS, {"most": 3}) == [1, 2, 3]
    assert sql.value(NUMBERS, {"most": 3}) == 1


def test_no_row_has_no_value():
    assert sql.rows(NUMBERS, {"most": 0}) == sql.column(NUMBERS, {"most": 0}) == []
    assert sql.value(NUMBERS, {"most": 0}) is None


def test_what_a_statement_changed_is_counted():
    Project.objects.create(name="east")
    renamed = "UPDATE domains_project SET name = %s WHERE name = %s"
    assert sql.run(renamed, ["west", "east"]) == 1
    assert sql.run(renamed, ["west", "east"]) == 0
