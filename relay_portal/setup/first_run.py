"""What a new installation gets so that it can be tried at once: an owner, a demo project, and
the sandbox.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from deliveries.models import Route
from domains.models import Project
from domains.operations import audit
from domains.senders.adding import add_domain
from domains.senders.credentials import issue
from relay_portal.access import invitations
from relay_portal.console import sandbox, terminal
from relay_portal.models import User

OWNER = "owner"
PROJECT = "demo"
DOMAIN = "demo.test"  # RFC 6761, section 6.2: nobody's


@dataclass(frozen=True, slots=True)
class Made:
    """Secrets that are shown once and stored nowhere in this form."""

    invitation: str
    username: str
    secret: str


@transaction.atomic
def make() -> Made | None:
    """Make owner, project, domain, credential and route of a new installation; None where anything
    exists.
    """
    if User.objects.exists() or Project.objects.exists() or Route.objects.exists():
        return None
    owner = User.objects.create_superuser(OWNER)
    _invitation, token = invitations.invite(owner, by=audit.command_line())
    project = Project.objects.create(name=PROJECT)
    add_domain(project, DOMAIN, is_assumed=True)
    credential, secret = issue(project, "first-app")
    sandbox.enter()
    return Made(invitations.link(token), credential.username or "", secret)


def welcome(made: Made) -> str:
    # Without the secret, which would stay in the shell's history: `send` issues a credential for
    # the one message.
    return f"""
This installation is new. What follows is shown once:

  Portal log-in     {OWNER}
  Invitation        {made.invitation}
                    (works once, for three days: choose a password, and set up a second factor)

  SMTP user name    {made.username}
  SMTP secret       {made.secret}   (project {PROJECT}, may send as anything@{DOMAIN})

Send a first message, in another terminal:

  cd {shlex.quote(str(settings.BASE_DIR))}
  {terminal.line(f"send hello@{DOMAIN} you@example.com")}
"""


def welcome_without_secrets() -> str:
    """Return the same welcome for a log: it says how to get what it does not show."""
    return f"""
This installation is new. Its secrets are shown on terminals only, and this is none. \
Make new ones, and send a first message:

  cd {shlex.quote(str(settings.BASE_DIR))}
  {terminal.line(f"person reset {OWNER}")}
  {terminal.line(f"credential create --project {PROJECT} --name my-app")}
  {terminal.line(f"send hello@{DOMAIN} you@example.com")}
"""
