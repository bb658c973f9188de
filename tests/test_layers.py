"""The import rules of docs/architecture.md, read from the code itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["foundation", "domains", "suppressions", "deliveries", "smtp_listener", "relay_portal"]
OWNERS = {  # outside thing: who alone may import it
    "dns": {"foundation/dns/resolver.py", "foundation/dns/exchange.py", "foundation/dns/servers.py"},
    "aiosmtpd": {"smtp_listener"},
    "dkim": {"deliveries/bounces/vouching.py"},
    "rq": {
        "deliveries/backends/job_queues.py", "deliveries/jobs/worker.py", "deliveries/jobs/schedule.py", "deliveries/management/commands/rqworker.py",
        "relay_portal",
    },
    "smtplib": {"relay_portal/console/test_message.py"},
}  # fmt: skip
PURE_FORBIDS = {"django", "psycopg", "redis", "socket", "asyncio", "rq", "dns", "aiosmtpd"}
PURE = [
    "foundation/text/addresses.py", "foundation/text/mailboxes.py", "foundation/text/readings.py", "domains/senders/records.py", "domains/senders/dkim.py", "foundation/text/texts.py",
    "foundation/secrets/fingerprints.py", "foundation/process/logformat.py",
    "deliveries/smtp/outcomes.py", "deliveries/message/priorities.py", "deliveries/sending/retry_schedule.py", "deliveries/message/headers.py", "deliveries/intake/header_completion.py",
    "deliveries/message/header_form.py", "deliveries/intake/long_lines.py",
    "deliveries/routing/allowed_addresses.py", "deliveries/message/ids.py", "deliveries/smtp/replies.py", "deliveries/smtp/dialogue.py",
    "deliveries/smtp/transaction.py", "deliveries/smtp/peer.py", "deliveries/routing/host_experience.py", "deliveries/message/reencoding.py",
    "deliveries/smtp/mail.py", "deliveries/smtp/timeouts.py", "deliveries/bounces/return_path.py",
    *(f"deliveries/shaping/{name}.py" for name in ("actions", "answers", "backoff", "meter", "pace", "providers", "rate", "window")),
    "deliveries/bounces/report_text.py", "deliveries/bounces/tokens.py", "deliveries/bounces/feedback_id.py",
    "deliveries/bounces/original.py", "deliveries/bounces/parser.py", "deliveries/bounces/evidence.py",
    "deliveries/classification/classifier.py", "deliveries/classification/rules.py", "deliveries/classification/codes.py", "deliveries/classification/dialects.py",
    "deliveries/classification/sender_phrases.py", "deliveries/classification/recipient_phrases.py", "deliveries/classification/message_phrases.py",
    "deliveries/classification/language_phrases.py", "deliveries/bounces/mime.py", "deliveries/bounces/charsets.py",
    "deliveries/bounces/status.py", "deliveries/bounces/freeform.py", "deliveries/bounces/wording.py", "deliveries/bounces/kinds.py",
    "deliveries/bounces/feedback.py", "deliveries/bounces/notification.py", "suppressions/classes.py", "suppressions/policy.py",
    "suppressions/covering.py",
    "smtp_listener/protocol/replies.py", "smtp_listener/admission/policy.py",
]  # fmt: skip


def modules():
    return [path for package in ORDER for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_those_before_it(path):
    own = ORDER.index(path.relative_to(ROOT).parts[0])
    later = {name for name in imports(path) if name.split(".")[0] in ORDER[own + 1 :]}
    assert not later


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_an_outside_thing_has_one_owner(path):
    place = str(path.relative_to(ROOT))
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or any(place == owner or place.startswith(owner + "/") for owner in owners), name


@pytest.mark.parametrize("place", PURE)
def test_a_pure_module_knows_nothing_outside(place):
    assert not {name.split(".")[0] for name in imports(ROOT / place)} & PURE_FORBIDS
