"""Mail that waits in a service's database as if its listeners had taken it, only faster; and what
its worker uses meanwhile.
"""

from __future__ import annotations

import smtplib
import threading
from typing import Self

import psutil
import psycopg
import redis

from deliveries.message import compression
from deliveries.queue.wakeups import channel_of
from tests.journeys.rig import SENDER, Rig

CONTENT = (
    f"From: shop@{SENDER}\r\nTo: you@mx.test\r\nSubject: news\r\n\r\n{'Something new. ' * 60}\r\n"
).encode()

FILL = """
WITH number AS (
    SELECT n, uuidv7() AS message, replace(%(to)s, '#', n::text) AS recipient
        FROM generate_series(0, %(amount)s - 1) n
), message AS (
    INSERT INTO deliveries_message (id, project_id, credential_id, origin, accepted_at, mail_from,
        header_from, message_id, size,
        recipient_count, eight_bit, smtputf8, envid, ret, client_tls)
    SELECT message, project_id, credential.id, 'submission', now(), %(sender)s, %(sender)s,
        message::text, %(size)s, 1, false, false,
        '', '', '' FROM number, domains_credential credential
), content AS (
    INSERT INTO deliveries_content (message_id, data) SELECT message, %(data)s FROM number
)
INSERT INTO deliveries_delivery (id, message_id, project_id, flow, recipient, recipient_key, domain,
    notify, orcpt, lane_id, priority,
    state, attempt_count, due_at, expires_at, claim, is_in_doubt, owes_report)
SELECT uuidv7(), message, project_id, credential.id, recipient, recipient,
    split_part(recipient, '@', 2), '', '', 1, %(priority)s,
    'queued', 0, now(), now() + interval '5 days', 0, false, false
        FROM number, domains_credential credential
"""


def fill(rig: Rig, amount: int, to: str, *, priority: int = 1) -> None:
    """Write so many messages at once, from the rig's one credential; "#" in `to` stands for the
    number.
    """
    data = compression.compress(CONTENT, (), size=len(CONTENT))
    given = {
        "amount": amount,
        "to": to,
        "priority": priority,
        "sender": f"shop@{SENDER}",
        "size": len(CONTENT),
        "data": data,
    }
    with psycopg.connect(rig.postgres.url, autocommit=True) as connection:
        connection.execute(FILL, given)
        connection.execute("ANALYZE")
    with redis.Redis.from_url(rig.valkey.url) as valkey:
        assert valkey.publish(channel_of(valkey), "1") == 1, "no worker runs"


def send(rig: Rig, to: str, *parameters: str, client: smtplib.SMTP | None = None) -> None:
    """Send one small message over SMTP, with these parameters of MAIL."""
    app = client or rig.client()
    app.mail(f"shop@{SENDER}", parameters)
    app.rcpt(to)
    code, text = app.data(CONTENT)
    assert code == 250, text
    if client is None:
        app.quit()


class Watch:
    """`with Watch(pid) as watch`: the most memory (in bytes) and file descriptors that the process
    had, looked at each half second.
    """

    def __init__(self, pid: int) -> None:
        self.memory, self.files, self.seconds = 0, 0, 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._began = self._cpu()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._cpu() - self._began
        self._over.set()
        self._looking.join()

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.memory = max(self.memory, self._process.memory_info().rss)
            self.files = max(self.files, self._process.num_fds())
