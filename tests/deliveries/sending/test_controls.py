"""What people change is heeded by all drains, whatever else is changed at the same moment."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.models import ProviderLimit, ShapingRule
from deliveries.sending.controls import Controls
from tests.deliveries import make
from tests.deliveries.stage import in_thread

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_change_that_is_committed_behind_a_later_one_is_heeded():
    make.rule("slow"), make.rule("other")
    now = timezone.now()
    row = ProviderLimit.objects.create(name="all", receivers=["slow"], connections=5)
    ProviderLimit.objects.update(changed_at=now - timedelta(seconds=9))
    ShapingRule.objects.update(changed_at=now - timedelta(seconds=9))

    def later_one():
        ShapingRule.objects.filter(name="other").update(connections=7, changed_at=now)
        ProviderLimit.objects.create(name="more", receivers=["other"], connections=1)

    def earlier_one():
        before = now - timedelta(milliseconds=5)
        ProviderLimit.objects.filter(pk=row.pk).update(connections=2, changed_at=before)

    async def main():
        database = Database("test")
        controls = Controls(database, uuid4())
        found = []
        for change in (lambda: None, later_one, earlier_one):
            await asyncio.to_thread(in_thread, change)
            await controls.read()
            found.append(controls.limits["slow"].connections)
        await database.close()
        return found

    assert asyncio.run(main()) == [5, 5, 2]
