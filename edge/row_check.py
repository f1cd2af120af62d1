"""A checksum for each row: SQLite notices a torn page, but not a bit that fell over inside a value."""

import zlib


def row_check(*parts: str) -> int:
    """CRC-32 of a row's parts. A file of an earlier version has rows without one (NULL): nothing is said of those."""
    return zlib.crc32("\0".join(parts).encode("utf-8", "surrogatepass"))


def is_sound(found: int | None, *parts: str) -> bool:
    return found is None or found == row_check(*parts)
