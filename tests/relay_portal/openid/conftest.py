"""A real OpenID provider, and a browser that goes to it and back."""

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from relay_portal.openid import provider
from tests.journeys import peers
from tests.ports import free_port

LOGIN, RETURN = "/account/login/", "/account/provider/return/"
SECRET = "a secret of forty characters and no less"
HERE = "http://testserver"


@dataclass
class RealProvider:
    issuer: str
    people: Path
    told: list = field(default_factory=list)  # log-out tokens that it sent us

    def know(self, **people):
        self.people.write_text(json.dumps(people))


class Browser:
    """One browser: its cookies for the portal, and those for the provider."""

    def __init__(self):
        self.portal, self.outside = Client(), requests.Session()

    def log_in(self, name="mika", *, begin="/account/provider/", **form):
        """Go to the provider, say who it is, and bring its answer back."""
        there = self.portal.get(begin).headers["Location"]
        page = self.outside.get(there)
        if page.url.startswith(HERE) or "/interaction/" not in page.url:
            raise AssertionError(page.text)
        return self.bring(self._post(page.url, {"login": name, **form}))

    def _post(self, url, form):
        answer = self.outside.post(url, form, allow_redirects=False)
        return self.to_portal(answer)

    def to_portal(self, answer):
        """Follow the provider's redirects until one leads to the portal."""
        while not (place := answer.headers["Location"]).startswith(HERE):
            place = requests.compat.urljoin(answer.url, place)
            answer = self.outside.get(place, allow_redirects=False)
        return place

    def bring(self, place):
        return self.portal.get(place.removeprefix(HERE))

    def message(self):
        """Return what the log-in page says of the last try."""
        return self.portal.get(LOGIN).text


@pytest.fixture
def browser():
    return Browser()


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    """Forget what an earlier provider said of itself."""
    monkeypatch.setattr(provider, "_kept", {})
    monkeypatch.setattr(provider, "_read_anew", {})


class Sink(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.told += parse_qs(body)["logout_token"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def started(folder, *, portal, told_at):
    """Run the provider with this portal as its client; `told_at` hears of log-outs there."""
    if shutil.which("node") is None:
        peers.need_files(Path("node"))
    peers.need_files(peers.OPENID_PROVIDER)
    client = {
        "client_id": "ekiden",
        "client_secret": SECRET,
        "redirect_uris": [portal + RETURN],
        "post_logout_redirect_uris": [portal + LOGIN],
        "backchannel_logout_uri": told_at,
        "backchannel_logout_session_required": True,
    }
    port, people = free_port(), folder / "people.json"
    process = subprocess.Popen(
        ["node", Path(__file__).with_name("provider.mjs"), str(port), json.dumps(client), people],
        env={**os.environ, "OIDC_PROVIDER": str(peers.OPENID_PROVIDER / "lib/index.js")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while (line := process.stdout.readline()) and line != "ready\n":
            pass
        assert line, "the provider has ended"
        yield RealProvider(f"http://127.0.0.1:{port}", people)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    sink.told = []
    Thread(target=sink.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{sink.server_port}/"
    with started(tmp_path_factory.mktemp("openid"), portal=HERE, told_at=place) as provider:
        provider.told = sink.told
        yield provider
    sink.shutdown()
    sink.server_close()


def named(provider, settings, tmp_path):
    """Let the settings name the provider, and return it; it knows mika."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    settings.EKIDEN_OPENID_ISSUER = provider.issuer
    settings.EKIDEN_OPENID_SECRET_FILE = str(tmp_path / "secret")
    provider.know(mika={"groups": ["mail", "staff"]})
    provider.told.clear()
    return provider


@pytest.fixture
def real(running, settings, tmp_path):
    """Return the provider, as the settings name it; it knows mika."""
    return named(running, settings, tmp_path)


def asked(url):
    """Return the query of an address, each name once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def form_of(page):
    """Return the hidden fields and the address of a page's first form."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return re.search(r'<form[^>]* action="([^"]+)"', page.text)[1], dict(fields)
