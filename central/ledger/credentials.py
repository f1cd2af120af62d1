"""Rows of gateways' keys and systems' tokens."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.access import Reach

_PUT_GATEWAY = sa.text(
    """INSERT INTO gateways (gateway, store_id, key_hash, created_ms, version, bundle, counters, devices_online,
    devices_offline, rejected_total, quarantined_total, gaps_total)
    VALUES (:gateway, :store, :hash, :now, '', '', '{}', '[]', '[]', 0, 0, 0)
    ON CONFLICT (gateway) DO UPDATE SET key_hash = excluded.key_hash"""
)
_KEYS = sa.text("SELECT key_hash, gateway, store_id FROM gateways LIMIT :limit")
_KEYS_CHANGE = sa.text("SELECT value FROM meta WHERE key = 'gateway_keys'")
_KEYS_CHANGED = sa.text(
    """INSERT INTO meta (key, value) VALUES ('gateway_keys', '1')
    ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)"""
)
"""So that a centre that knows all keys need not read them again to learn that none has changed."""
_STORE_OF = sa.text("SELECT store_id FROM gateways WHERE gateway = :gateway")
_PUT_TOKEN = sa.text(
    """INSERT INTO tokens (token_hash, name, scope, created_ms, revoked, expires_ms, reach)
    VALUES (:hash, :name, :scope, :now, 0, :expires, :reach)"""
)
_TOKENS = sa.text(
    "SELECT name, scope, created_ms, revoked, expires_ms, reach FROM tokens ORDER BY name, created_ms"
)
_OF_REGIONS = sa.text("SELECT store_id FROM stores WHERE region IN :regions").bindparams(
    sa.bindparam("regions", expanding=True, type_=sa.Text())
)
_WORKING = sa.text("SELECT token_hash FROM tokens WHERE name = :name AND revoked = 0 ORDER BY token_hash")
_REVOKE = sa.text("UPDATE tokens SET revoked = 1 WHERE name = :name AND revoked = 0")


def put_gateway(connection: Connection, gateway: str, store: str, key_hash: str, now_ms: int) -> str | None:
    """None when done; the store that already has a gateway of this name when that is another one."""
    owner = connection.execute(_STORE_OF, {"gateway": gateway}).scalar()
    if owner is not None and owner != store:
        return str(owner)
    connection.execute(_PUT_GATEWAY, {"gateway": gateway, "store": store, "hash": key_hash, "now": now_ms})
    connection.execute(_KEYS_CHANGED)
    return None


def keys_change(connection: Connection) -> str:
    """Another text whenever a gateway was put; "" before the first."""
    return connection.execute(_KEYS_CHANGE).scalar() or ""


def gateway_keys(connection: Connection, limit: int) -> list[tuple[str, str, str]]:
    """(hash of the key, gateway, store)."""
    return [tuple(row) for row in connection.execute(_KEYS, {"limit": limit})]


def put_token(
    connection: Connection,
    name: str,
    scope: str,
    token_hash: str,
    now_ms: int,
    expires_ms: int | None = None,
    reach: str | None = None,
) -> None:
    """expires_ms: real time, None never. reach: `Reach.to_json`, None for the whole chain."""
    connection.execute(
        _PUT_TOKEN,
        {
            "hash": token_hash, "name": name, "scope": scope, "now": now_ms, "expires": expires_ms, "reach": reach,
        },
    )  # fmt: skip


def reached_stores(connection: Connection, reach: Reach | None) -> frozenset[str] | None:
    """The stores that are in reach now; None is the whole chain."""
    if reach is None:
        return None
    rows = connection.execute(_OF_REGIONS, {"regions": list(reach.regions)})
    return frozenset(reach.stores) | {row.store_id for row in rows}


def all_tokens(connection: Connection) -> list[Any]:
    return list(connection.execute(_TOKENS).all())


def revoke_tokens(connection: Connection, name: str) -> list[str]:
    """The hashes of the tokens of this name that worked until now."""
    working = [str(row.token_hash) for row in connection.execute(_WORKING, {"name": name})]
    connection.execute(_REVOKE, {"name": name})
    return working
