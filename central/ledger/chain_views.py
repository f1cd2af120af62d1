"""What HQ asks of all stores at once: one SKU in each of them."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from central.core.days import day_start_ms
from central.core.rollups import DAY_MS
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.chain import SkuDay

_ZONES = of_stores("SELECT DISTINCT timezone FROM stores WHERE {stores}")
_SKU_DAY = of_stores(
    """SELECT s.store_id AS store, s.name, s.region, r.sold_units, r.sold_cents, r.picked_units, r.delivered_units,
    r.shrink_units, r.stock_out_ms, r.on_hand_units
    FROM (SELECT store_id, name, region FROM stores WHERE timezone = :zone AND {stores}) s
    JOIN rollups r ON r.store_id = s.store_id AND r.step_ms = :step AND r.at_ms = :at_ms AND r.sku = :sku"""
)


def sku_day(connection: Connection, sku: str, day: str, stores: Stores = None) -> list[SkuDay]:
    """`sku` on the business day `day` (ISO) in every store that has sums of it, by store."""
    found: list[SkuDay] = []
    zones: Collection[str] = [row.timezone for row in connection.execute(_ZONES, named(stores))]
    for zone in zones:  # a day begins at each zone's own midnight
        at_ms = day_start_ms(day, ZoneInfo(zone))
        values = {**named(stores), "zone": zone, "step": DAY_MS, "at_ms": at_ms, "sku": sku}
        found += [SkuDay(**row) for row in connection.execute(_SKU_DAY, values).mappings()]
    return sorted(found, key=lambda one: one.store)
