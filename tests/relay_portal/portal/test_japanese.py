"""Every page in Japanese beside the same page in English: what reads the same in both is data, a
technical word, or was forgotten.
"""

import re
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from supervisor.states import ProcessStates

from deliveries.models import InboundMail, Lane, Resending, Stop
from domains.operations import audit
from domains.operations.labels import Labels
from relay_portal.access.middleware import OPEN
from relay_portal.pages import services
from suppressions.classes import MEANINGS
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.relay_portal.portal import rows
from tests.relay_portal.portal.conftest import person, verified
from tests.relay_portal.portal.day import make_day
from tests.relay_portal.portal.test_walk import PATHS
from tests.test_layers import modules

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

SHOWN = {"title", "placeholder", "aria-label", "alt"}
SILENT = {"script", "style", "svg", "code", "pre", "textarea"}  # code is the same in any language
WORD = re.compile(r"[A-Za-z]{2,}")


class Texts(HTMLParser):
    """Collects what a reader sees or hears of a page, a piece for each element."""

    def __init__(self):
        super().__init__()
        self.found, self.within, self.is_icon = [], [], False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.is_icon = "material-symbols-outlined" in (given.get("class") or "")
        self.found += [value for name, value in attrs if name in SHOWN and value]
        if tag in SILENT:
            self.within.append(tag)

    def handle_endtag(self, tag):
        self.is_icon = False
        if self.within and tag == self.within[-1]:
            self.within.pop()

    def handle_data(self, data):
        if not self.within and not self.is_icon and data.strip():
            self.found.append(" ".join(data.split()))


def texts(answer):
    parser = Texts()
    parser.feed(answer.text)
    return parser.found


# Names and terms that a technician in Japan reads in Latin letters.
SAME = re.compile(
    r"^(AUTH|CNAME|DATA|DKIM|DMARC|EHLO|ENVID|Ekiden|English|HTML|ID|MAIL|Message-ID|PID|"
    r"PostgreSQL|QUIT|RCPT|RSA|SPF|STARTTLS|TLS|TXT|UTC|Valkey|esc|en|ja|From|To|Subject|"
    r"Ed25519|Google \(Gmail, Workspace\)|Microsoft 365 \(Exchange Online\))$"
)
# What `rows` and `make_day` write down; and times, ids, keys, addresses, names of hosts.
DATA = re.compile(
    r"alert\(1\)|otto|olga|\bapp-\d|\bshop\b|\bdemo\b|\bwarm-demo\b|orders|docomo|softbank|google|"
    r"hello|Your order|they move|User unknown|recipient is suppressed|"
    r"\d\d:\d\d:\d\d UTC|[0-9a-f]{8}-[0-9a-f]{4}-|\.(test|invalid|example|localdomain|sock|jp|com)|"
    r"v=DKIM1|^[A-Z]\w+/[\w/+-]+$|^(deliveries|maintenance)$|"  # zones of time, queues
    r"rq\.serializers|^\| Ekiden$"
)
CODES = {  # of rows, which no reader should meet
    *(str(each) for each in MEANINGS if "_" in each),
    *(model._meta.label_lower for model in apps.get_models()),
}


APART = re.compile(
    r"[ぁ-んァ-ヶ一-龥] [をにがはの]|^(削除|追加|変更) [ァ-ヶ一-龥]|[、。] (?!複数選ぶ)"
)


def paths(own):
    yield from (path for path, name in PATHS if name not in OPEN)
    for row in own.values():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        yield from (
            reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history", "delete")
        )


@pytest.fixture
def pages(valkey):
    """Return {path: {language: texts}} of every page that an owner sees."""
    make_day()
    own = rows.of(make.project(name="demo"))
    client, found = verified(person("olga")), {}
    for language in ("en", "ja"):
        client.post("/language/", {"language": language})
        for path in paths(own):
            answer = client.get(path)
            if "text/html" in answer.headers.get("Content-Type", ""):
                found.setdefault(path, {})[language] = texts(answer)
    assert len(found) > 200
    return found


def english(read):
    """Find what nobody translated."""
    for text in {*read["en"]} & {*read["ja"]}:
        if WORD.search(text) and not SAME.match(text) and not DATA.search(text):
            yield text


def codes(read):
    """Find the code of a class or of a model, and a pair that only a list shows as a label."""
    for text in read["en"] + read["ja"]:
        if CODES & {*re.split(r"[^\w.]+", text)} or "('" in text:
            yield text


def apart(read):
    """Find "ドメイン を追加" and "削除 ドメイン": blanks between words of Japanese."""
    return filter(APART.search, read["ja"])


def test_every_page_reads_as_japanese(pages):
    wrong = {
        (judge.__name__, text): path
        for judge in (english, codes, apart)
        for path, read in pages.items()
        for text in judge(read)
    }
    assert wrong == {}


def test_each_judge_finds_its_fault():
    page = {"en": ["Job", "unknown_user"], "ja": ["Job", "ドメイン を追加", "削除 ドメイン"]}
    assert [*english(page)] == ["Job"]
    assert [*codes(page)] == ["unknown_user"]
    assert [*apart(page)] == page["ja"][1:]


def test_a_label_without_a_colour_is_shown_by_its_words():
    assert Labels(done="success")["counting"] == ""
    bare = [path for path in modules() if "label={" in path.read_text("utf-8")]
    assert bare == []


def test_the_audit_log_is_told_in_japanese(operator):
    project = make.project(name="demo")
    told = {"changed": {"name": ["a", "b"], "sends_reports": [True, False]}, "jobs": 3}
    row = audit.note("command line (root)", "change", project, details=told)
    audit.note("domain checks", "add", make.project())
    operator.post("/language/", {"language": "ja"})
    page = operator.get(f"/domains/auditentry/{row.pk}/change/").text
    for text in (
        "変更: demo",
        "コマンドライン (root)",
        "プロジェクト",
        "名前: a → b",
        "はい → いいえ",
    ):
        assert text in page, text
    listed = operator.get("/domains/auditentry/").text
    assert "ドメインの自動確認" in listed and "domains.project<" not in listed


def test_what_was_found_about_a_report_is_told_in_japanese(operator):
    for finding in (
        "the delivery has bounced: unknown_user, mailbox_full",
        "the recipient has complained: abuse",
        "a claim without a proof, kept with the delivery for a person to read: complaint (abuse)",
        "the delivery is in another state: bounced",
        "a feedback report that is no user's complaint: x-own",
    ):
        InboundMail.objects.create(kind="report", finding=finding, data=b"")
    operator.post("/language/", {"language": "ja"})
    page = operator.get("/deliveries/inboundmail/").text
    for words in (
        ": 不明な宛先, メールボックスが満杯<",
        ": 迷惑メールとして報告<",
        ": 苦情 (abuse)<",
        ": 不達<",
        ": x-own<",
    ):
        assert re.sub(r"\s+<", "<", page).count(words) == 1, words


def test_who_paused_something_is_told_in_japanese(operator):
    shop = make.project(name="shop")
    for by, project in (("command line (root)", shop), ("rule for tenants", make.project())):
        Stop.objects.create(scope="project", project=project, reason="x", created_by=by)
    waits = make.delivery("you@mx.test", make.message(shop))
    operator.post("/language/", {"language": "ja"})
    listed = operator.get("/deliveries/stop/").text
    assert "コマンドライン (root)" in listed and "rule for tenants" not in listed
    page = operator.get(f"/deliveries/message/{waits.message_id}/change/").text
    assert "コマンドライン (root) が一時停止しました" in page


def test_who_did_something_is_told_in_japanese_wherever_it_stands(operator):
    by = "command line (root)"
    Stop.objects.create(scope="domain", domain="mx.test", reason="x", created_by=by)
    Lane.objects.create(site="mx.test", closed_at=timezone.now(), closed_by=by, close_reason="x")
    first, again = make.message(), make.message()
    Resending.objects.create(original=first, message=again, recipient="you@mx.test", by=by)
    operator.post("/language/", {"language": "ja"})
    for path in (
        "/",
        "/deliveries/stop/",
        f"/deliveries/message/{first.pk}/change/",
        f"/deliveries/message/{again.pk}/change/",
    ):
        page = operator.get(path).text
        assert "コマンドライン (root)" in page and by not in page, path


def test_a_class_is_told_in_japanese_wherever_it_stands(operator, staff, project):
    for owner in (None, project):
        Suppression.objects.create(
            address_key="gone@mx.test", project=owner, category="unknown_user",
            reason="Unknown recipient: no such user", source="automatic",
        )  # fmt: skip
    Occurrence.objects.create(
        project=project, address_key="you@mx.test", kind="reply", category="policy",
        rule="code/550", code=550, text="verzogen", stage="rcpt", is_hard=False,
    )  # fmt: skip
    for browser, path, words in (
        (staff, "/suppressions/suppression/?q=gone@mx.test", "不明な宛先: no such user"),
        (staff, "/deliveries/message/?q=gone@mx.test", "不明な宛先: no such user"),
        (operator, "/unknown-answers/", "受信側の規則による拒否"),
    ):
        browser.post("/language/", {"language": "ja"})
        page = browser.get(path).text
        assert words in page and "Unknown recipient" not in page, path


def test_each_state_of_a_process_is_told_in_japanese():
    names = [name for name in vars(ProcessStates) if name.isupper()]
    assert "RUNNING" in names
    with override("ja"):
        for name in names:
            assert not WORD.search(str(services.of_process("listener", name.lower()).detail)), name
