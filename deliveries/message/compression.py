"""How content is kept: zstd frames, made and read with one context for each thread."""

import threading
from collections.abc import Iterable

import zstandard

# Work on content larger than this leaves the event loop for a thread.
LARGE = 262_144
LEVEL = 1  # 0.02 ms for 10 KB, and half the size of most mail

# zstandard's contexts are not thread-safe ("cannot compress: Src size is incorrect" under load).
_of_thread = threading.local()


def compress(head: bytes, body: Iterable[bytes], *, size: int) -> bytes:
    """Compress `head` and the chunks of `body`, together `size` bytes, into one frame."""
    chunks = [head, *body] if size <= 1_048_576 else None
    if chunks is not None:
        return _compressor().compress(b"".join(chunks))
    stream = _compressor().compressobj(size=size)
    parts = [stream.compress(head), *(stream.compress(chunk) for chunk in body), stream.flush()]
    return b"".join(parts)


def decompress(data: bytes, *, most: int) -> bytes:
    """Return the bytes of one frame; raise `ValueError` if it is damaged or larger than `most`."""
    try:
        if zstandard.frame_content_size(data) > most:
            raise ValueError("the content is larger than it may be")
        return _decompressor().decompress(data, max_output_size=most)
    except zstandard.ZstdError as error:
        raise ValueError(f"the content is damaged: {error}") from error


def beginning(data: bytes, *, most: int) -> bytes:
    """Return what the first bytes of a frame hold, `most` bytes of it at most; b"" if damaged."""
    reader = zstandard.ZstdDecompressor().stream_reader(data)
    try:
        return bytes(reader.read(most))
    except zstandard.ZstdError:
        return b""


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_of_thread, "compressor"):
        _of_thread.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return _of_thread.compressor  # type: ignore[no-any-return]  # a thread-local holds anything


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_of_thread, "decompressor"):
        _of_thread.decompressor = zstandard.ZstdDecompressor()
    return _of_thread.decompressor  # type: ignore[no-any-return]  # a thread-local holds anything
