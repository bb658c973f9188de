"""Which charset bytes are in that nobody has named: what stands in mail of Japan, besides UTF-8
and the West's.
"""

from __future__ import annotations

import re

# Two Japanese characters in a row. In text of the West a byte above 127 mostly stands between
# letters, and makes one at most.
_JAPANESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff01-\uff5e]{2}")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")  # where cp932 puts bytes that stand for nothing


def guess(data: bytes) -> str:
    """Return a codec of Python: UTF-8 where it fits, else ISO-2022-JP, EUC-JP or Shift_JIS where
    it reads as Japanese, else Windows-1252.

    EUC-JP read as Shift_JIS is full of half-width kana, so it is asked first.
    """
    if b"\x1b$" in data:
        return "iso2022_jp_ext"
    if _read(data, "utf-8") is not None:
        return "utf-8"
    for codec in ("euc_jp", "cp932"):
        text = _read(data, codec)
        if (
            text is not None
            and _JAPANESE.search(text)
            and not _HALF_WIDTH.search(text)
            and not _PRIVATE.search(text)
        ):
            return codec
    # Half-width kana are what old mailers of Shift_JIS wrote, beside others.
    text = _read(data, "cp932")
    return (
        "cp932"
        if text is not None and _JAPANESE.search(text) and not _PRIVATE.search(text)
        else "cp1252"
    )


def _read(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None
