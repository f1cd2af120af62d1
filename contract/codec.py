"""Bytes of a batch: JSON, then zstd at level 3 (11 bytes a window row, measured; the best binary form is 9.9)."""

import threading

import zstandard

from contract.batch import MAX_BODY_BYTES, Batch, BatchReceipt
from contract.errors import MalformedMessageError

ZSTD = "zstd"
ZSTD_LEVEL = 3


KEPT_BODY_BYTES = 16_384
"""A compressor keeps room for the largest body it has seen, megabytes for a large one: those get one of their own."""


class _Codecs(threading.local):
    """A thread's own: making one costs ten times what a small body takes, and none may be used by two threads at once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=2**23)


_codecs = _Codecs()


def compress(body: bytes) -> bytes:
    if len(body) > KEPT_BODY_BYTES:
        return zstandard.compress(body, ZSTD_LEVEL)
    return _codecs.compressor.compress(body)


def decompress(body: bytes, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Raises MalformedMessageError before it grows past `max_bytes`, whatever the frame claims of itself."""
    try:
        if 0 < zstandard.frame_content_size(body) <= max_bytes:
            plain = _codecs.decompressor.decompress(body)
        else:
            plain = _codecs.decompressor.stream_reader(body).read(max_bytes + 1)
    except zstandard.ZstdError as error:
        raise MalformedMessageError(
            "zstd body", f"{error}; send a zstd frame or no Content-Encoding"
        ) from None
    if len(plain) > max_bytes:
        raise MalformedMessageError(
            "zstd body", f"more than {max_bytes} bytes decompressed; send smaller batches"
        )
    return plain


def batch_to_bytes(batch: Batch) -> bytes:
    return compress(batch.to_json())


def batch_from_bytes(body: bytes, encoding: str = ZSTD) -> Batch:
    """encoding: the Content-Encoding, `zstd` or "" for plain JSON."""
    return Batch.from_json(batch_plain_from_bytes(body, encoding), "batch")


def batch_plain_from_bytes(body: bytes, encoding: str = ZSTD) -> bytes:
    """A batch's JSON. Raises MalformedMessageError before it grows past MAX_BODY_BYTES."""
    if encoding not in ("", "identity", ZSTD):
        raise MalformedMessageError(
            "batch", f"Content-Encoding {encoding[:20]!r} is unknown; use zstd or none"
        )
    plain = decompress(body) if encoding == ZSTD else body
    if len(plain) > MAX_BODY_BYTES:
        raise MalformedMessageError("batch", f"more than {MAX_BODY_BYTES} bytes; send smaller batches")
    return plain


def batch_receipt_from_bytes(body: bytes) -> BatchReceipt:
    return BatchReceipt.from_json(body, "batch receipt")
