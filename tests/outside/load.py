"""An app under load, run as a program on a machine that has only Python: hands messages in until a
file says stop.

Told to go while it had nothing to say, it may notice that only by the closed session (code 0):
smtplib does not read on then.

`python3 load.py USER SECRET SESSIONS STOP-FILE` prints as JSON the queue ids it was given, and what
went otherwise. A message that was not taken is handed in again, as apps do.
"""

import json
import smtplib
import ssl
import sys
import threading
import time
from pathlib import Path

PORT = 587
MESSAGE = (
    "From: app@demo.test\r\nTo: you@example.com\r\nSubject: Load {}\r\n"
    "Message-ID: <{}@demo.test>\r\n\r\nHello.\r\n"
)


class Refused(Exception):
    """No server took the connection."""


def greeted():
    """Return a session that a server has answered: `421` is an answer, and no answer is none."""
    try:
        return smtplib.SMTP("127.0.0.1", PORT, timeout=30)
    except smtplib.SMTPResponseException:
        raise
    except (smtplib.SMTPException, OSError) as error:
        raise Refused from error


class App(threading.Thread):
    """One session after the other, with a few messages in each."""

    def __init__(self, user, secret, stop, name):
        super().__init__(name=name)
        self.login, self.stop = (user, secret), stop
        self.accepted, self.refused, self.shut = [], [], []
        self.count = 0

    def run(self):
        self.waiting = self.compose()
        while not self.stop.exists():
            try:
                self.session()
            except Refused as error:
                self.refused.append(repr(error.__cause__))
                time.sleep(0.02)
            except smtplib.SMTPResponseException as error:
                self.shut.append([error.smtp_code, error.smtp_error.decode("utf-8", "replace")])
            except (smtplib.SMTPException, OSError) as error:
                self.shut.append([0, repr(error)])

    def compose(self):
        self.count += 1
        token = f"{self.name}-{self.count}-{time.monotonic_ns()}"
        return MESSAGE.format(token, token).encode()

    def session(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with greeted() as smtp:
            smtp.starttls(context=context)
            smtp.login(*self.login)
            for _ in range(5):
                code, said = smtp.mail("app@demo.test")
                if code == 250:
                    code, said = smtp.rcpt("you@example.com")
                if code == 250:
                    code, said = smtp.data(self.waiting)
                if code != 250:
                    raise smtplib.SMTPResponseException(code, said)
                self.accepted.append(said.decode())
                self.waiting = self.compose()
                time.sleep(0.05)


def main():
    user, secret, sessions, stop = sys.argv[1:]
    apps = [App(user, secret, Path(stop), f"app{number}") for number in range(int(sessions))]
    for app in apps:
        app.start()
    for app in apps:
        app.join()
    told = {
        name: [one for app in apps for one in getattr(app, name)]
        for name in ("accepted", "refused", "shut")
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
