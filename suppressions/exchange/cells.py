"""Cells that a spreadsheet would take for formulas: an apostrophe goes before them, and comes off
again.
"""

import re

# https://owasp.org/www-community/attacks/CSV_Injection
# Full-width signs too: spreadsheets of East Asian locales read them as the ASCII ones.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r]")


def safe(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def plain(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
