"""Empties the database after a test whose rows others could see.

Django's own way truncates every table and makes content types and permissions anew, which takes a
third of a second. Most tests fill a few tables with a few rows: those are deleted, and what
migrations made stays, so that no test sees who was there before it.
"""

from django.db import connection
from django.test import TransactionTestCase

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
MANY = 2000  # rows from which on a new file is cheaper than deleting


def _filled(cursor):
    """Return the names of the tables that hold rows, each with whether these are many."""
    tables = set(
        connection.introspection.django_table_names(only_existing=True, include_views=False)
    )
    looks = [
        (
            f"SELECT '{name}', EXISTS (SELECT FROM {quoted} OFFSET {MANY}) WHERE EXISTS (SELECT "
            "FROM "
            f"{quoted})"
        )
        for name, quoted in (
            (name, connection.ops.quote_name(name)) for name in sorted(tables - KEPT)
        )
    ]
    cursor.execute(" UNION ALL ".join(looks))
    return cursor.fetchall()


def empty(self):
    """Stand in for `TransactionTestCase._fixture_teardown`."""
    with connection.cursor() as cursor:
        filled = _filled(cursor)
        if large := [connection.ops.quote_name(name) for name, is_large in filled if is_large]:
            cursor.execute(
                "SET session_replication_role = replica; "  # the audit log takes no TRUNCATE
                f"TRUNCATE {', '.join(large)} CASCADE; SET session_replication_role = origin"
            )
        if small := [name for name, is_large in filled if not is_large]:
            deletes = "; ".join(f"DELETE FROM {connection.ops.quote_name(name)}" for name in small)
            # Without foreign keys and triggers: all that is referred to goes as well.
            cursor.execute(
                f"SET session_replication_role = replica; {deletes}; SET "
                "session_replication_role = origin"
            )
    make_lanes()


def make_lanes():
    """Make the lanes that migrations make."""
    from deliveries.models import Lane

    lanes = [Lane(id=Lane.ROUTING, site="(routing)"), Lane(id=Lane.PARKED, site="(held)")]
    Lane.objects.bulk_create(lanes, ignore_conflicts=True)


TransactionTestCase._fixture_teardown = empty
