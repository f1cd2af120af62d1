"""What HQ asks of all stores at once: one SKU in each of them, and which categories lead in each region."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from central.core.days import day_start_ms
from central.core.rollups import DAY_MS
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.chain import CategoryHour, SkuDay

_ZONES = of_stores("SELECT DISTINCT timezone FROM stores WHERE {stores}")
_SKU_DAY = of_stores(
    """SELECT s.store_id AS store, s.name, s.region, r.sold_units, r.sold_cents, r.picked_units, r.delivered_units,
    r.shrink_units, r.stock_out_ms, r.on_hand_units
    FROM (SELECT store_id, name, region FROM stores WHERE timezone = :zone AND {stores}) s
    JOIN rollups r ON r.store_id = s.store_id AND r.step_ms = :step AND r.at_ms = :at_ms AND r.sku = :sku"""
)
_HOURS = "SELECT * FROM category_hours c WHERE c.store_id = s.store_id AND c.at_ms >= :from_ms AND c.at_ms < :to_ms"
_JOINED = {
    "sqlite": "CROSS JOIN category_hours c WHERE " + _HOURS.partition("WHERE ")[2],
    # OFFSET 0 keeps it a look-up a store: else the server may read the hours of all time.
    "postgresql": f"CROSS JOIN LATERAL ({_HOURS} OFFSET 0) c",
}
_CATEGORIES = {
    name: of_stores(
        f"""SELECT region, at_ms, category, sold_units, sold_cents, stock_out_ms, place FROM (
        SELECT sums.*, row_number() OVER (PARTITION BY region, at_ms ORDER BY sold_cents DESC, category) AS place FROM (
        SELECT s.region, c.at_ms, c.category, sum(c.sold_units) AS sold_units, sum(c.sold_cents) AS sold_cents,
        sum(c.stock_out_ms) AS stock_out_ms FROM (SELECT store_id, region FROM stores WHERE {{stores}}) s {joined}
        GROUP BY s.region, c.at_ms, c.category) sums) places
        WHERE place <= :top ORDER BY region, at_ms, place"""  # noqa: S608 - our own words
    )
    for name, joined in _JOINED.items()
}


def sku_day(connection: Connection, sku: str, day: str, stores: Stores = None) -> list[SkuDay]:
    """`sku` on the business day `day` (ISO) in every store that has sums of it, by store."""
    found: list[SkuDay] = []
    zones: Collection[str] = [row.timezone for row in connection.execute(_ZONES, named(stores))]
    for zone in zones:  # a day begins at each zone's own midnight
        at_ms = day_start_ms(day, ZoneInfo(zone))
        values = {**named(stores), "zone": zone, "step": DAY_MS, "at_ms": at_ms, "sku": sku}
        found += [SkuDay(**row) for row in connection.execute(_SKU_DAY, values).mappings()]
    return sorted(found, key=lambda one: one.store)


def top_categories(
    connection: Connection, from_ms: int, to_ms: int, *, top: int, stores: Stores = None
) -> list[CategoryHour]:
    """For each region and hour that begins in [from_ms, to_ms) the `top` categories by what they sold."""
    values = {**named(stores), "from_ms": from_ms, "to_ms": to_ms, "top": top}
    found = connection.execute(_CATEGORIES[connection.dialect.name], values).mappings()
    return [CategoryHour(**row) for row in found]
