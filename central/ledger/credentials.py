"""Rows of gateways' keys and systems' tokens."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_PUT_GATEWAY = sa.text(
    """INSERT INTO gateways (gateway, store_id, key_hash, created_ms, version, bundle, counters, devices_online,
    devices_offline, rejected_total, quarantined_total, gaps_total)
    VALUES (:gateway, :store, :hash, :now, '', '', '{}', '[]', '[]', 0, 0, 0)
    ON CONFLICT (gateway) DO UPDATE SET key_hash = excluded.key_hash"""
)
_STORE_OF = sa.text("SELECT store_id FROM gateways WHERE gateway = :gateway")
_PUT_TOKEN = sa.text(
    "INSERT INTO tokens (token_hash, name, scope, created_ms, revoked) VALUES (:hash, :name, :scope, :now, 0)"
)
_REVOKE = sa.text("UPDATE tokens SET revoked = 1 WHERE name = :name AND revoked = 0")


def put_gateway(connection: Connection, gateway: str, store: str, key_hash: str, now_ms: int) -> str | None:
    """None when done; the store that already has a gateway of this name when that is another one."""
    owner = connection.execute(_STORE_OF, {"gateway": gateway}).scalar()
    if owner is not None and owner != store:
        return str(owner)
    connection.execute(_PUT_GATEWAY, {"gateway": gateway, "store": store, "hash": key_hash, "now": now_ms})
    return None


def put_token(connection: Connection, name: str, scope: str, token_hash: str, now_ms: int) -> None:
    connection.execute(_PUT_TOKEN, {"hash": token_hash, "name": name, "scope": scope, "now": now_ms})


def revoke_tokens(connection: Connection, name: str) -> int:
    """How many tokens of this name worked until now."""
    return int(connection.execute(_REVOKE, {"name": name}).rowcount)
