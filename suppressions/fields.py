"""PostgreSQL's transaction ids as a column: what has been committed since a snapshot can be asked
by it.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Func


class TransactionIdField(models.Field):  # type: ignore[type-arg]  # generic for the stubs only
    """64 bits, never used again; the server fills it in."""

    def db_type(self, connection: Any) -> str:  # Django's signature
        return "xid8"


class CurrentTransaction(Func):
    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionIdField()
