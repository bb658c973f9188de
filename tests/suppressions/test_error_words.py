"""Why a file or a line of it is not taken, in the reader's language."""

import pytest
from django.utils.translation import override

from domains.foundation.text import addresses
from suppressions.exchange import formats, importing, reading, staging
from suppressions.exchange.error_words import in_words
from tests.raised import sentences

RAISED = [
    *(each for module in (addresses, formats, importing, reading)
      for each in sentences(module, "ValueError")),
    *(each for module in (importing, reading, staging) for each in sentences(module, "BadLine")),
]  # fmt: skip


@pytest.mark.parametrize(
    "english", sorted(each for each in {*RAISED} if each and not each.startswith("x "))
)
def test_each_reason_is_told_in_japanese(english):
    assert in_words(english) == english
    with override("ja"):
        assert in_words(english) != english


def test_a_reason_within_another_is_told_as_well():
    why = f"{importing.FAULT} after 20,000 lines: no reason was given"
    with override("ja"):
        assert in_words(why) == (
            "20,000 行の後で本サービスに障害が発生しました: 理由は示されませんでした"
        )
