"""A row that PostgreSQL refuses to write: what handles it has to go on with the others."""

import pytest
from django.db import connection

REFUSE = """
CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'poison: this row cannot be written'; END $$;
CREATE TRIGGER poison BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW
    WHEN (OLD.{column}::text = '{key}') EXECUTE FUNCTION refuse_poison();
"""
FORGET = "DROP TRIGGER poison ON {table}; DROP FUNCTION refuse_poison();"


@pytest.fixture
def poison():
    """Have PostgreSQL refuse to write this row from now on."""
    made = []

    def spoil(row, column="id"):
        table = row._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(REFUSE.format(table=table, column=column, key=row.pk))
        made.append(table)

    yield spoil
    with connection.cursor() as cursor:
        for table in made:
            cursor.execute(FORGET.format(table=table))
