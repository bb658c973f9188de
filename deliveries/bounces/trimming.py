"""Cuts a report that is too long after the header of the mail that it returns: all that matching
reads stands before.
"""

import re

# bytes of a report that are kept; reports bring headers, and some bring the whole mail
MOST = 2_097_152

_RETURNED = re.compile(
    rb"\r\ncontent-type:[ \t\r\n]*(?:message/rfc822|message/global|text/rfc822-headers)",
    re.IGNORECASE,
)
_BLANK = b"\r\n\r\n"


def trim(data: bytes, most: int) -> bytes:
    """Cut a report to at most `most` bytes: after the header of the returned mail, else at the end
    of a line.
    """
    if len(data) <= most:
        return data
    if (returned := _RETURNED.search(data, 0, most)) is not None:
        header = data.find(_BLANK, returned.end(), most)
        end = data.find(_BLANK, header + len(_BLANK), most) if header >= 0 else -1
        if end >= 0:
            return data[: end + len(_BLANK)]
    return data[: data.rfind(b"\r\n", 0, most) + 2 or most]
