"""COBS: bytes without zeros, so that a zero can end a frame. One byte more in 254.

Each run of up to 254 bytes between zeros is written as its length plus one, then the run; 255 stands for 254 bytes with no
zero behind them. Source: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1997.
"""

_FULL = 254
_FULL_CODE = b"\xff"
_CODES = [bytes((code,)) for code in range(256)]


class StuffingError(ValueError):
    """These bytes are no COBS: a zero inside, or a run that is cut off."""


def stuff(plain: bytes) -> bytes:
    """Without a zero byte, at most len(plain) + 1 + len(plain) // 254 long."""
    pieces: list[bytes] = []
    runs = plain.split(b"\0")
    last = len(runs) - 1
    for number, run in enumerate(runs):
        while len(run) > _FULL:
            pieces += (_FULL_CODE, run[:_FULL])
            run = run[_FULL:]  # noqa: PLW2901 - eaten from the front
        if len(run) < _FULL:
            pieces += (_CODES[len(run) + 1], run)
        else:
            # A full run says that no zero follows; one that does, in the middle, is an empty run of its own.
            pieces += (_FULL_CODE, run, b"\1") if number < last else (_FULL_CODE, run)
    return b"".join(pieces)


def unstuff(stuffed: bytes) -> bytes:
    """Raises StuffingError."""
    if b"\0" in stuffed:
        raise StuffingError("a zero byte inside")
    pieces: list[bytes] = []
    place, size = 0, len(stuffed)
    while place < size:
        code = stuffed[place]
        end = place + code
        if end > size:
            raise StuffingError(f"the run at byte {place} wants {end - size} bytes more")
        pieces.append(stuffed[place + 1 : end])
        place = end
        if code <= _FULL and place < size:
            pieces.append(b"\0")
    return b"".join(pieces)
