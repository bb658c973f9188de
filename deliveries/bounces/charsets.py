"""Bytes to text by an allow-list of charsets: Python's codecs include some that unpack, execute
escapes or call for modules.
"""

from __future__ import annotations

import binascii
import re

from domains.foundation.text.charsets import guess
from domains.foundation.text.texts import storable

_CODECS = {
    "utf8": "utf-8", "unicode11utf8": "utf-8", "utf7": "utf-7", "unicode11utf7": "utf-7",
    "utf16": "utf-16", "utf16le": "utf-16-le",
    "utf16be": "utf-16-be", "latin1": "cp1252", "iso88591": "cp1252", "koi8r": "koi8-r",
    "koi8u": "koi8-u", "macintosh": "mac-roman",
    "iso2022jp": "iso2022_jp_ext", "iso2022jp1": "iso2022_jp_ext", "iso2022jp2": "iso2022_jp_2",
    "iso2022jp3": "iso2022_jp_3",
    "iso2022jpms": "iso2022_jp_ext", "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext",
    "jis": "iso2022_jp_ext",
    "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932", "windows31j": "cp932", "cp932": "cp932",
    "mskanji": "cp932", "eucjp": "euc_jp",
    "xeucjp": "euc_jp", "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030",
    "cp936": "gb18030", "hzgb2312": "hz", "big5": "cp950",
    "big5hkscs": "big5hkscs", "euckr": "cp949", "ksc56011987": "cp949", "cp949": "cp949",
    "iso2022kr": "iso2022_kr", "tis620": "tis-620",
    "windows874": "cp874",
    **{f"iso8859{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{f"windows125{n}": f"cp125{n}" for n in range(9)},
    **{f"cp125{n}": f"cp125{n}" for n in range(9)},
}  # fmt: skip
_NOT_NAME = re.compile(r"[^a-z0-9]+")
_ENCODED_WORDS = re.compile(r"=\?([^?\s]{1,40})\?([BbQq])\?([^?\s]{0,400})\?=(?:\s+(?==\?))?")


def decode(data: bytes, charset: str = "") -> str:
    """Decode bytes from outside to text that the database accepts; never raises.

    Bytes that do not fit become U+FFFD. The charset is guessed where it is unknown, missing or
    wrong. Everything that comes back becomes text here, so no encoding hides a character that
    PostgreSQL refuses.
    """
    codec = _CODECS.get(_NOT_NAME.sub("", charset.lower()))
    if codec is None or (codec in ("cp1252", "utf-8") and b"\x1b$" in data):
        codec = guess(data)
    return storable(data.decode(codec, "replace"))


def decode_words(value: str) -> str:
    """Return a header's text with its encoded words read (RFC 2047)."""
    return _ENCODED_WORDS.sub(_word, value) if "=?" in value else value


def _word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        data = (
            binascii.a2b_base64(text + "==")
            if encoding in "Bb"
            else binascii.a2b_qp(text, header=True)
        )
    except ValueError:
        return text
    return decode(data, charset.partition("*")[0])
