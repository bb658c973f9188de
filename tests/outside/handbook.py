"""The shell blocks of a page of the docs, to be typed in."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BLOCK = re.compile(r"^```(sh|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(heading: str) -> list[str]:
    """Return all that are to be typed under a heading, with those of the headings below it, in
    their order.
    """
    level, page = heading.count("#"), PAGE.read_text(encoding="utf-8")
    begin = re.search(rf"^{re.escape(heading)}$", page, re.MULTILINE)
    assert begin, f"operations.md has no heading {heading!r}"
    end = re.search(rf"^#{{1,{level}}} ", page[begin.end() :], re.MULTILINE)
    text = page[begin.end() : begin.end() + end.start() if end else len(page)]
    return [found[2] for found in BLOCK.finditer(text)]


def block(heading: str, holding: str) -> str:
    """Return the one that holds these words."""
    (found,) = [text for text in blocks(heading) if holding in text]
    return found
