"""Puts a fleet's stores and keys into a ledger at once: one by one over the API would take longer than the measurement."""

import secrets

import sqlalchemy as sa

from central.auth import GATEWAY_PREFIX, hash_of, new_secret
from central.ledger.bulk import BulkStatement
from central.ledger.engine import Ledger
from simulator.fleet import FleetGateway

_STORES = BulkStatement(
    sa.text(
        """INSERT INTO stores (store_id, name, region, timezone, currency, h3_cell, hours, closed_days)
        VALUES (:store_id, :name, :region, :timezone, :currency, :h3_cell, :hours, :closed_days)"""
    )
)
_GATEWAYS = BulkStatement(
    sa.text(
        """INSERT INTO gateways (gateway, store_id, key_hash, created_ms, version, bundle, counters, devices_online,
        devices_offline, rejected_total, quarantined_total, gaps_total)
        VALUES (:gateway, :store_id, :key_hash, :zero, :empty, :empty2, :counters, :online, :offline, :zero2, :zero3, :zero4)"""
    )
)
_ITEMS = BulkStatement(
    sa.text(
        """INSERT INTO items (store_id, sku, gtin, name, category, managed)
        VALUES (:store_id, :sku, :gtin, :name, :category, :managed)"""
    )
)


def add_fleet(ledger: Ledger, count: int, *, skus: int = 40, prefix: str = "f") -> list[FleetGateway]:
    """`count` stores with a gateway and `skus` managed items each."""
    run = secrets.token_hex(3)
    fleet = [
        FleetGateway(f"{prefix}{run}-{n}", f"{prefix}{run}-store-{n}", new_secret(GATEWAY_PREFIX))
        for n in range(count)
    ]
    for first in range(0, count, 500):
        part = fleet[first : first + 500]
        with ledger.write.begin() as connection:
            _STORES.run(connection, [_store(one) for one in part])
            _GATEWAYS.run(connection, [_gateway(one) for one in part])
            _ITEMS.run(connection, [_item(one.store, sku) for one in part for sku in range(skus)])
    return fleet


def _store(one: FleetGateway) -> dict[str, object]:
    return {
        "store_id": one.store, "name": one.store, "region": "north", "timezone": "America/New_York", "currency": "USD",
        "h3_cell": None, "hours": "[]", "closed_days": "[]",
    }  # fmt: skip


def _gateway(one: FleetGateway) -> dict[str, object]:
    return {
        "gateway": one.gateway, "store_id": one.store, "key_hash": hash_of(one.key), "empty": "", "empty2": "",
        "counters": "{}", "online": "[]", "offline": "[]", "zero": 0, "zero2": 0, "zero3": 0, "zero4": 0,
    }  # fmt: skip


def _item(store: str, sku: int) -> dict[str, object]:
    return {
        "store_id": store, "sku": f"sku-{sku}", "gtin": f"{sku:014d}", "name": f"Good {sku}",
        "category": f"category {sku % 8}", "managed": 1,
    }  # fmt: skip
