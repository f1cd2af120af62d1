"""Standard Webhooks 1.0: signs `id.timestamp.body` with HMAC-SHA256, one signature a key while keys rotate."""

import base64
import hashlib
import hmac
import secrets

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of all secrets is none
KEY_BYTES = 32
"""The specification asks for 24 to 64."""


def new_webhook_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signed_headers(
    webhook_id: str, timestamp_s: int, body: bytes, webhook_secrets: tuple[str, ...]
) -> dict[str, str]:
    """The three headers of the specification. webhook_id stays the same over retries, the timestamp does not."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    signatures = " ".join(f"v1,{_signature(secret, signed)}" for secret in webhook_secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures,
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
