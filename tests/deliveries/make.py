"""Rows for tests, as intake would have written them."""

from datetime import timedelta
from itertools import count

from django.utils import timezone

from deliveries.message import compression
from deliveries.models import (
    Content,
    Delivery,
    Destination,
    Lane,
    Message,
    ShapingRule,
    Smarthost,
    Source,
)
from deliveries.routing import smarthost_secrets
from domains.models import Credential, Project
from domains.senders.keys import ring

CONTENT = b"From: shop@shop.test\r\nTo: you@mx.test\r\nSubject: hello\r\n\r\nhello\r\n"
_number = count(1)


def later():
    """Return a usual deadline."""
    return timezone.now() + timedelta(days=5)


def project(**given):
    return Project.objects.create(**{"name": f"shop-{next(_number)}"} | given)


def credential(of=None, **given):
    of = of or project()
    name = f"app-{next(_number)}"
    return Credential.objects.create(
        **{"project": of, "name": name, "username": name, "secret_hash": b"x"} | given
    )


def rule(name=ShapingRule.DEFAULT, **given):
    """Make a rule; without a name the one for receivers that have none."""
    return ShapingRule.objects.create(**{"name": name, "title": name} | given)


def smarthost(name="office", password="", **given):
    """Make a smarthost with this password under the key ring."""
    hosts = [["smart.test", 587, "verified"]]
    defaults = {"name": name, "hosts": hosts, "mechanism": "PLAIN" if password else "none"}
    row = Smarthost(**defaults | ({"username": "relay"} if password else {}) | given)
    row.sealed = smarthost_secrets.sealed({"password": password}, ring()) if password else b""
    row.save()
    return row


def lane(site="mx.test", **given):
    return Lane.objects.create(**{"site": site, "hosts": [[10, site, 25]]} | given)


def leads_to(lane, *domains):
    for domain in domains:
        Destination.objects.create(
            domain=domain, lane=lane, expires_at=timezone.now() + timedelta(hours=1)
        )


def message(of=None, content=CONTENT, **given):
    of = of or project()
    sent = Message.objects.create(
        **{
            "project": of,
            "mail_from": "shop@shop.test",
            "message_id": f"<{next(_number)}@shop.test>",
            "size": len(content),
        }
        | {"recipient_count": 1, "header_from": "shop@shop.test"}
        | given
    )
    Content.objects.create(message=sent, data=compression.compress(content, (), size=len(content)))
    return sent


def delivery(to="you@mx.test", of=None, **given):
    of = of or message()
    defaults = {
        "message": of,
        "project": of.project,
        "recipient": to,
        "recipient_key": to,
        "domain": to.rpartition("@")[2],
        "expires_at": later(),
    }
    return Delivery.objects.create(**defaults | given)


def source(name="one", state="warming", **given):
    """Return one of our addresses."""
    return Source.objects.create(
        **{"name": name, "state": state, "ipv4": f"192.0.2.{next(_number) % 200 + 1}"} | given
    )


def source_lane(source, home, **given):
    """Return the lane of a site from a source, to which mail is led from the site's own lane."""
    return lane(home.site, **{"source": source.name, "home": home} | given)
