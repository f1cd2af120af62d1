"""Windows and stock facts that the ledger has and its sums do not yet: which stores have some, and the sums that they make."""

from collections.abc import Collection, Container
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.rollups import QUARTER_MS, RollupSums, category_hours, order_of_epoch
from central.ledger import facts
from central.ledger.reading import Read
from central.ledger.window_runs import unpack
from contract.devices import Place
from contract.records import StockFact, StockFactKind

_BEHIND = sa.text(
    "SELECT store_id, max(changed_ms) FROM positions WHERE unsummed_from IS NOT NULL GROUP BY store_id ORDER BY 2, 1"
)
_IS_BEHIND = sa.text(
    "SELECT max(changed_ms) FROM positions WHERE store_id = :store AND unsummed_from IS NOT NULL"
)
_PLACES = Read(
    "SELECT gateway, epoch, ordinal, unsummed_from FROM positions WHERE store_id = :store AND unsummed_from IS NOT NULL"
)
_WINDOWS = Read(
    """SELECT body FROM windows WHERE store_id = :store AND gateway = :gateway AND epoch = :epoch AND seq >= :from_seq
    ORDER BY seq"""
)
_FACTS = sa.text(
    """SELECT * FROM stock_facts WHERE store_id = :store AND gateway = :gateway AND epoch = :epoch AND seq >= :from_seq
    ORDER BY seq"""
)
_ITEMS = Read("SELECT sku, category FROM items WHERE store_id = :store AND managed = 1")
_SUMMED = sa.text(
    "UPDATE positions SET unsummed_from = NULL WHERE store_id = :store AND unsummed_from IS NOT NULL"
)


def stores_behind(connection: Connection, stores: Collection[str] | None = None) -> list[tuple[str, int]]:
    """(store, when it was heard last) of those whose sums lack something, the longest silent first. stores: None, all."""
    if stores is not None and len(stores) == 1:
        (store,) = stores
        heard_ms = connection.execute(_IS_BEHIND, {"store": store}).scalar()
        return [] if heard_ms is None else [(store, heard_ms)]
    found = [(store, heard_ms) for store, heard_ms in connection.execute(_BEHIND)]
    return found if stores is None else [one for one in found if one[0] in stores]


def read_unsummed(
    connection: Connection, store: str, zone: ZoneInfo, managed: Container[str]
) -> RollupSums | None:
    """What is to be added to the store's sums, made from its facts; None: nothing."""
    places = _PLACES.rows(connection, {"store": store})
    if not places:
        return None
    sums = RollupSums(zone, managed)
    for gateway, epoch, ordinal, from_seq in places:
        of = {"store": store, "gateway": gateway, "epoch": epoch, "from_seq": from_seq}
        sums.epoch_order = order_of_epoch(ordinal)
        for (body,) in _WINDOWS.rows(connection, of):
            sums.add_windows(unpack(body))
        for row in connection.execute(_FACTS, of).mappings():
            sums.add_stock_fact(fact_from_row(row))
    return sums


def sum_up(connection: Connection, store: str, zone: ZoneInfo) -> set[int]:
    """Adds what is not summed yet, where no centre runs. Returns the starts of the quarter hours that changed."""
    categories: dict[str, str] = dict(_ITEMS.rows(connection, {"store": store}))
    sums = read_unsummed(connection, store, zone, categories)
    if sums is None:
        return set()
    rows = sums.rows()
    facts.add_rollups(connection, store, rows)
    facts.add_category_hours(connection, store, category_hours(rows, categories.get))
    connection.execute(_SUMMED, {"store": store})
    return {at_ms for step_ms, _, at_ms in rows if step_ms == QUARTER_MS}


def fact_from_row(row: Any) -> StockFact:
    """row: of `stock_facts`, by its columns' names."""
    values = {name: value for name, value in row.items() if name not in ("store_id", "gateway", "epoch")}
    values["fact"], values["place"] = StockFactKind(values["fact"]), Place(values["place"])
    return StockFact.model_construct(**values)
