"""A shop as its file describes it: goods, cells, devices, opening stock, what is planned; and the baskets to come.

Everything here follows from the file alone, so that the orchestrator (which tells the centre) and the shop process
(which plays the shop) agree without talking.
"""

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from contract.calendar import Promotion
from contract.documents import (
    DailyUnits,
    Facing,
    HistoryDocument,
    Item,
    ItemsDocument,
    PlanogramDocument,
    Price,
    PricesDocument,
)

LOCAL_OFFSET_MS = -5 * 3_600_000
"""The shops' zone is Etc/GMT+5 all year (see simulator.journey)."""
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PROMOTIONS_BEFORE_DAYS, PROMOTIONS_AFTER_DAYS = 63, 28
"""Around the replayed days: what forecasts look back on, and what they are told of days to come."""
CELLS_PER_SHELF = 15
OPENING_STOCK_DAYS = 7.0
"""Of average sales, on the shelf and in the back room together: the first orders must come in time, not at once."""
MIN_CAPACITY_UNITS, MAX_CAPACITY_UNITS = 8, 40
SWAP_DAY, SWAP_RANKS = 7, (20, 35)
SWAP_AT_MS = 4 * HOUR_MS + HOUR_MS // 2
"""Local time of day: half past four, when nobody shops."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """wire: `mqtt` or `serial`. uid: of the microcontroller in HELLO, for the bridge's settings; "" on MQTT."""

    device: str
    kind: str
    wire: str
    uid: str = ""


ESL_BASE = "esl-base"
TILLS = ("till-1", "till-2")
DEVICES = (
    DeviceSpec("till-1", "till", "mqtt"),
    DeviceSpec("dock", "dock", "mqtt"),
    DeviceSpec("till-2", "till", "serial", "mcu-till-2"),
    DeviceSpec(ESL_BASE, "esl-base", "serial", "mcu-esl-base"),
    DeviceSpec("shelf-1", "shelf", "serial", "mcu-shelf-1"),
    DeviceSpec("shelf-2", "shelf", "serial", "mcu-shelf-2"),
    DeviceSpec("shelf-3", "shelf", "serial", "mcu-shelf-3"),
    DeviceSpec("shelf-4", "shelf", "serial", "mcu-shelf-4"),
)


@dataclass(frozen=True, slots=True)
class ShopItem:
    sku: str
    gtin: str
    name: str
    category: str
    unit_weight_g: float
    price_cents: int
    cell_rank: int | None
    daily_units: float


@dataclass(frozen=True, slots=True)
class CellPlan:
    """A cell as fitted on the first day. capacity_units belongs to the goods and moves with them at the swap."""

    device: str
    cell: str
    sku: str
    tag: str
    capacity_units: int
    tare_g: float
    shelf_units: int
    back_room_units: int


@dataclass(frozen=True, slots=True)
class FacingSwap:
    """At `at_ms` the goods of the two cells (places in `ShopFile.cells`) change places."""

    at_ms: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class BasketLine:
    sku: str
    quantity: int
    regular_cents: int
    discount_cents: int
    coupon_cents: int


@dataclass(frozen=True, slots=True)
class Basket:
    number: int
    at_ms: int
    member: str
    lines: tuple[BasketLine, ...]


def local_day(at_ms: int) -> str:
    """The business day (ISO) of a time."""
    return datetime.fromtimestamp((at_ms + LOCAL_OFFSET_MS) / 1000, UTC).date().isoformat()


def midnight_ms(day: date) -> int:
    """UTC milliseconds at which the business day begins."""
    return (day - date(1970, 1, 1)).days * DAY_MS - LOCAL_OFFSET_MS


class ShopFile:
    """A file that `simulator.journey` made. Raises sqlite3.Error when it is none."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._file.execute("PRAGMA cache_size = -2000")
        meta = dict(self._file.execute("SELECT name, value FROM meta"))
        self.meta: dict[str, str] = meta
        self.shop = str(meta["shop"])
        self.timezone = str(meta["timezone"])
        self.first_day = date.fromisoformat(meta["first_day"])
        self.days = int(meta["days"])
        self.start_ms = midnight_ms(self.first_day)
        self.end_ms = midnight_ms(self.first_day + timedelta(days=self.days))
        rows = self._file.execute(
            "SELECT sku, gtin, name, category, unit_weight_g, price_cents, cell_rank, daily_units FROM items ORDER BY sku"
        )
        self.items: dict[str, ShopItem] = {row[0]: ShopItem(*row) for row in rows}
        ranked = sorted((item for item in self.items.values() if item.cell_rank is not None), key=_rank)
        self.cells: tuple[CellPlan, ...] = tuple(_cell_plan(place, item) for place, item in enumerate(ranked))
        self.swap = self._planned_swap()

    def close(self) -> None:
        self._file.close()

    def baskets(self) -> Iterator[Basket]:
        """All baskets in order of time, read as they are asked for."""
        rows = self._file.cursor().execute("SELECT basket, at_ms, member FROM baskets ORDER BY at_ms, basket")
        lines = self._file.cursor()
        sql = "SELECT sku, quantity, regular_cents, discount_cents, coupon_cents FROM lines WHERE basket = ? ORDER BY rowid"
        for number, at_ms, member in rows:
            yield Basket(
                number, at_ms, member, tuple(BasketLine(*row) for row in lines.execute(sql, (number,)))
            )

    def items_document(self, version: int = 1) -> ItemsDocument:
        items = [
            Item(
                sku=item.sku,
                gtins=[item.gtin],
                name=item.name,
                category=item.category,
                unit_weight_g=item.unit_weight_g if item.cell_rank is not None else None,
                managed=item.cell_rank is not None,
            )
            for item in self.items.values()
        ]
        return ItemsDocument(version=version, items=items)

    def prices_document(self, version: int = 1) -> PricesDocument:
        prices = [
            Price(sku=item.sku, price_cents=item.price_cents, from_ms=self.start_ms)
            for item in self.items.values()
        ]
        return PricesDocument(version=version, prices=prices)

    def planogram_document(self, version: int = 1, *, with_swap: bool = False) -> PlanogramDocument:
        """The facings from the start; with_swap: also those from the swap on."""
        facings = [self._facing(place, place, self.start_ms) for place in range(len(self.cells))]
        if with_swap and self.swap is not None:
            facings.append(self._facing(self.swap.first, self.swap.second, self.swap.at_ms))
            facings.append(self._facing(self.swap.second, self.swap.first, self.swap.at_ms))
        return PlanogramDocument(version=version, facings=facings, esl_base=ESL_BASE)

    def history_document(self, version: int = 1, days: int = 120) -> HistoryDocument:
        """Daily units of the goods on cells in the `days` before the first day."""
        since = (self.first_day - timedelta(days=days)).isoformat()
        units: dict[str, list[int | None]] = {}
        for sku, count in self._file.execute(
            "SELECT sku, units FROM history WHERE day >= ? ORDER BY sku, day", (since,)
        ):
            units.setdefault(sku, []).append(count)
        rows = [DailyUnits(sku=sku, units=counts) for sku, counts in units.items()]
        return HistoryDocument(version=version, first_live_day=self.first_day.isoformat(), rows=rows)

    def promotions(self) -> list[Promotion]:
        """What the mailer shows of the goods on cells, week by week: goods of one week and discount are one promotion."""
        found: dict[tuple[str, str, int | None], list[str]] = {}
        for sku, *key in self._file.execute(
            "SELECT sku, from_day, until_day, discount_percent FROM promotions ORDER BY from_day, discount_percent, sku"
        ):
            found.setdefault((key[0], key[1], key[2]), []).append(sku)
        return [
            Promotion(
                from_day=first, until_day=last, discount_percent=off, skus=skus,
                name=f"Mailer, week {date.fromisoformat(first).isocalendar().week}",
            )
            for (first, last, off), skus in found.items()
        ]  # fmt: skip

    def basket_count(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM baskets").fetchone()[0])

    def members(self) -> list[str]:
        """Every member that shops here in the replayed days."""
        return [row[0] for row in self._file.execute("SELECT DISTINCT member FROM baskets ORDER BY member")]

    def _facing(self, place: int, goods: int, from_ms: int) -> Facing:
        at, of = self.cells[place], self.cells[goods]
        return Facing(
            device=at.device, cell=at.cell, sku=of.sku, from_ms=from_ms, capacity_units=of.capacity_units, tare_g=at.tare_g, tag=at.tag
        )  # fmt: skip

    def _planned_swap(self) -> FacingSwap | None:
        day = min(SWAP_DAY, self.days // 2)
        first, second = SWAP_RANKS
        if day < 1 or len(self.cells) <= second:
            return None
        return FacingSwap(self.start_ms + day * DAY_MS + SWAP_AT_MS, first, second)


def _rank(item: ShopItem) -> int:
    return -1 if item.cell_rank is None else item.cell_rank


def _cell_plan(place: int, item: ShopItem) -> CellPlan:
    capacity = max(MIN_CAPACITY_UNITS, min(MAX_CAPACITY_UNITS, math.ceil(2 * item.daily_units) + 6))
    stock = max(capacity, math.ceil(OPENING_STOCK_DAYS * item.daily_units) + 4)
    return CellPlan(
        device=f"shelf-{place // CELLS_PER_SHELF + 1}",
        cell=f"c{place % CELLS_PER_SHELF + 1:02d}",
        sku=item.sku,
        tag=f"tag-{place + 1:02d}",
        capacity_units=capacity,
        tare_g=float(300 + 17 * (place % 11)),
        shelf_units=capacity,
        back_room_units=stock - capacity,
    )
