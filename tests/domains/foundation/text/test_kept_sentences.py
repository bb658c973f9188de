"""Sentences that were written in English are told in the reader's language."""

import pytest
from django.utils.translation import gettext_noop as _
from django.utils.translation import override

from domains.foundation.text.kept_sentences import KeptSentences

KNOWN = KeptSentences(
    _("This is no domain name."), _("The source is none: %(word)s"), "%(host)s: %(why)s"
)


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("This is no domain name.", "ドメイン名ではありません。"),
        ("The source is none: 50 %\n(of)", "登録元として使えない値です: 50 %\n(of)"),
        ("mx.test: This is no domain name.", "mx.test: ドメイン名ではありません。"),
        ("Nobody has written this.", "Nobody has written this."),
    ],
)
def test_a_sentence_is_told_with_what_stands_in_it(english, japanese):
    assert KNOWN.told(english) == english
    with override("ja"):
        assert KNOWN.told(english) == japanese
