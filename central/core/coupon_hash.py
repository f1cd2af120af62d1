"""How a coupon code is stored: hashed, with its tail for people."""

import hashlib

from contract.coupons import normal_code

TAIL_CHARS = 4


def code_hash(code: str) -> str:
    """SHA-256 of the code in its one form. A code carries 50 random or keyed bits, and lives days: enough."""
    return hashlib.sha256(normal_code(code).encode()).hexdigest()


def code_tail(code: str) -> str:
    return normal_code(code)[-TAIL_CHARS:]
