"""Unpacks the file of a report, as it comes from anybody: gzip, zip with one member, or plain XML.

Memory does not follow what a file says of itself: it is unpacked twice, once to see how long it is
and once, in the same small pieces, to be read.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

PACKED_MOST = 10_485_760  # bytes; RFC 9990 asks for no limit, and real reports have a few thousand
UNPACKED_MOST = 26_214_400
PIECE = 65_536
MEMBERS_MOST = 8  # entries of a zip's directory that are read at all, to say what is wrong
_GZIP, _ZIP, _ENTRY = b"\x1f\x8b", b"PK\x03\x04", b"PK\x01\x02"
_BLANK = b"\xef\xbb\xbf \t\r\n"  # a byte-order mark and white space


class UnreadableReport(ValueError):
    """The file is no report that may be read; the text says why."""


def looks_packed(data: bytes) -> bool:
    """Tell whether it may be a report's file at all."""
    return data.startswith((_GZIP, _ZIP)) or data[:64].lstrip(_BLANK).startswith(b"<")


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield the XML in pieces; raises `UnreadableReport` before the first where it is too long."""
    if len(data) > PACKED_MOST:
        raise UnreadableReport(f"it has more than {PACKED_MOST} bytes")
    length = 0
    for piece in _unpacked(data):
        length += len(piece)
        if length > UNPACKED_MOST:
            raise UnreadableReport(f"it has more than {UNPACKED_MOST} bytes when it is unpacked")
    return _unpacked(data)


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data.startswith(_GZIP):
        return _from_gzip(data)
    if data.startswith(_ZIP):
        return _from_zip(data)
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


def _from_gzip(data: bytes) -> Iterator[bytes]:
    unpacker, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), data
    try:
        while not unpacker.eof:
            if not (piece := unpacker.decompress(rest, PIECE)) and not unpacker.unconsumed_tail:
                break
            rest = unpacker.unconsumed_tail
            yield piece
    except zlib.error as error:
        raise UnreadableReport(f"its gzip is damaged: {error}") from error
    if not unpacker.eof:
        raise UnreadableReport("its gzip is cut off")


def _from_zip(data: bytes) -> Iterator[bytes]:
    # zipfile reads the whole directory at once: hundreds of thousands of entries fit into one file.
    if data.count(_ENTRY) > MEMBERS_MOST:
        raise UnreadableReport("its zip has several members")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(_member(archive)) as file:
            while piece := file.read(PIECE):
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise UnreadableReport(f"its zip is damaged: {error}") from error


def _member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not each.is_dir()]
    if len(members) != 1:
        raise UnreadableReport(f"its zip has {len(members)} members and must have one")
    if members[0].flag_bits & 1:
        raise UnreadableReport("its zip is encrypted")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableReport("its zip is packed in a way that reports are not")
    return members[0]
