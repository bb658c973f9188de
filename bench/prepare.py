"""Makes what the load needs, in the database of the service that is measured; prints two
credentials as JSON: `load` and `urgent`.

Run as `python -m bench.prepare DOMAIN HOSTS PORT SOURCES`: each of `d1.test`, `d2.test`, … leads to
one of the hosts, and so is a lane.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main(
    sender_domain: str,
    hosts: list[str],
    port: int,
    *,
    sources: int,
    is_signed: bool,
    is_by_mx: bool,
) -> dict[str, dict[str, str]]:
    from django.utils import timezone

    from deliveries.models import Route, Source
    from deliveries.steering import sources as steering
    from domains.models import Credential, Domain, Project
    from domains.senders.credentials import issue
    from domains.senders.key_states import sign_on_word
    from domains.senders.keys import make_key

    project = Project.objects.create(name="bench")
    # S106 : no secret
    domain = Domain.objects.create(project=project, name=sender_domain, token="bench")  # noqa: S106
    domain.verify(now=timezone.now(), assumed=True)
    if is_signed:
        make_key(domain)
        sign_on_word(domain)
    logins = {}
    for name, priority in (
        ("load", Credential.PriorityLevel.BULK),
        ("urgent", Credential.PriorityLevel.URGENT),
    ):
        credential, secret = issue(project, name, priority=priority)
        logins[name] = {"username": credential.username or "", "password": secret}
    Route.objects.filter(is_sandbox=True).delete()
    for number in range(1, sources + 1):
        steering.add(Source(name=f"s{number}", ipv4=f"127.0.3.{number}"))
    routes = [
        Route(pattern=f"d{number}.test", host=host, port=port, tls="none")
        for number, host in enumerate(hosts, start=1)
    ]
    if not is_by_mx:
        Route.objects.bulk_create(routes)
    return logins


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "relay_portal.settings"
    django.setup()
    made = main(
        sys.argv[1],
        sys.argv[2].split(","),
        int(sys.argv[3]),
        sources=int(sys.argv[4]),
        is_signed="--unsigned" not in sys.argv,
        is_by_mx="--mx" in sys.argv,
    )
    sys.stdout.write(json.dumps(made))
