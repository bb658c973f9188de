"""A real listener on loopback, on a thread of its own, with real PostgreSQL and Valkey."""

import asyncio
import base64
import smtplib
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
import uvloop
from django.utils import timezone

from domains.models import Domain
from domains.senders.credentials import issue
from smtp_listener.sessions.server import Listener
from tests.deliveries import make
from tests.ports import free_port


class Running:
    """A listener and the ways to talk to it."""

    def __init__(self, settings):
        self.settings = settings
        self.loop = uvloop.new_event_loop()  # as in production
        self.listener = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    async def _start(self):
        self.listener = Listener()
        await self.listener.start()
        self._ready.set()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10), "the listener did not start"
        return self

    def __exit__(self, *_):
        if not self.listener.is_draining:
            self.stop(0.2)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    def run(self, coroutine):
        """Run it on the listener's loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self, patience):
        self.run(self.listener.stop(patience))

    def wait_until_empty(self):
        self.run(self.listener._wait_for_sessions(5))
        assert not self.listener.sessions

    def connect(self, port="submission", *, tls=True, login=None):
        """Return an smtplib client, greeted; under TLS unless told otherwise."""
        context = insecure()
        if port == "submissions":
            client = smtplib.SMTP_SSL("127.0.0.1", self.port(port), timeout=10, context=context)
        else:
            client = smtplib.SMTP("127.0.0.1", self.port(port), timeout=10)
            if tls:
                client.starttls(context=context)
        client.ehlo("client.test")
        if login:
            client.login(*login)
        return client

    def port(self, name):
        return getattr(self.settings, f"EKIDEN_{name.upper()}_PORT")

    @contextmanager
    def raw(self, port="submission"):
        """Yield a plain socket, greeted."""
        client = Raw(socket.create_connection(("127.0.0.1", self.port(port)), timeout=5))
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def raw_app(self, login, port="submission"):
        """Return the bytes of an app that has logged in."""
        with self.raw(port) as app:
            app.say(b"EHLO app.test")
            app.start_tls()
            app.say(b"EHLO app.test")
            assert app.say(b"AUTH PLAIN " + plain(*login)).startswith("235")
            yield app


def insecure():
    """Return TLS that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def plain(username, secret):
    return base64.b64encode(f"\0{username}\0{secret}".encode())


class Raw:
    """Bytes out, replies in."""

    def __init__(self, connection):
        self.socket = connection
        self.file = connection.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        """Return one whole reply; empty at the end of the connection."""
        lines = []
        while True:
            line = self.file.readline()
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines).decode()

    def send(self, data):
        self.socket.sendall(data)

    def say(self, line):
        self.send(line + b"\r\n")
        return self.reply()

    def begin(self, *recipients, mail_from="shop@shop.test"):
        """Say MAIL and RCPT, and see that they are accepted."""
        assert self.say(f"MAIL FROM:<{mail_from}>".encode()).startswith("250")
        for recipient in recipients or ("you@mx.test",):
            assert self.say(f"RCPT TO:<{recipient}>".encode()).startswith("250")

    def start_tls(self):
        assert self.say(b"STARTTLS").startswith("220")
        context = insecure()
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def is_closed(self):
        """Tell whether nothing more comes."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True


@pytest.fixture
def limits(settings, tmp_path):
    """Set ports and a small world for one listener; a test may change more of it before it
    starts.
    """
    settings.EKIDEN_HOSTNAME = "relay.test"
    settings.EKIDEN_BIND = "127.0.0.1"
    for name in ("SUBMISSION", "SUBMISSIONS", "MX"):
        setattr(settings, f"EKIDEN_{name}_PORT", free_port())
    return settings


@pytest.fixture
def listener(mail_db, limits):
    with Running(limits) as running:
        yield running


@pytest.fixture
def domain(mail_db):
    return Domain.objects.create(
        project=make.project(), name="shop.test", token="x", verified_at=timezone.now()
    )


@pytest.fixture
def login(domain):
    """Return user name and secret of a credential that may send as shop.test."""
    credential, secret = issue(domain.project, "app")
    return credential.username, secret


@pytest.fixture
def client(listener, login):
    """Yield an app's session: TLS on, logged in."""
    with listener.connect(login=login) as connected:
        yield connected
