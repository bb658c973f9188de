"""Sentences that are raised or kept in English, and told in the reader's language."""

from __future__ import annotations

import re

from django.utils.translation import gettext

_PLACE = re.compile(r"%\\\((\w+)\\\)s")
INNER = "why"  # what stands here may be a sentence of the same kind in turn


class KeptSentences:
    """Knows these sentences, marked for translation, with places such as `%(name)s`.

    Of two that fit the first is taken.
    """

    def __init__(self, *sentences: str) -> None:
        self._known = [(_pattern(each), each) for each in sentences]

    def told(self, text: str) -> str:
        """Return the sentence in the reader's language; what is none of these stays as it is."""
        for pattern, sentence in self._known:
            if found := pattern.fullmatch(text):
                given = found.groupdict()
                if INNER in given:
                    given[INNER] = self.told(given[INNER])
                return gettext(sentence) % given
        return text


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(r"(?P<\1>.*?)", re.escape(sentence)), re.DOTALL)
