"""How PostgreSQL reads the queue, by statistics of the wrong moment."""

import re

import pytest
from django.db import connection

from deliveries.queue.expiry import SWEEP
from deliveries.queue.give_backs import UNCLAIM
from deliveries.queue.lane_statements import CLAIMS, DUE, MOVE
from deliveries.queue.ledger_entries import RECORD
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

ENDED = """
INSERT INTO deliveries_delivery (id, message_id, project_id, recipient, recipient_key, domain,
    notify, orcpt, lane_id, priority, flow,
    state, attempt_count, due_at, expires_at, ended_at, claim, is_in_doubt, owes_report)
SELECT gen_random_uuid(), gen_random_uuid(), 1, 'u', 'u', 'mx.test', '', '', %(lane)s, 1, 1,
    'delivered', 1,
    NULL, now(), now(), 0, false, false
FROM generate_series(1, 30000)
"""
FOUND = re.compile(
    r"(?:Scan using|Bitmap Index Scan on) (deliver\w+)|(Seq Scan on deliveries_delivery)\b"
)


@pytest.fixture
def quiet():
    """End all before the table is analysed: a plan for no live rows might as well read all of
    them.
    """
    with connection.cursor() as cursor:
        cursor.execute(ENDED, {"lane": make.lane().pk})
        cursor.execute("VACUUM (ANALYZE) deliveries_delivery")


def read_by(statement):
    """Return the indexes of deliveries in the plan that PostgreSQL makes once, whatever the
    parameters.
    """
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(
        r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", statement
    ).replace("%%", "%")
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (GENERIC_PLAN, COSTS OFF) " + numbered)
        found = FOUND.findall("\n".join(line for (line,) in cursor.fetchall()))
    return {
        index or scan
        for index, scan in found
        if index.startswith("delivery_") or index == "deliveries_delivery_pkey" or scan
    }


@pytest.mark.parametrize("statement", [CLAIMS[2], CLAIMS[20], CLAIMS[500], DUE])
def test_the_first_claims_after_a_quiet_time_read_only_what_they_take(quiet, statement):
    assert read_by(statement) <= {"delivery_claim_order", "deliveries_delivery_pkey"}


@pytest.mark.parametrize("statement", [RECORD, UNCLAIM, MOVE])
def test_what_is_known_by_its_id_is_found_by_it(quiet, statement):
    assert read_by(statement) == {"deliveries_delivery_pkey"}


def test_the_sweep_reads_what_is_past_its_deadline(quiet):
    assert "delivery_by_deadline" in read_by(SWEEP)
