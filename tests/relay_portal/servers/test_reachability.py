"""Waiting for the servers: only for what can change, and the rest in the server's own words at
once.
"""

import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from django.conf import settings as real
from django.db import connection

from domains.foundation.command import CommandError
from relay_portal.servers import reachability
from relay_portal.setup.environment import database
from tests.ports import free_port


@pytest.fixture
def asked(transactional_db, monkeypatch):
    """Ask with other parameters; a list of what people were told."""
    said = []

    def ask(patience=0.3, **parameters):
        given = connection.get_connection_params() | parameters
        monkeypatch.setattr(connection, "get_connection_params", lambda: given)
        connection.close()
        try:
            reachability.wait_for_database(said.append, patience)
        finally:
            monkeypatch.undo()
            connection.close()

    ask.said = said
    return ask


def test_what_is_there_is_not_waited_for(db):
    said = []
    reachability.wait_for_database(said.append)
    reachability.wait_for_valkey(said.append)
    assert said == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"dbname": "nodb"}, 'database "nodb" does not exist'),
        ({"user": "nobody-at-all"}, 'role "nobody-at-all" does not exist'),
    ],
)
def test_a_refusal_is_told_at_once_in_the_servers_words(asked, parameters, words):
    with pytest.raises(
        CommandError, match=f"PostgreSQL at .* refuses: FATAL: {words} .DATABASE_URL.$"
    ):
        asked(patience=100, **parameters)


def test_a_server_without_tls_is_told_at_once(asked):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse():  # what PostgreSQL says to SSLRequest when it has no TLS
            with suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    peer.recv(100)
                    peer.sendall(b"N")
                    peer.close()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(
            CommandError, match="refuses: server does not support SSL, but SSL was required"
        ):
            asked(
                patience=100,
                host="127.0.0.1",
                port=server.getsockname()[1],
                sslmode="require",
                connect_timeout=2,
            )


@pytest.mark.parametrize("place", [{"host": "/nowhere"}, {"host": "127.0.0.1"}])
def test_what_is_not_there_yet_is_waited_for(asked, place, monkeypatch):
    monkeypatch.setattr(reachability, "SILENCE", 0)
    with pytest.raises(
        CommandError, match=r"does not answer at .*: (Connection refused|No such file)"
    ):
        asked(**place, port=free_port())


def test_people_are_told_what_is_waited_for():
    looks, said = [reachability.ServerTrouble("not yet", is_passing=True)] * 3, []
    reachability.SILENCE, silence = 0.0, reachability.SILENCE
    try:
        reachability._wait(
            "X", "x://h", "X_URL", lambda: looks.pop() if looks else None, said.append, 5
        )
    finally:
        reachability.SILENCE = silence
    assert said == ["Waiting for X at x://h: not yet"]


STARTING = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
fields = b"S" + "致命的".encode() + b"\\0VFATAL\\0C57P03\\0M" + "起動中です".encode() + b"\\0\\0"
while True:
    peer, _ = server.accept()
    peer.recv(1000)
    peer.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
    peer.close()
"""


def test_a_server_that_starts_is_waited_for_whatever_its_language(asked):
    """57P03 in Japanese: libpq knows it by its code.

    The server is a process, since PQping keeps Python's lock.
    """
    with subprocess.Popen(
        [sys.executable, "-c", STARTING], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            with pytest.raises(CommandError, match=r"does not answer at .*起動中です"):
                asked(
                    host="127.0.0.1",
                    port=int(server.stdout.readline()),
                    sslmode="disable",
                    gssencmode="disable",
                )
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"-WRONGPASS invalid username-password pair\r\n", ("refuses: .*invalid username-password "
        "pair")),
     (b"-LOADING Valkey is loading the dataset in memory\r\n", "does not answer at")],
)  # fmt: skip
def test_valkey_is_judged_the_same_way(settings, answer, words):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            while True:
                try:
                    peer, _address = server.accept()
                except OSError:
                    return
                peer.recv(1000)
                peer.sendall(answer * 4)
                time.sleep(0.05)
                peer.close()

        threading.Thread(target=reply, daemon=True).start()
        settings.REDIS_URL = f"redis://:secret@127.0.0.1:{server.getsockname()[1]}/0"
        with pytest.raises(CommandError, match=words) as told:
            reachability.wait_for_valkey(lambda text: None, 0.3)
        assert "secret" not in str(told.value)


def test_a_closed_valkey_is_waited_for(settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(
        CommandError, match=r"Valkey does not answer at redis://.*Connection refused"
    ):
        reachability.wait_for_valkey(lambda text: None, 0.3)


def test_no_password_is_in_what_people_are_told():
    assert reachability.without_password("postgres://ekiden:hidden@h/d") == "postgres://…@h/d"
    assert urlsplit(real.DATABASE_URL).scheme == "postgres" and database(real.DATABASE_URL)
