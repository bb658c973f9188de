"""Access tokens of smarthosts that are changed or taken back while one is asked for."""

import asyncio

import pytest

from deliveries.backends.database import Database
from deliveries.models import Smarthost
from deliveries.sending.known_smarthosts import SMARTHOSTS, known
from deliveries.sending.smarthost_logins import NoLogin, SmarthostLogins
from tests.deliveries import make
from tests.deliveries.stage import in_thread

pytestmark = pytest.mark.usefixtures("mail_db")


def test_nobody_asks_on_for_a_smarthost_that_is_gone():
    make.smarthost(
        mechanism="XOAUTH2", username="relay", grant="client_credentials", client_id="relay",
        token_url="http://localhost:9/token",
    )  # fmt: skip

    async def main():
        database = Database("test")
        logins = SmarthostLogins(database)
        try:
            [row] = await database.fetch(SMARTHOSTS)
            await asyncio.to_thread(in_thread, Smarthost.objects.all().delete)
            with pytest.raises(NoLogin, match="removed"):
                async with asyncio.timeout(5):
                    await logins.login(known(row))
        finally:
            await logins.close()
            await database.close()

    asyncio.run(main())
