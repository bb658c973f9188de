"""Access tokens of smarthosts that are changed or taken back while one is asked for."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Smarthost
from deliveries.routing import smarthost_secrets, smarthosts
from deliveries.sending.known_smarthosts import SMARTHOSTS, known
from deliveries.sending.smarthost_logins import GOT, ROTATED, NoLogin, SmarthostLogins
from domains.senders.keys import ring
from tests.deliveries import make
from tests.deliveries.stage import in_thread

pytestmark = pytest.mark.usefixtures("mail_db")


def refreshing(token_url):
    """Make a smarthost that is logged in at by a refresh token."""
    row = make.smarthost(
        mechanism="XOAUTH2", username="relay", grant="refresh_token", client_id="relay",
        token_url=token_url,
    )  # fmt: skip
    row.sealed = smarthost_secrets.sealed({"refresh_token": "the first"}, ring())
    row.save()
    return row


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


class RotatingServer(BaseHTTPRequestHandler):
    """Grants a token for a refresh token, and a newer one of these, as OAuth 2.1 asks for."""

    given = 0
    may_answer = threading.Event()

    def do_POST(self):
        RotatingServer.given += 1
        number = RotatingServer.given
        RotatingServer.may_answer.wait(60)
        answer = {
            "access_token": f"token {number}", "expires_in": 3600, "token_type": "Bearer",
            "refresh_token": f"refresh {number}",
        }  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


class AwayOnce(Database):
    """Goes away for one statement: PostgreSQL is started again."""

    def __init__(self, statement):
        super().__init__("test")
        self._statement = statement

    async def fetch(self, sql, *given, **more):
        if sql == self._statement:
            self._statement = ""
            raise DatabaseUnavailable("it is started again")
        return await super().fetch(sql, *given, **more)


@pytest.fixture
def token_url():
    RotatingServer.given = 0
    RotatingServer.may_answer.set()
    server = HTTPServer(("localhost", 0), RotatingServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("statement", [ROTATED, GOT], ids=["refresh token", "token"])
def test_what_an_authorization_server_gave_outlives_a_restart_of_postgresql(token_url, statement):
    row = refreshing(token_url)

    async def main():
        database = AwayOnce(statement)
        logins = SmarthostLogins(database)
        try:
            [found] = await database.fetch(SMARTHOSTS)
            async with asyncio.timeout(10):
                return await logins.login(known(found))
        finally:
            await logins.close()
            await database.close()

    login = asyncio.run(main())
    row.refresh_from_db()
    assert (login.secret, RotatingServer.given) == ("token 1", 1)
    assert smarthosts.kept_secrets(row)["refresh_token"] == "refresh 1"


@pytest.mark.parametrize(("meanwhile", "then"), [
    ({"refresh_token": "the first"}, "refresh 1"),  # put under a newer key of the ring
    ({"refresh_token": "the first", "client_secret": "newer"}, "refresh 1"),
    ({"refresh_token": "a person's"}, "a person's"),
])  # fmt: skip
def test_a_newer_refresh_token_is_kept_beside_what_is_changed_meanwhile(token_url, meanwhile, then):
    row = refreshing(token_url)
    RotatingServer.may_answer.clear()

    def write():
        again = smarthost_secrets.sealed(meanwhile, ring())
        Smarthost.objects.update(sealed=again)

    async def main():
        database = Database("test")
        logins = SmarthostLogins(database)
        [found] = await database.fetch(SMARTHOSTS)
        asking = asyncio.create_task(logins.login(known(found)))
        while not RotatingServer.given:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(in_thread, write)
        RotatingServer.may_answer.set()
        await asking
        await logins.close()
        await database.close()

    asyncio.run(main())
    row.refresh_from_db()
    assert smarthosts.kept_secrets(row) == meanwhile | {"refresh_token": then}


def test_what_an_authorization_server_gives_as_the_drain_ends_is_kept(token_url):
    row = refreshing(token_url)
    RotatingServer.may_answer.clear()

    async def main():
        database = Database("test")
        logins = SmarthostLogins(database)
        [found] = await database.fetch(SMARTHOSTS)
        asking = asyncio.create_task(logins.login(known(found)))
        while not RotatingServer.given:
            await asyncio.sleep(0.01)
        asking.cancel()
        closing = asyncio.create_task(logins.close())
        await asyncio.sleep(0)
        RotatingServer.may_answer.set()
        await closing
        await database.close()

    asyncio.run(main())
    row.refresh_from_db()
    assert smarthosts.kept_secrets(row) == {"refresh_token": "refresh 1"}
