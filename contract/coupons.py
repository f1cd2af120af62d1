"""Coupon codes: Crockford base 32 that a gateway can verify with no line to the centre.

A code is 13 characters: 3 of the campaign's prefix, 5 of a random serial, 5 of a truncated HMAC (25 bits; a
guess succeeds once in 33 million, and quotas bound the damage), written in groups `PPP-SSSSS-MMMMM`.
"""

import hashlib
import hmac

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIX_CHARS, SERIAL_CHARS, MAC_CHARS = 3, 5, 5
_AS_HEARD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


def base32_from_int(value: int, chars: int) -> str:
    """`value` in exactly `chars` Crockford characters. Raises ValueError when it does not fit."""
    if not 0 <= value < 32**chars:
        raise ValueError(f"{value} does not fit in {chars} base-32 characters")
    return "".join(ALPHABET[(value >> (5 * place)) & 31] for place in reversed(range(chars)))


def coupon_code(prefix: str, serial: int, key: bytes) -> str:
    """The code of `serial` (0 to 32**5 - 1) in the campaign with `prefix` and `key`."""
    body = prefix + base32_from_int(serial, SERIAL_CHARS)
    return f"{body[:PREFIX_CHARS]}-{body[PREFIX_CHARS:]}-{_mac(body, key)}"


def normal_code(text: str) -> str:
    """`text` as typed or scanned, in the one form that is stored and compared: upper case, I/L as 1, O as 0, no hyphens."""
    return text.upper().translate(_AS_HEARD)


def code_is_genuine(text: str, key: bytes) -> bool:
    code = normal_code(text)
    if len(code) != PREFIX_CHARS + SERIAL_CHARS + MAC_CHARS:
        return False
    return hmac.compare_digest(code[-MAC_CHARS:].encode(), _mac(code[:-MAC_CHARS], key).encode())


def _mac(body: str, key: bytes) -> str:
    digest = hmac.new(key, body.encode(), hashlib.sha256).digest()
    return base32_from_int(int.from_bytes(digest[:4], "big") >> 7, MAC_CHARS)
