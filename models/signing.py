"""Keys and signatures of bundles: Ed25519 over the bytes of manifest.json, which names every file's sha256."""

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from models.errors import BundleError, ModelsError
from models.manifest import MANIFEST_FILE, SIGNATURE_FILE
from runtime.errors import reason_of


class KeyFileError(ModelsError):
    """The operator must act: a key file cannot be read or would be overwritten."""


def public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_key_pair(private_path: Path, public_path: Path) -> None:
    """A new pair: the private half readable by its owner only. Raises KeyFileError rather than overwrite a key."""
    for path in (private_path, public_path):
        if path.exists():
            raise KeyFileError(
                f"{path} exists; a key is never overwritten: choose another name or move it away"
            )
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    public_path.write_bytes(public_pem(key))


def private_key_from(path: Path) -> Ed25519PrivateKey:
    """Raises KeyFileError when the file is no unencrypted Ed25519 private key in PEM."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFileError(
            f"cannot read the private key {path}: {reason_of(error)}; shelfloop models keygen writes one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is no Ed25519 key; shelfloop models keygen writes one")
    return key


def sign_bundle(folder: Path, key: Ed25519PrivateKey) -> None:
    """Write the signature of the manifest in `folder`. Raises BundleError when there is no manifest."""
    try:
        content = (folder / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise BundleError(
            "folder",
            folder / MANIFEST_FILE,
            error.strerror or str(error),
            "give the folder that `train` wrote",
        ) from None
    (folder / SIGNATURE_FILE).write_bytes(base64.b64encode(key.sign(content)) + b"\n")
