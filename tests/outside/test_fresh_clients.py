"""The first try of an app's developer: each documented line makes its client trust a fresh
installation, and none works without.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys import peers
from tests.outside.service import DOMAIN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sending.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("\n## A fresh installation")[2].partition("\n## ")[0]
LINES = dict(re.findall(r"^\| (\S[\w ]*) \| `(.+?)` \|", TABLE, re.MULTILINE))
MAIL = f"From: app@{DOMAIN}\r\nTo: you@example.com\r\nSubject: first try\r\n\r\nHello\r\n"
KEPT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


class Try:
    """A fresh installation as one client sees it."""

    def __init__(self, service, folder):
        self.service, self.folder, self.env = service, folder, dict(KEPT)
        self.file = folder / "mail.eml"
        self.file.write_text(MAIL.replace("\r\n", "\n"))

    def filled(self, text):
        """Fill the documented text with the values of this installation."""
        user, secret = self.service.login
        values = {
            "CERT": str(self.service.data / "certificate.pem"), "USER": user, "SECRET": secret,
            "FROM": f"app@{DOMAIN}",
            "TO": "you@example.com", "2465": str(self.service.submissions),
            "465": str(self.service.submissions),
            "relay.example.com": "localhost", "mail.eml": str(self.file),
            "hello@shop.example": f"app@{DOMAIN}",
        }  # fmt: skip
        return re.sub(
            "|".join(rf"\b{re.escape(word)}\b" for word in values),
            lambda found: values[found[0]],
            text,
        )

    def block(self, title):
        """Return the documented settings of a client."""
        return self.filled(
            re.search(rf"^\*\*{title}\*\*.*?```\w*\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)[1]
        )

    def run(self, *command, given=""):
        return subprocess.run(
            command,
            input=given,
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )


def by_smtplib(client, line):
    code = "import smtplib, ssl, sys\n" + client.block("Python").replace(
        "secret", repr(client.service.login[1])
    )
    code = code.replace(
        "smtp.send_message(message)",
        f"smtp.sendmail('app@{DOMAIN}', ['you@example.com'], {MAIL!r})",
    )
    return client.run(
        sys.executable,
        "-c",
        re.sub(r"smtplib\.SMTP_SSL\(.*?\)(?= as)", lambda _: line, code) if line else code,
    )


def by_django(client, line):
    name, _, value = line.partition("=")
    client.env |= {"SMTP_SECRET": client.service.login[1]} | ({name: value} if line else {})
    settings = (
        f"import os\nfrom django.conf import settings\nscope = {{'os': os}}\n"
        f"exec({client.block('Django')!r}, scope)\n"
    )
    settings += (
        "settings.configure(**{name: value for name, value in scope.items() if name.isupper()})\n"
    )
    settings += (
        "from django.core.mail import send_mail\nsend_mail('first try', 'Hello', "
        f"'app@{DOMAIN}', ['you@example.com'])\n"
    )
    return client.run(sys.executable, "-c", settings)


def by_nodemailer(client, line):
    peers.need("node", peers.NODEMAILER)
    client.env |= {"SMTP_SECRET": client.service.login[1]}
    code = client.block("Nodemailer").replace("createTransport({", "createTransport({ " + line)
    letter = json.dumps(
        {"from": f"app@{DOMAIN}", "to": "you@example.com", "subject": "first try", "text": "Hello"}
    )
    code = f"const nodemailer = require({str(peers.NODEMAILER)!r});\n{code}\n"
    code += (
        f"transport.sendMail({letter}).then(() => process.exit(0), error => {{ "
        f"console.error(error); process.exit(1); }});"
    )
    return client.run("node", "-e", code)


def by_curl(client, line):
    peers.need("curl")
    return client.run(
        *shlex.split(line or re.sub(r"--cacert \S+", "", client.filled(LINES["curl"])))
    )


def by_msmtp(client, line):
    peers.need("msmtp")
    conf = client.folder / "msmtprc"
    conf.write_text(f"{client.block('msmtp')}\n{line}\n")
    conf.chmod(0o600)
    return client.run("msmtp", "-C", str(conf), "you@example.com", given=MAIL.replace("\r\n", "\n"))


def by_swaks(client, line):
    peers.need("swaks")
    command = line or re.sub(r"--tls-ca-path \S+", "", client.filled(LINES["swaks"]))
    return client.run(*shlex.split(command))


CLIENTS = {
    "smtplib": by_smtplib, "Django": by_django, "Nodemailer": by_nodemailer, "curl": by_curl,
    "msmtp": by_msmtp, "swaks": by_swaks
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_the_documented_line_makes_the_first_try_work(service, tmp_path, name):
    client = Try(service, tmp_path)
    done = CLIENTS[name](client, client.filled(LINES[name]))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", sorted(set(CLIENTS) - {"smtplib"})
)  # which checks nothing without a context
def test_without_the_line_the_client_refuses_the_certificate(service, tmp_path, name):
    done = CLIENTS[name](Try(service, tmp_path), "")
    assert done.returncode != 0
    assert re.search("certificate|verif|self.signed", done.stdout + done.stderr, re.IGNORECASE), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [("smtplib.SMTP_SSL('localhost', {submission})", "wrong version number"),
     ("smtplib.SMTP('localhost', {submissions}, timeout=2)", "timed out"),
     ("smtplib.SMTP('localhost', {submission}).login('a', 'b')", ("SMTP AUTH extension not "
         "supported by server"))],
)  # fmt: skip
def test_the_texts_that_people_look_up_are_those_that_clients_show(service, code, text):
    code = code.format(submission=service.submission, submissions=service.submissions)
    done = subprocess.run(
        [sys.executable, "-c", f"import smtplib; {code}"],
        env=KEPT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert text.lower() in done.stderr.lower()
    assert text in PAGE.partition("\n## Errors that are often looked up")[2].partition("\n## ")[0]


def test_every_documented_framework_has_its_line():
    documented = set(
        re.findall(r"^\*\*([\w ]+)\*\*", PAGE.partition("\n## Frameworks")[2], re.MULTILINE)
    )
    assert documented - {"PHP", "Python"} <= set(LINES) and {
        "PHPMailer",
        "smtplib",
        "curl",
        "swaks",
        "Go",
    } <= set(LINES)
