"""The public half of the key that signs bundles, read with libsodium.

A gateway only verifies: PyNaCl costs it 1 MB of memory where `cryptography`, which signs, costs 6.5 MB (measured).
"""

import base64
import binascii
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from models.errors import BundleError

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of every Ed25519 SubjectPublicKeyInfo (RFC 8410, section 4)."""
_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
_NEXT_STEP = "give the .pem that `shelfloop models keygen` wrote beside the private key"


def read_public_key(given: Path | bytes) -> VerifyKey:
    """given: a PEM file or its bytes. Raises BundleError (check "public key")."""
    origin = given if isinstance(given, Path) else Path("public key")
    try:
        pem = given.read_bytes() if isinstance(given, Path) else given
    except OSError as error:
        raise BundleError("public key", origin, error.strerror or str(error), _NEXT_STEP) from None
    _, begin, rest = pem.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise BundleError("public key", origin, "it is no public key in PEM", _NEXT_STEP)
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise BundleError("public key", origin, f"its PEM is damaged ({error})", _NEXT_STEP) from None
    if not der.startswith(_ED25519_SPKI) or len(der) != len(_ED25519_SPKI) + 32:
        raise BundleError("public key", origin, "it is not an Ed25519 key", _NEXT_STEP)
    return VerifyKey(der[len(_ED25519_SPKI) :])


def is_signed(content: bytes, signature: bytes, key: VerifyKey) -> bool:
    """Whether the private half of `key` made `signature` (64 bytes) over `content`."""
    try:
        key.verify(content, signature)
    except (BadSignatureError, ValueError):  # ValueError: a signature that has not 64 bytes
        return False
    return True
