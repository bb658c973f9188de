"""The words for django-rq's pages: none is missing, and nothing but words changes."""

import re
from pathlib import Path

import django_rq
import pytest
from django.utils import translation

from relay_portal.pages.queue_words import in_words, translated

TEMPLATES = Path(django_rq.__file__).parent / "templates" / "django_rq"
# Ours is another; nobody gets to these.
UNUSED = {"stats.html", "scheduler.html", "test.html"}
HIDDEN = re.compile(
    r"<script.*?</script>|<style.*?</style>|\{#.*?#\}|<!--.*?-->|"
    r"\{% (?:extends|load) .*?%\}|\{% block breadcrumbs %\}.*?\{% endblock %\}",
    re.DOTALL,
)
TEXT = re.compile(r">([^<>{}%]*[A-Za-z]{2}[^<>{}%]*)<")
SAME = {"ID", "PID", "PID:", "TTL", "URL", "Job history requires RQ &gt;= 2.11"}


def texts():
    for path in sorted(TEMPLATES.glob("*.html")):
        if path.name not in UNUSED:
            page = HIDDEN.sub("", path.read_text(encoding="utf-8"))
            yield from (" ".join(found.split()) for found in TEXT.findall(page))


def test_every_text_of_its_templates_has_words():
    known = {*texts()} - SAME
    with translation.override("ja"):
        assert len(known) > 60
        assert [
            text for text in known if in_words(text.replace("&rarr;", "").strip()) == text
        ] == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<h1>Failed jobs in maintenance</h1>", "<h1>maintenance のジョブ (失敗)</h1>"),
        ("<p>\n 12 jobs\n </p>", "<p> ジョブ 12 件 </p>"),
        ("<title> Queue a-b | Ekiden</title>", "<title> キュー a-b | Ekiden</title>"),
        ('<input type="submit" value="Yes, I\'m sure">',) * 2,
        ('<option value="Delete">Delete</option>', '<option value="Delete">削除</option>'),
        ("<pre>Failed</pre><b>Failed</b>", "<pre>Failed</pre><b>失敗</b>"),
        ("<p>The disk Failed</p>", "<p>The disk Failed</p>"),
        ("<p>Queue &lt;b&gt;</p>", "<p>Queue &lt;b&gt;</p>"),
    ],
)
def test_only_whole_texts_are_translated(page, expected):
    expected = expected.replace("Yes, I'm sure", "はい、実行します")
    with translation.override("ja"):
        assert translated(page) == expected
    with translation.override("en"):
        assert translated(page) == page
