"""The portal behind nginx with the handbook's lines, on a port that is not 443: people can log in,
and their addresses are seen.
"""

import http.client
import json
import re
import subprocess
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import pytest

from tests.journeys.rig import wait_until
from tests.outside.proxies import block, nginx
from tests.outside.service import HOST, careless
from tests.ports import free_port

NAME = "portal.example.com"
SETTINGS = {"EKIDEN_ALLOWED_HOSTS": f"{NAME},localhost"}
INVITATION = "/account/invitation/"
PASSWORD = "a long enough password 42"
LOGIN = "/account/login/"
CLIENT = "127.0.0.9"


@contextmanager
def before(service, folder, change=lambda text: text):
    """Run nginx before the portal and give its port; of the handbook's lines only ports and the
    certificate's place are changed.
    """
    port = free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
         "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (
        block("nginx")
        .replace("/etc/ssl/portal", str(folder))
        .replace("127.0.0.1:8000", f"{HOST}:{service.portal}")
    )
    text = change(
        text.replace("listen 443", f"listen {HOST}:{port}").replace(
            "listen [::]:443", f"listen [::1]:{port}"
        )
    )
    with open(folder / "said", "wb") as said:
        running = subprocess.Popen(nginx(text, folder), stdout=said, stderr=said)
    try:
        wait_until(lambda: answers(port), f"nginx answers: {folder}", 60)
        yield port
    finally:
        running.terminate()
        running.wait(300)


def answers(port):
    try:
        return Browser(port).ask("GET", LOGIN)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Browser:
    """What a browser does: TLS, cookies, and the address of its page with each form."""

    def __init__(self, port):
        self.port, self.cookies, self.set = port, {}, []

    def ask(self, method, path, fields=None, **headers):
        asking = http.client.HTTPSConnection(
            HOST, self.port, timeout=60, context=careless(), source_address=(CLIENT, 0)
        )
        told = {
            "Host": f"{NAME}:{self.port}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if fields:
            address = f"https://{NAME}:{self.port}"
            told |= {
                "Origin": address,
                "Referer": address + path,
                "Content-Type": "application/x-www-form-urlencoded",
            }
        asking.request(method, path, urlencode(fields) if fields else None, told | headers)
        answer = asking.getresponse()
        body = answer.read().decode()
        self.set = answer.headers.get_all("Set-Cookie") or []
        self.cookies |= dict(cookie.partition(";")[0].split("=", 1) for cookie in self.set)
        asking.close()
        return answer.status, body

    def send(self, path, fields, **headers):
        _, page = self.ask("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        return self.ask("POST", path, {"csrfmiddlewaretoken": token, **fields}, **headers)

    def log_in(self, name, password, **headers):
        fields = {
            "auth-username": name,
            "auth-password": password,
            "log_in-current_step": "auth",
        }
        return self.send(LOGIN, fields, **headers)


@pytest.fixture
def invitation(service):
    """Return the path of a link that lets somebody choose a password."""
    link = json.loads(service.command("person", "invite", "anna", "--json"))["link"]
    return urlsplit(link).path


def test_people_come_in_on_a_port_that_is_not_443(service, invitation, tmp_path):
    with before(service, tmp_path) as port:
        browser = Browser(port)
        assert browser.ask("GET", invitation)[0] == 302
        chosen = {"new_password1": PASSWORD, "new_password2": PASSWORD}
        assert browser.send(INVITATION, chosen)[0] == 302
        assert browser.set and all("; Secure" in cookie for cookie in browser.set)
        assert browser.ask("GET", "/account/security/setup/")[0] == 200
        status, _ = Browser(port).log_in(
            "nobody", "wrong", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
        )
    assert status == 200
    service.wait_for(
        lambda: f"event=login-failed client={CLIENT} user=nobody" in service.log(),
        "the client's own address is in the log",
    )
    assert "by TLS, and the client's address is known" in service.running.run("doctor").stdout


def test_the_doctor_notices_a_proxy_that_hides_addresses(service, tmp_path):
    with before(service, tmp_path, lambda text: re.sub(r".*X-Forwarded-For.*\n", "", text)) as port:
        assert Browser(port).log_in("nobody", "wrong")[0] == 200
    said = service.running.run("doctor").stdout
    assert f"hides the address: all count as {HOST}." in said and "plain HTTP" not in said


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda text: text.replace("$http_host", "$host"), f"https://{NAME}"),
        (lambda text: re.sub(r".*X-Forwarded-Proto.*\n", "", text), f"http://{NAME}:%s"),
    ],
    ids=["the port is dropped", "the scheme is not told"],
)
def test_without_a_line_the_refusal_says_which(service, tmp_path, change, seen):
    with before(service, tmp_path, change) as port:
        status, page = Browser(port).log_in("nobody", "wrong")
    assert status == 403
    assert (
        f"from https://{NAME}:{port}, and the portal was asked as {seen.replace('%s', str(port))}."
        in page
    )
    assert "proxy_set_header Host $http_host;" in page


def test_another_name_is_told_which_setting_lets_it_in(service, tmp_path):
    with before(service, tmp_path) as port:
        status, page = Browser(port).ask("GET", LOGIN, Host=f"other.example.com:{port}")
    assert status == 400 and f"other.example.com:{port}" in page and "EKIDEN_ALLOWED_HOSTS" in page
