"""Everything has an end: each table and key has an owner who says how long, and what he says is
done.
"""

import ast
import os
import re
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.jobs import retention
from deliveries.queue.wakeups import CHANNEL
from domains.foundation.upkeep import retention as kept
from tests.conftest import without_an_end
from tests.rows import ROWS
from tests.test_layers import ROOT, modules

EMPTIED = {table.name: table for table in kept.tables() if table.delete}
LITTLE = timedelta(minutes=1)
# Rows of each table for the plans: `EKIDEN_ROWS=1000000` for a look at the whole size.
MANY = int(os.environ.get("EKIDEN_ROWS", "20000"))
SPREAD = f"now() - n * interval '400 days' / {MANY}"
DISTINCT = {
    "receiver": "'r' || n",
    "domain": "'d' || n",
    "site": "'s' || n",
    "session_key": "'k' || n",
    "key": "int8send(n)",
    "username": "'u' || n",
    "number": "n",
    "name": "'n' || n",
}
COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()
    AND table_name = %s
    AND is_identity = 'NO' AND is_generated = 'NEVER'
"""


@pytest.mark.django_db
def test_every_table_has_one_owner():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', "
            "'information_schema')"
        )
        real = sorted(name for (name,) in cursor.fetchall())
    assert sorted(table.name for table in kept.tables()) == real


def test_every_key_in_the_code_has_an_owner():
    patterns = [keys.pattern for keys in kept.key_patterns()]
    written = {
        text
        for path in modules()
        for text in literals(path)
        if text.startswith("ekiden:") and " " not in text
    } - {CHANNEL}
    assert written
    # Of an f-string its beginning is there, which a pattern has to go on from.
    assert {
        text
        for text in written
        if not any(fnmatchcase(text, each) or fnmatchcase(text + "x", each) for each in patterns)
    } == set()


def test_a_key_without_an_owner_or_an_end_is_noticed(valkey):
    valkey.set("ekiden:minute:1:2", 1, ex=60)
    assert list(without_an_end(valkey)) == []
    valkey.mset({"ekiden:minute:1:2": 1, "ekiden:unheard-of": 1})
    assert sorted(without_an_end(valkey)) == ["ekiden:minute:1:2", "ekiden:unheard-of"]
    valkey.flushdb()


def test_the_handbook_says_what_the_code_does():
    page = (
        (ROOT / "docs" / "operations.md")
        .read_text(encoding="utf-8")
        .partition("\n## Retention\n")[2]
        .partition("\n## ")[0]
    )
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    given = [(each.name, each.kept, each.removal, each.reason) for each in kept.tables()]
    given += [(each.pattern, each.kept, each.removal, each.reason) for each in kept.key_patterns()]
    assert rows == [(f"`{name}`", *words) for name, *words in given]


def literals(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and path.name != kept.PLACE + ".py"
        ):
            yield node.value


@pytest.mark.django_db
@pytest.mark.parametrize("name", EMPTIED)
def test_what_is_past_its_time_goes_and_what_is_younger_stays(name):
    border = timezone.now() - timedelta(days=EMPTIED[name].days)
    old, young = ROWS[name](border - LITTLE), ROWS[name](border + LITTLE)
    assert retention.retain(now=timezone.now())
    assert set(type(old).objects.filter(pk__in=[old.pk, young.pk])) == {young}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", EMPTIED)
def test_a_batch_is_found_by_an_index_however_large_the_table_is(name):
    made = ROWS[name](timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [name])
        given = {column: value(column, type_) for column, type_ in cursor.fetchall()}
        chosen, values = ", ".join(f'"{column}"' for column in given), ", ".join(given.values())
        cursor.execute(
            f"INSERT INTO {name} ({chosen}) SELECT {values} FROM {name} kept, generate_series(1, "
            f'{MANY}) n WHERE kept."{made._meta.pk.column}" = %s',
            [made.pk],
        )
        cursor.execute(f"VACUUM (ANALYZE) {name}")
        before = timezone.now() - timedelta(days=EMPTIED[name].days)
        cursor.execute(
            "EXPLAIN " + EMPTIED[name].delete,
            {"before": before, "before_id": retention.first_id_of(before), "most": 500},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert not re.search(rf"Seq Scan on {name}\b", plan), plan
    assert re.search(rf"Scan using \w+ on {name}\b|Bitmap Index Scan on \w+", plan), plan


def value(column, type_):
    if (column == "key" and type_ == "text") or (
        column == "report_id" and type_.startswith("char")
    ):
        return "'k' || n"
    if column in DISTINCT:
        return DISTINCT[column]
    if type_ == "uuid":
        return "gen_random_uuid()"
    return SPREAD if type_.startswith("timestamp") else f'kept."{column}"'
