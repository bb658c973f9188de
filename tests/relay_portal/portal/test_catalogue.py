"""The Japanese catalogue: whole, sure, and with the same placeholders as the English."""

import gettext
import re
from pathlib import Path

import pytest

import relay_portal
from smtp_listener.sandbox.answers import RULES

FOLDER = Path(relay_portal.__file__).parent / "locale" / "ja" / "LC_MESSAGES"
TEXT = re.compile(r'^(msgctxt|msgid|msgstr(?:\[0\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")


def entries():
    """Yield (msgid, msgstr, whether it is fuzzy) of each."""
    for block in (FOLDER / "django.po").read_text(encoding="utf-8").split("\n\n")[1:]:
        found = {key: unquoted(text) for key, text in TEXT.findall(block)}
        context = f"{found['msgctxt']}\x04" if "msgctxt" in found else ""  # as in a .mo file
        yield (
            context + found["msgid"],
            found.get("msgstr") or found.get("msgstr[0]"),
            "fuzzy" in block.partition("msgid")[0],
        )


def unquoted(text):
    return (
        "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"').replace("\\n", "\n")
    )


ENTRIES = list(entries())


def test_it_holds_what_people_see():
    msgids = {msgid for msgid, _, _ in ENTRIES}
    assert {
        "Deferred",
        "It is being delivered now.",
        "Reset filters",
        "Passkey",
        "suppressions",
        "SPF lets our hosts send.",
    } <= msgids


def test_it_holds_what_the_sandbox_says_about_its_plays():
    assert {rule.meaning for rule in RULES.values()} <= {english for english, *_ in ENTRIES}


@pytest.mark.parametrize(("english", "japanese", "is_fuzzy"), ENTRIES)
def test_every_text_is_translated_surely_and_with_its_placeholders(english, japanese, is_fuzzy):
    assert japanese and not is_fuzzy
    assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(japanese))


def test_the_compiled_catalogue_is_of_this_text():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        english
        for english, japanese, _ in ENTRIES
        if japanese not in (compiled.ngettext(english, english, 1), compiled.gettext(english))
    ]
    assert not stale


KANA = "ぁ-んァ-ヶー一-龥々"
# Values that are Japanese themselves: no blank goes beside them.
JAPANESE = {
    "advice", "kind", "line", "model", "name", "object_name", "objects_name", "pace", "period",
    "sentence", "since", "span", "verbose_name", "verbose_name_plural", "waiting", "what",
}  # fmt: skip
RUN_ON = re.compile(rf"[{KANA}][A-Za-z0-9]|[A-Za-z0-9%][{KANA}]|[A-Za-z0-9]=[{KANA}]")
BESIDE = re.compile(rf"[{KANA}]%\((\w+)\)[sd]|%\((\w+)\)[sd][{KANA}]")
FULL_WIDTH = re.compile("[（）：？！％＝＋０-９Ａ-Ｚａ-ｚ]")
# One word for one thing: what stands before is written as what stands behind.
INSTEAD = {
    "当方": "本サービス",
    "本システム": "本サービス",
    "自サービス": "本サービス",
    "運用担当": "運用者",
    "役割": "ロール",
    "送出規則": "送信元ルール",
    "テナント規則": "テナントルール",
    "流量": "送信速度、受信側ルール",
    "閉鎖": "停止",
    "取り込": "インポート",
    "書き出": "エクスポート",
    "ハードバウンス": "恒久的バウンス",
    "再判定": "再分類",
    "配信不能": "不達",
    "二要素を": "第 2 要素を",
    "鍵リング": "キーリング",
}


def faults_of_typing(japanese):
    """Yield what is written otherwise elsewhere: half-width signs, a blank beside Latin letters."""
    plain = PLACEHOLDER.sub("\x00", re.sub(r"\{\w*\}", "\x00", japanese))
    yield from FULL_WIDTH.findall(plain)
    yield from RUN_ON.findall(plain)
    for before, after in BESIDE.findall(japanese):
        if (before or after) not in JAPANESE:
            yield before or after
    yield from (word for word in INSTEAD if word in japanese)


def test_japanese_is_typed_in_one_way():
    wrong = {japanese: found for _english, japanese, _fuzzy in ENTRIES
             if (found := [*faults_of_typing(japanese)])}  # fmt: skip
    assert wrong == {}


@pytest.mark.parametrize(
    "text", ["DNSに", "値（例）", "%(site)sへ", "2回", "当方のレポート", "名前：a", "adkim=sを"]
)
def test_a_fault_of_typing_is_found(text):
    assert [*faults_of_typing(text)]
    assert not [*faults_of_typing("DNS に 2 回、%(site)s へ (例: %(what)sを)")]
