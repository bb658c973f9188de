"""The import rules of docs/architecture.md, read from the code itself."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The ground that all stand on is a room of the first package, with rooms of its own.
ORDER = [
    "domains.foundation",
    "domains",
    "suppressions",
    "deliveries",
    "smtp_listener",
    "relay_portal",
]
# The rooms of each package from the top: a room imports only what stands below it, for types as
# well. Files beside the rooms have the names that Django looks for, or are listed here.
ROOMS = {
    "domains.foundation": ["command", "process", "dns", "text", "secrets", "upkeep", "rights",
        "sql"],
    "domains": ["apps", "management", "admin", "jobs", "retained", "reporting", "identity",
        "senders", "operations", "models"],
    "suppressions": [
        "apps", "management", "admin", "retained", "exchange", "dry_run", "probation", "recording",
        "lifting", "brakes", "one_at_a_time", "models",
        "policy", "lookup", "index", "covering", "fields", "keys", "classes",
    ],
    "deliveries": [
        "apps", "management", "admin", "jobs", "search", "intake", "sending",
        "authentication", "bounces", "classification", "steering", "insight", "shaping",
        "routing", "queue", "retained", "models", "smtp", "message", "capacity", "backends",
    ],
    "smtp_listener": ["apps", "management", "admin", "sandbox", "manual", "sessions", "retained",
        "admission", "protocol", "models"],
    "relay_portal": [
        "wsgi", "gunicorn", "management", "settings", "doctor", "setup", "console", "erasure",
        "urls", "pages", "apps", "admin", "retained",
        "openid", "access", "process", "servers", "serving", "formats", "models",
    ],
}  # fmt: skip
OWNERS = {  # outside thing: who alone may import it
    "dns": {"domains/foundation/dns"},
    "aiosmtpd": {"smtp_listener"},
    "dkim": {"deliveries/bounces/vouching.py", "domains/identity/signatures.py"},
    "authlib": {"deliveries/backends/access_tokens.py", "relay_portal/openid"},
    "defusedxml": {"domains/reporting/aggregate.py"},
    "rq": {
        "deliveries/backends/job_queues.py", "deliveries/backends/stored_jobs.py",
        "deliveries/jobs/worker.py",
        "deliveries/jobs/schedule.py",
        "deliveries/management/commands/rqworker.py",
        "relay_portal",
    },
    "smtplib": {"relay_portal/console/test_message.py"},
}  # fmt: skip
PURE_FORBIDS = {"django", "psycopg", "redis", "socket", "asyncio", "rq", "dns", "aiosmtpd"}
# Modules that decide and know nothing outside, by room.
PURE = {
    "deliveries/authentication": "alignment mechanisms",
    "deliveries/bounces": (
        "charsets evidence feedback feedback_id freeform kinds likeness mime notification "
        "original parsed_report parser report_text return_path status status_reports "
        "text_reports wording"
    ),
    "deliveries/classification": (
        "asian_stems caution classifier codes dialects european_stems gateway_codes "
        "language_phrases message_phrases program_dialects provider_codes reasons "
        "recipient_phrases reply_text rules sender_phrases stems"
    ),
    "deliveries/intake": "header_completion long_lines",
    "deliveries/message": "header_form headers ids priorities reencoding subjects",
    "deliveries/routing": "egress host_experience",
    "deliveries/sending": "retry_schedule",
    "deliveries/shaping": (
        "actions answers backoff meter pace providers rate regional_answers window "
        "worldwide_answers"
    ),
    "deliveries/smtp": (
        "authentication dialogue mail obstacles outcomes peer replies timeouts transaction"
    ),
    "domains/senders": "dkim records",
    "domains/foundation/dns": "allowed_addresses",
    "domains/foundation/process": "logformat",
    "domains/identity": "slips zone_text",
    "domains/reporting": "aggregate unpacking",
    "domains/foundation/secrets": "fingerprints tokens",
    "domains/foundation/text": "addresses mailboxes readings texts",
    "smtp_listener/admission": "policy",
    "smtp_listener/protocol": "replies",
    "suppressions": "classes covering policy",
}


def folder(package):
    return ROOT.joinpath(*package.split("."))


def modules():
    return [
        path
        for package in ORDER[1:]
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    ]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in modules()}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imported_modules(path):
    """Yield modules of ours that a file imports anywhere: at its head, for types only, or inside a
    function.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in NAMES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide the room"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in NAMES:
                    yield inner
                elif node.module in NAMES:
                    yield node.module


GRAPH = {
    name: {other for other in imported_modules(path) if other != name}
    for name, path in NAMES.items()
}


def rank(name):
    """Return the package's place, then the room's: what is higher may import what is lower."""
    package = next(each for each in ORDER if f"{name}.".startswith(f"{each}."))
    rest = name.removeprefix(package).removeprefix(".")
    rooms = ROOMS[package]
    return (ORDER.index(package), len(rooms) - rooms.index(rest.partition(".")[0]) if rest else 0)


def upwards(graph):
    return sorted(
        (name, other)
        for name, others in graph.items()
        for other in others
        if rank(other) > rank(name)
    )


def circles(graph):
    """Return each circle of modules, as the set of those in it (Tarjan's strongly connected
    components).
    """
    number, low, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            part = {stack.pop()}
            while name not in part:
                part.add(stack.pop())
            if len(part) > 1:
                found.append(part)

    for name in graph:
        if name not in number:
            visit(name)
    return found


@pytest.mark.parametrize("package", ORDER)
def test_every_room_has_its_place_in_the_order(package):
    found = {
        path.stem
        for path in folder(package).iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or any(path.glob("**/*.py")))
    }
    assert found - {"migrations", "foundation"} == set(ROOMS[package])


def drawn():
    """Yield the rows of the table in docs/architecture.md: a room is a folder, and says in its own
    words what it is for.
    """
    for package in reversed(ORDER):
        for room in ROOMS[package]:
            head = folder(package) / room / "__init__.py"
            words = (
                ast.get_docstring(ast.parse(head.read_text(encoding="utf-8")))
                if head.exists()
                else None
            )
            if words:
                first = " ".join(words.partition("\n\n")[0].split())
                yield f"| `{package.replace('.', '/')}/{room}` | {first.rstrip('.')} |"


def test_the_page_draws_the_rooms_as_they_are():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    shown = re.findall(
        r"^\| `(?:" + "|".join(ORDER).replace(".", "/") + r")/\w+` \|.*$", page, re.MULTILINE
    )
    assert shown == list(drawn())


def test_the_way_signs_of_contributing_lead_somewhere():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    signs = page.partition("## Where is it?")[2].partition("## Tests")[0]
    places = re.findall(r"`([\w/]+/[\w/]+\.(?:py|md))`", signs)
    assert len(places) > 20
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_a_package_and_a_room_import_only_what_stands_below_them():
    assert upwards(GRAPH) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(GRAPH) == []


def test_an_import_upwards_and_a_circle_are_found():
    graph = {
        "deliveries.queue.ledger": {"deliveries.sending.drain"},
        "deliveries.sending.drain": {"deliveries.queue.ledger"},
    }
    assert upwards(graph) == [("deliveries.queue.ledger", "deliveries.sending.drain")]
    assert circles(graph) == [set(graph)]
    assert upwards({"domains.models.senders": {"deliveries.queue.ledger"}})


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_an_outside_thing_has_one_owner(path):
    place = str(path.relative_to(ROOT))
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or any(
            place == owner or place.startswith(owner + "/") for owner in owners
        ), name


@pytest.mark.parametrize(
    "place", [f"{room}/{name}.py" for room, names in PURE.items() for name in names.split()]
)
def test_a_pure_module_knows_nothing_outside(place):
    assert not {name.split(".")[0] for name in imports(ROOT / place)} & PURE_FORBIDS
