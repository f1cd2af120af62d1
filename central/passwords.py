"""People's passwords: argon2id, a bounded number of hashes at a time, and the same work for a name nobody has."""

import functools
import threading
import unicodedata

import argon2

from central.errors import BusyError
from runtime.errors import OperatorError

MIN_CHARS, MAX_CHARS = 12, 200
"""Source: NIST SP 800-63B: length counts, composition rules do not; a bound, for hashing is work."""
NO_PASSWORD = ""
"""In place of the hash of a person who comes in by one-time links only."""
AT_ONCE = 1
"""A hash takes 64 MiB and half a tenth of a second: log-ins must take neither the machine from the gateways nor a third of its memory."""
WAIT_S = 5.0

_hasher = argon2.PasswordHasher()
"""argon2-cffi's defaults: RFC 9106, "second recommended option": argon2id, t=3, m=64 MiB, p=4."""
_slots = threading.BoundedSemaphore(AT_ONCE)


@functools.cache
def _nobodys() -> str:
    """The hash that a log-in with an unknown name is compared with."""
    return _hasher.hash("nobody")


def checked_password(password: str) -> str:
    """The password in the form that is hashed. Raises OperatorError when it is too short or too long."""
    plain = unicodedata.normalize("NFKC", password)
    if not MIN_CHARS <= len(plain) <= MAX_CHARS:
        raise OperatorError(
            f"the password has {len(plain)} characters; choose one of {MIN_CHARS} to {MAX_CHARS}, several words are best"
        )
    return plain


def hash_password(password: str) -> str:
    """Raises OperatorError when the password is too short or too long."""
    return _hasher.hash(checked_password(password))


def is_password(password_hash: str | None, password: str) -> bool:
    """Whether it is the right one. Raises BusyError when many log in.

    password_hash: None when nobody has this name, NO_PASSWORD for who has none; both take as long as a wrong one.
    """
    if not _slots.acquire(timeout=WAIT_S):
        raise BusyError("many people are logging in; try again in a few seconds")
    try:
        plain = unicodedata.normalize("NFKC", password[:MAX_CHARS])
        found = _hasher.verify(password_hash or _nobodys(), plain)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    finally:
        _slots.release()
    return found and bool(password_hash)
