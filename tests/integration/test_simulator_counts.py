"""The shop's devices against the gateway's own core: what left the cells is what the gateway counts, through noise and drift."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from contract.documents import OpeningHours, StoreDocument
from contract.records import SkuWindow, StockFact, StockFactKind
from contract.topics import stream_topic
from edge.core.effects import Emit
from edge.core.messages import DeviceMessage, DocumentArrived
from edge.core.step import EdgeCore
from simulator import journey
from simulator.catalogue import DAY_MS, HOUR_MS, ShopFile
from simulator.devices.shop_floor import ShopFloor
from simulator.shop_protocol import Advance, Despatch, DespatchLine

DAYS = 6
STEP_MS = HOUR_MS // 4


@pytest.fixture(scope="module")
def shop_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shops")
    return journey.prepare_shops(folder, shops=3, first_day=date(2017, 9, 4), days=DAYS)[0]


def _documents(shop: ShopFile) -> list:
    hours = [OpeningHours(weekday=day, opens_minute=360, closes_minute=1440) for day in range(7)]
    store = StoreDocument(
        version=1, store="shop-1", name="Shop", timezone=shop.timezone, currency="USD", hours=hours
    )
    planogram = shop.planogram_document(with_swap=True)
    return [store, shop.items_document(), planogram, shop.prices_document(), shop.history_document()]


def _restock(shop: ShopFile, floor: ShopFloor, now_ms: int) -> list[Despatch]:
    """Every morning what is missing to half full and more, as any wholesaler would."""
    if (now_ms - shop.start_ms) % DAY_MS != 9 * HOUR_MS:
        return []
    stock = floor.world.stock
    missing = {cell.sku: 2 * cell.capacity_units - stock.total_units(cell.sku) for cell in stock.cells}
    lines = [
        DespatchLine(gtin=shop.items[sku].gtin, quantity_units=units, expected_units=units)
        for sku, units in missing.items()
        if units > 4
    ]
    return [Despatch(despatch=f"D-{now_ms}", arrive_ms=now_ms, lines=lines)] if lines else []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_gateway_counts_what_left_the_cells_and_the_difference_is_theft(shop_path, tmp_path, seed):
    shop = ShopFile(shop_path)
    floor = ShopFloor(shop, seed, tmp_path, "127.0.0.1", 1, 5)
    core = EdgeCore()
    for document in _documents(shop):
        core.step(DocumentArrived(document), shop.start_ms)
    counted: Counter[str] = Counter()
    now_ms = shop.start_ms
    while now_ms < shop.end_ms + HOUR_MS:
        now_ms += STEP_MS
        floor.advance(Advance(cmd="advance", to_ms=now_ms, despatches=_restock(shop, floor, now_ms)), 0)
        core.tick(now_ms, now_ms)
        for wire in floor.wires.values():
            while wire.journal.has_next():
                event = wire.journal.take(0)
                core.step(DeviceMessage(stream_topic(event.device, event.stream), event.to_json()), now_ms)
            wire.journal.stored(wire.journal.boot_id, wire.journal.events_made, 0)
        core.settle(now_ms)
        effects, _ = core.take()
        for effect in effects:
            if isinstance(effect, Emit) and isinstance(effect.record, SkuWindow):
                counted["picked"] += effect.record.picked_units
                counted["put back"] += effect.record.put_back_units
                counted["refilled"] += effect.record.refilled_units
                counted["unresolved"] += effect.record.unresolved_g
            if isinstance(effect, Emit) and isinstance(effect.record, StockFact):
                counted["shrink"] -= effect.record.units if effect.record.fact is StockFactKind.SHRINK else 0
    stock, tally = floor.world.stock, floor.world.tally
    assert counted["picked"] == stock.units_taken > 800
    assert counted["put back"] == stock.put_back_units
    assert counted["refilled"] == stock.refilled_units
    assert counted["unresolved"] == 0
    # Shrink is found when someone counts, or when the shelf shows more than the book: never more than went missing.
    assert 0 <= counted["shrink"] <= tally.stolen_units
    for cell in stock.cells:
        assert core.state.shelves.on_shelf_units(cell.sku) == cell.units, cell.plan
    shop.close()
