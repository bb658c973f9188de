"""What `./ekiden` says of itself: without a command, to a command that there is not, and which
version it is.
"""

from __future__ import annotations

import gc
import sys
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from django.core.management import ManagementUtility, get_commands
from django.core.management.base import BaseCommand

from domains.foundation.process import systemd

GROUPS: dict[str, dict[str, str]] = {
    "Run it": {
        "up": "bring everything up in the foreground; Ctrl-C stops it",
        "status": "is everything up?",
        "doctor": "check settings, ports, DNS, services, clock and disk, and say what to do",
        "live": "leave the sandbox: deliver to the internet",
        "sandbox": "go back into the sandbox",
        "bench": "measure the whole service, with a load generator and a sink of its own",
        "test": "run lint, types and the whole test suite",
    },
    "Who may send": {
        "project": "create, list, show and change projects",
        "domain": "add, list, show and check sending domains",
        "key": "list, rotate, retire and import DKIM keys",
        "credential": "create, list and revoke what apps log in with",
        "person": "invite, list, change and reset the people of the portal",
        "network": "say from which networks people may log in",
        "openid": "say what the groups at the OpenID provider may do",
    },
    "Mail": {
        "send": "send a test message through the real SMTP path and watch it",
        "trace": "what became of a message, attempt by attempt",
        "resend": "send a message again to a corrected address",
        "classify": "what a refusal, a bounce report or a complaint means",
        "route": "lead recipient domains to a fixed host or a smarthost",
        "smarthost": "hosts of others through which mail leaves, with a log-in there",
        "source": "the addresses that mail leaves from, and the machines that have them",
        "pool": "sources that share mail, and which mail leaves by which pool",
        "limit": "how much all lanes together may do at a provider",
        "tenant": "rules for projects whose mail harms the sources that all share",
        "suppression": "whom not to write to",
        "stats": "how much of the mail fails, and whose",
        "conservation": "prove that nothing was lost",
    },
    "Steer it": {
        "pause": (
            "stop delivery of a project, credential, domain or lane, or of everything; mail is "
            "still accepted"
        ),
        "resume": "let it go on",
        "queue": "show what waits; try, cancel, bounce, reroute, hold or release a selection of it",
        "lane": "list the lanes in which mail waits, and show one",
        "identity": "how receivers see this relay's addresses: PTR, EHLO name, block lists",
        "demands": "what large receivers ask for, and whether a domain does it",
        "audit": "who did what",
        "keyring": "show and change the keys that encrypt DKIM keys and second factors",
        "erase": "erase a person from all that is kept, and prove it",
    },
    "The processes, as `up` runs them": {
        "setup": "migrate the database and make what a first run needs",
        "smtp_listener": "a listener",
        "rqworker": "a worker",
        "scheduler": "the scheduler",
        "sandbox_mx": "the sandbox MX",
    },
}


# Earlier names, for scripts; they go with the next release.
EARLIER = frozenset({"operator"})

# What Django brings along and people at night may take for ours.
REFUSED = {"flush": "would empty the database. To try now what waits: ./ekiden queue retry --help"}


def is_wanted(arguments: list[str]) -> bool:
    return arguments[:1] in ([], ["help"], ["--help"], ["-h"]) and len(arguments) < 2


def is_version_wanted(arguments: list[str]) -> bool:
    return arguments in (["--version"], ["version"])


def version() -> str:
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    return f"Ekiden {project['version']}\n"


def text() -> str:
    lines = ["Ekiden, a mail relay. Use: ./ekiden COMMAND [--help]"]
    for title, commands in GROUPS.items():
        lines += ["", title, *(f"  {name:<14}{meaning}" for name, meaning in commands.items())]
    return "\n".join(lines) + "\n"


class CommandLine(ManagementUtility):
    """Django's, but for a command that there is not; one that there is begins to collect
    garbage.
    """

    def fetch_command(self, subcommand: str) -> BaseCommand:
        if subcommand in REFUSED:
            fail(f"{subcommand} {REFUSED[subcommand]}")
        if subcommand not in get_commands():
            similar = get_close_matches(
                subcommand, [name for commands in GROUPS.values() for name in commands], n=1
            )
            hint = f" Did you mean {similar[0]}?" if similar else " See: ./ekiden help"
            fail(f"There is no command {subcommand}.{hint}")
        command = super().fetch_command(subcommand)
        gc.freeze()  # what was read in stays; no later collection need walk through it
        gc.enable()
        return command


def fail(message: str) -> NoReturn:
    systemd.say_error(f"ekiden: {message}")
    sys.exit(2)
