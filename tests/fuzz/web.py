"""HTTP in memory: the worker that gathers requests, gunicorn's parser, and all of the portal that
is open without a log-in.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from gunicorn.config import Config

from deliveries.intake import unsubscribing
from deliveries.intake.unsubscribing import Wish
from domains.models import Project
from relay_portal import gunicorn as ours
from relay_portal.models import User
from relay_portal.serving.worker import APART, WholeRequests
from relay_portal.wsgi import application
from suppressions.models import Occurrence
from tests.fuzz.checks import Log
from tests.fuzz.targets import Ready
from tests.fuzz.web_stand_ins import _Later, _Poller, _Socket, _Threads

TURN = b"\xff"  # in an input: the client sends what follows later
PASSWORD = "a long enough password 42"
ONE_CLICK = b"List-Unsubscribe=One-Click"
HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
GET = b"GET /%s" + HOST + b"\r\n"
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t -~\x80-\xff]*")
MOST_TURNS = 1000


class _Web:
    def __init__(self) -> None:
        cfg = Config()
        for name in ("threads", "worker_connections", "keepalive", "sendfile", "logger_class"):
            cfg.set(name, getattr(ours, name))
        self.worker = WholeRequests(0, 0, [], None, 30, cfg, cfg.logger_class(cfg))
        self.worker.poller, self.worker.method_queue, self.worker.tpool = (
            _Poller(),
            _Later(),
            _Threads(),
        )
        self.worker.lanes = dict.fromkeys(APART, _Threads())
        self.worker.connections, self.worker.at_work, self.worker.places = (
            OrderedDict(),
            Counter(),
            Counter(),
        )
        self.worker.last_look = 0.0
        self.worker.alive = True
        self.worker.wsgi = self._application
        self.answers: list[tuple[dict[str, Any], str, list[tuple[str, str]]]] = []

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def noted(status: str, headers: list[tuple[str, str]], *given: Any) -> Any:
            self.answers.append((environ, status, headers))
            return start_response(status, headers, *given)

        return application(environ, noted)

    def serve(self, data: bytes) -> bytes:
        """Return all that one client is sent who says this and then nothing more."""
        worker, sock = self.worker, _Socket(data.split(TURN))
        self.answers = []
        worker._admit(sock, ("203.0.114.7", 40_000), ("192.0.2.1", 8000))
        for _ in range(MOST_TURNS):
            worker.method_queue.take_turn()
            if sock in worker.poller.watched:
                _, go_on = worker.poller.watched[sock]
                go_on(sock)
            if sock.is_closed and not worker.method_queue.calls:
                break
        else:
            raise AssertionError("the connection does not end")
        assert (worker.nr_conns, len(worker.connections), len(worker.poller.watched)) == (
            0,
            0,
            0,
        ), "something of it is left"
        assert not +worker.at_work and not +worker.places
        return bytes(sock.sent)


def ready() -> Ready:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EKIDEN_PUBLIC_URL = "https://mail.test"
    settings.ALLOWED_HOSTS = ["localhost", "mail.test"]
    project = Project.objects.create(name="fuzz")
    user = User.objects.create_user(
        "otto", password=PASSWORD, is_staff=True, role="owner", is_limited=False
    )
    TOTPDevice.objects.create(user=user, name="default")
    link = unsubscribing.url_of(Wish(project.pk, "you@mx.test")).removeprefix("https://mail.test")
    half_way = Client(headers={"Host": "localhost"})
    half_way.post(
        "/account/login/",
        {"auth-username": "otto", "auth-password": PASSWORD, "log_in-current_step": "auth"},
    )
    session = half_way.cookies[settings.SESSION_COOKIE_NAME].value
    kept = Session.objects.get()
    web = _Web()
    log = Log().install()
    token = link.split("/")[2].encode()

    def one(data: bytes) -> None:
        sent = web.serve(data)
        _check(web, sent)
        assert not _is_inside(web)
        learned = Occurrence.objects.filter(project=project)
        if learned.exists():
            said = data.replace(TURN, b"")  # pauses between two pieces
            assert token in said.lower() and b"POST" in said, (
                "unsubscribed without the link, or by a look at it"
            )
            learned.delete()
        if any(environ["REQUEST_METHOD"] == "POST" for environ, _, _ in web.answers):
            AccessAttempt.objects.all().delete()  # else the address is locked out
            AccessFailureLog.objects.all().delete()
            Session.objects.exclude(pk=kept.pk).delete()
            kept.save()
        log.check()

    one(seeds(link.encode(), session.encode())[0])
    assert [status for _, status, _ in web.answers] == ["200 OK"], "the first seed gets nowhere"
    return Ready(one, seeds(link.encode(), session.encode()), WORDS)


def _check(web: _Web, sent: bytes) -> None:
    for environ, status, headers in web.answers:
        code = int(status.split()[0])
        assert code < 500 or code == 503, (
            f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']!r} is answered {status}"
        )
        for name, value in headers:
            assert not re.search(r"[\r\n\0]", name + value), "a header field of a stranger's"
    if not sent:
        return
    head = sent.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert re.fullmatch(rb"HTTP/1\.[0-9] (?:[1-4][0-9][0-9]|501|503|505) [ -~]*", head[0]), head[0]
    assert all(_FIELD.fullmatch(line) for line in head[1:]), f"no header: {head}"


def _is_inside(web: _Web) -> bool:
    """Tell whether a page was given that demands a second factor."""
    closed = ("/deliveries/", "/domains/", "/suppressions/", "/relay_portal/")
    return any(
        environ["PATH_INFO"].startswith(closed) and status.startswith("200")
        for environ, status, _ in web.answers
    )


def seeds(link: bytes, session: bytes) -> list[bytes]:
    return [*_unsubscriptions(link), *_pages(session), *_malformed()]


def _post(path: bytes, body: bytes, fields: bytes) -> bytes:
    return b"POST %s%s%sContent-Length: %d\r\n\r\n%s" % (path, HOST, fields, len(body), body)


def _unsubscriptions(link: bytes) -> list[bytes]:
    multipart = (
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        b"One-Click\r\n"
        b"--x--\r\n"
    )
    in_chunks = FORM + b"Transfer-Encoding: chunked\r\n\r\n" + TURN
    chunks = b"1a\r\n" + ONE_CLICK + b"\r\n0\r\nA: b\r\n\r\n"
    return [
        GET % link[1:],
        _post(link, ONE_CLICK, FORM),
        _post(link, multipart, b"Content-Type: multipart/form-data; boundary=x\r\n"),
        b"HEAD " + link + HOST + b"\r\n",
        b"POST " + link + HOST + in_chunks + chunks + GET % b"health/",
        GET % b"u/aaaa/" + GET % b"u/%E3%81/",
    ]


def _pages(session: bytes) -> list[bytes]:
    csrf = b"c" * 32
    cookies = b"Cookie: ekiden_csrf=%s; ekiden_session=%s; ekiden_language=ja\r\n" % (csrf, session)
    fields, token = FORM + cookies, b"csrfmiddlewaretoken=" + csrf
    step = token + b"&log_in-current_step="
    password = PASSWORD.replace(" ", "+").encode()
    return [
        *(GET % path for path in (b"metrics/", b"static/admin/css/base.css", b"")),
        GET % b"health/" * 3,
        GET % b"account/login/?next=//evil.test/",
        _post(b"/account/login/", step + b"auth&auth-username=otto&auth-password=wrong", fields),
        _post(
            b"/account/login/?next=/domains/",
            step + b"auth&auth-username=otto&auth-password=" + password,
            fields,
        ),
        _post(b"/account/login/", step + b"token&token-otp_token=123456", fields),
        _post(b"/account/login/", step + b"backup&backup-otp_token=abc", fields),
        _post(b"/language/", token + b"&language=ja&next=/%0d%0aX:y", fields),
        _post(b"/account/logout/", token, fields),
        b"GET /account/security/passkey/get_credential/" + HOST + cookies + b"\r\n",
        GET % b"domains/credential/?secret_hash__startswith=a",
    ]


def _malformed() -> list[bytes]:
    return [
        (
            b"GET http://h/ HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4, ::1%25\r\n"
            b"X-Forwarded-Proto: https\r\nForwarded: for=x\r\n\r\n"
        ),
        (
            b"GET / HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /u/x/" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n" + TURN + b"a=b",
        b"OPTIONS *" + HOST + b"\r\n",
        b"\r\n\r\n",
        GET % b"%00%0a%80/",
        b"GET /health/"
        + HOST
        + b"Accept-Language: ja;q=\xff, *\r\nAccept-Encoding: gzip;q=x\r\n"
        + b"Cookie: ekiden_session=\x80\r\n\r\n",
    ]


WORDS = [
    TURN, b"\r\n", b"GET ", b"POST ", b"HEAD ", b" HTTP/1.1\r\n", b"Host: localhost\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Forwarded-For: ", b"X-Forwarded-Proto: https\r\n", (b"Content-Type: "
        b"multipart/form-data; boundary=x\r\n"), b"Upgrade: h2c\r\n",
    b"Referer: ", b"Origin: null\r\n", b"Cookie: ", b"%00", b"%0d%0a", b"/u/", b"/health/",
    b"/metrics/", b"/account/login/",
    b"/language/", b"/static/", b"?next=", b"csrfmiddlewaretoken=", b"Range: bytes=0-1\r\n",
    b"If-Modified-Since: ",
    b"Accept-Language: ja\r\n", b"auth-username=", b"token-otp_token=", b"0\r\n\r\n",
    b"ffffffff\r\n",
]  # fmt: skip
