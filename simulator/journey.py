"""One SQLite file a shop, made from the Complete Journey receipts: what the demo replays, and what came before it.

The 457 stores of the panel are dealt to K small shops of about equal numbers of baskets (`journey_receipts` says how
the data are cleaned).

    shelfloop simulate receipts --out DIR [--shops 3] [--first-day 2017-09-04] [--days 28]
"""

import argparse
import hashlib
import sqlite3
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contract.ids import gtin14_from_text, gtin_check_digit
from simulator.catalogue import PROMOTIONS_AFTER_DAYS, PROMOTIONS_BEFORE_DAYS
from simulator.journey_promotions import PromotedWeek, Promotions
from simulator.journey_receipts import (
    DATA_END_DAY,
    DATA_FIRST_DAY,
    Ints,
    JourneyError,
    LineBatch,
    Receipts,
)
from simulator.package_weight import unit_weight_g

TIMEZONE = "Etc/GMT+5"
TRAINING_END = date(2017, 9, 1)
"""The training part is the local days before this one."""
DEFAULT_FIRST_DAY = date(2017, 9, 4)
DEFAULT_DAYS, MAX_DAYS = 28, 100
SELECTION_DAYS = 91
"""The last quarter of the training part says what sells best, and what it costs."""
CELLS = 60
MAX_PRICE_CENTS = 1_000_000
MIN_CELL_UNIT_G = 40.0
"""Below that, a cell's noise and drift are too much of a unit."""
GS1_DEMONSTRATION_PREFIX = "952"
NOT_ON_CELLS = frozenset(
    {"SALAD BAR", "RESTAURANT", "CHEF SHOPPE", "FLORAL", "DELI", "SEAFOOD", "MEAT", "PASTRY"}
)
"""Served, cooked or cut to order: nobody takes them from a shelf in equal units."""
NOT_ON_CELLS_CATEGORIES = frozenset({"NEWSPAPER", "MAGAZINE", "CIGARETTES"})

_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items(sku TEXT PRIMARY KEY, gtin TEXT NOT NULL, name TEXT NOT NULL, department TEXT NOT NULL, category TEXT NOT NULL,
  unit_weight_g REAL NOT NULL, price_cents INTEGER NOT NULL, cell_rank INTEGER, daily_units REAL NOT NULL);
CREATE TABLE baskets(basket INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, member TEXT NOT NULL);
CREATE TABLE lines(basket INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, regular_cents INTEGER NOT NULL,
  discount_cents INTEGER NOT NULL, coupon_cents INTEGER NOT NULL);
CREATE TABLE promotions(sku TEXT NOT NULL, from_day TEXT NOT NULL, until_day TEXT NOT NULL, discount_percent INTEGER,
  PRIMARY KEY(sku, from_day)) WITHOUT ROWID;
CREATE TABLE history(sku TEXT NOT NULL, day TEXT NOT NULL, units INTEGER NOT NULL, PRIMARY KEY(sku, day)) WITHOUT ROWID;
"""


def partition_stores(baskets_by_store: dict[int, int], shops: int) -> dict[int, int]:
    """Shop 0..shops-1 of each store: the busiest store first, each to the shop with fewest baskets so far."""
    load = [0] * shops
    placed: dict[int, int] = {}
    for store, baskets in sorted(baskets_by_store.items(), key=lambda item: (-item[1], item[0])):
        lightest = load.index(min(load))
        placed[store] = lightest
        load[lightest] += baskets
    return placed


def sku_of(product_id: int) -> str:
    return str(product_id)


def gtin_of(product_id: int) -> str:
    body = f"{GS1_DEMONSTRATION_PREFIX}{product_id:09d}"
    return gtin14_from_text(body + gtin_check_digit(body))


def member_of(household: int) -> str:
    """A stable pseudonym: the panel's households are anonymous already, and the demo's members outlive a run."""
    return f"m-{hashlib.sha256(f'shelfloop-demo-{household}'.encode()).hexdigest()[:12]}"


def prepare_shops(
    folder: Path,
    *,
    shops: int = 3,
    first_day: date = DEFAULT_FIRST_DAY,
    days: int = DEFAULT_DAYS,
    cells: int = CELLS,
) -> list[Path]:
    """Writes FOLDER/shop-1.sqlite … and gives their paths. Raises JourneyError that names the bound which is broken."""
    _check_request(shops, first_day, days)
    receipts = Receipts()
    _progress("dealing stores to shops")
    shop_of_store = partition_stores(receipts.baskets_by_store(), shops)
    maker = _ShopMaker(receipts, shop_of_store, shops, first_day, days, cells)
    _progress("choosing the best sellers")
    maker.choose()
    _progress("writing the shops")
    paths = maker.write(folder)
    for path in paths:
        _progress(f"wrote {path}")
    return paths


def _check_request(shops: int, first_day: date, days: int) -> None:
    if not 1 <= shops <= 20:
        raise JourneyError(f"shops is {shops}; it must be 1 to 20")
    if not 1 <= days <= MAX_DAYS:
        raise JourneyError(f"days is {days}; it must be 1 to {MAX_DAYS}")
    if first_day < TRAINING_END or first_day + timedelta(days=days) > DATA_END_DAY:
        raise JourneyError(
            f"{days} days from {first_day} lie outside the replay part, {TRAINING_END} to {DATA_END_DAY - timedelta(days=1)}"
        )


def _progress(text: str) -> None:
    print(f"journey: {text}", file=sys.stderr, flush=True)


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


class _ShopMaker:
    def __init__(
        self,
        receipts: Receipts,
        shop_of_store: dict[int, int],
        shops: int,
        first_day: date,
        days: int,
        cells: int,
    ) -> None:
        self._receipts, self._products, self._shops, self._cells = receipts, receipts.products, shops, cells
        self._shop_of_store = shop_of_store
        self._first_day, self._days = first_day, days
        self._first = _day_number(first_day)
        self._cell_rank: list[dict[int, int]] = []
        self._units_in_selection: npt.NDArray[np.float64] = np.zeros((0, 0))
        self._price_cents: Ints = np.zeros(0, np.int64)

    def choose(self) -> None:
        """The best sellers of each shop by baskets in the last quarter of training, and each product's common price."""
        count = len(self._products.ids)
        baskets = np.zeros((self._shops, count), np.int64)
        units = np.zeros((self._shops, count))
        end = _day_number(TRAINING_END)
        priced: list[Ints] = []
        for lines in self._receipts.lines(self._shop_of_store):
            recent = (lines.day >= end - SELECTION_DAYS) & (lines.day < end)
            np.add.at(baskets, (lines.shop[recent], lines.product[recent]), 1)
            np.add.at(units, (lines.shop[recent], lines.product[recent]), lines.quantity[recent])
            useful = recent | ((lines.day >= self._first) & (lines.day < self._first + self._days))
            unit_cents = np.minimum(lines.regular_cents[useful] // lines.quantity[useful], MAX_PRICE_CENTS)
            priced.append(lines.product[useful] * (MAX_PRICE_CENTS + 1) + unit_cents)
        self._units_in_selection = units / SELECTION_DAYS
        self._price_cents = _common_price(count, priced)
        on_cells = np.array([self._fits_a_cell(place) for place in range(count)])
        for shop in range(self._shops):
            order = np.lexsort((self._products.ids, -np.where(on_cells, baskets[shop], -1)))
            self._cell_rank.append({int(place): rank for rank, place in enumerate(order[: self._cells])})

    def write(self, folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"shop-{shop + 1}.sqlite" for shop in range(self._shops)]
        for path in paths:
            path.unlink(missing_ok=True)
        files = [sqlite3.connect(path) for path in paths]
        for file in files:
            # A file that is made again at every start needs no journal.
            file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        history_days = self._first - _day_number(DATA_FIRST_DAY)
        history = [np.zeros((len(ranks), history_days), np.int64) for ranks in self._cell_rank]
        sold: list[set[int]] = [set(ranks) for ranks in self._cell_rank]
        self._receipts.forget_counts()
        promotions = Promotions(self._receipts.source, self._products.ids, set().union(*self._cell_rank))
        for lines in self._receipts.lines(self._shop_of_store):
            promotions.add(lines)
            for shop, file in enumerate(files):
                here = lines.shop == shop
                self._add_history(
                    history[shop], self._cell_rank[shop], lines, here & (lines.day < self._first)
                )
                replayed = here & (lines.day >= self._first) & (lines.day < self._first + self._days)
                sold[shop].update(int(place) for place in np.unique(lines.product[replayed]))
                self._add_lines(file, lines, replayed)
        _progress("reading what the mailer showed")
        promoted = promotions.weeks(
            self._first_day - timedelta(days=PROMOTIONS_BEFORE_DAYS),
            self._first_day + timedelta(days=self._days + PROMOTIONS_AFTER_DAYS),
        )
        for shop, file in enumerate(files):
            self._add_promotions(file, shop, promoted)
            self._finish(file, shop, history[shop], sold[shop])
        return paths

    def _fits_a_cell(self, place: int) -> bool:
        products = self._products
        return (
            bool(products.goods[place])
            and products.department[place] not in NOT_ON_CELLS
            and products.category[place] not in NOT_ON_CELLS_CATEGORIES
            and self._weight_g(place) >= MIN_CELL_UNIT_G
        )

    def _weight_g(self, place: int) -> float:
        products = self._products
        return unit_weight_g(
            products.package_size[place],
            products.department[place],
            products.category[place],
            products.product_type[place],
        )

    def _add_history(
        self, history: Ints, ranks: dict[int, int], lines: LineBatch, mask: npt.NDArray[np.bool_]
    ) -> None:
        rank_of = np.full(len(self._products.ids), -1, np.int64)
        rank_of[list(ranks)] = list(ranks.values())
        rank = rank_of[lines.product[mask]]
        known = rank >= 0
        day = lines.day[mask][known] - _day_number(DATA_FIRST_DAY)
        inside = day >= 0
        np.add.at(history, (rank[known][inside], day[inside]), lines.quantity[mask][known][inside])

    def _add_lines(self, file: sqlite3.Connection, lines: LineBatch, mask: npt.NDArray[np.bool_]) -> None:
        baskets, first = np.unique(lines.basket[mask], return_index=True)
        file.executemany(
            "INSERT OR IGNORE INTO baskets VALUES (?, ?, ?)",
            [
                (basket, at_ms, member_of(household))
                for basket, at_ms, household in zip(
                    baskets.tolist(),
                    lines.at_ms[mask][first].tolist(),
                    lines.household[mask][first].tolist(),
                    strict=True,
                )
            ],
        )
        columns = (
            lines.basket[mask].tolist(),
            [sku_of(product) for product in self._products.ids[lines.product[mask]].tolist()],
            lines.quantity[mask].tolist(),
            lines.regular_cents[mask].tolist(),
            lines.discount_cents[mask].tolist(),
            lines.coupon_cents[mask].tolist(),
        )
        file.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", zip(*columns, strict=True))

    def _add_promotions(self, file: sqlite3.Connection, shop: int, promoted: list[PromotedWeek]) -> None:
        """Of the goods that the shop has on cells: the others are not ordered."""
        ids, here = self._products.ids, self._cell_rank[shop]
        rows = [
            (
                sku_of(int(ids[each.product])),
                each.from_day.isoformat(),
                each.until_day.isoformat(),
                each.discount_percent,
            )
            for each in promoted
            if each.product in here
        ]
        file.executemany("INSERT INTO promotions VALUES (?, ?, ?, ?)", rows)

    def _finish(self, file: sqlite3.Connection, shop: int, history: Ints, sold: set[int]) -> None:
        ranks = self._cell_rank[shop]
        file.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [self._item_row(shop, place) for place in sorted(sold)],
        )
        days = [(DATA_FIRST_DAY + timedelta(days=number)).isoformat() for number in range(history.shape[1])]
        for place, rank in ranks.items():
            sku = sku_of(int(self._products.ids[place]))
            rows = [(sku, day, units) for day, units in zip(days, history[rank].tolist(), strict=True)]
            file.executemany("INSERT INTO history VALUES (?, ?, ?)", rows)
        meta = {
            "shop": f"shop-{shop + 1}", "first_day": self._first_day.isoformat(), "days": self._days, "timezone": TIMEZONE,
            "stores": sum(dealt == shop for dealt in self._shop_of_store.values()), **self._receipts.counts,
        }  # fmt: skip
        file.executemany(
            "INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in meta.items()]
        )
        file.executescript(
            "CREATE INDEX baskets_at ON baskets(at_ms); CREATE INDEX lines_basket ON lines(basket);"
        )
        file.commit()
        file.close()

    def _item_row(self, shop: int, place: int) -> tuple[object, ...]:
        products = self._products
        product_id = int(products.ids[place])
        parts = (products.product_type[place] or products.category[place], products.package_size[place])
        name = " ".join(" ".join(parts).title().split()) or f"Product {product_id}"
        return (
            sku_of(product_id), gtin_of(product_id), name[:60], products.department[place], products.category[place] or "OTHER",
            self._weight_g(place), int(self._price_cents[place]), self._cell_rank[shop].get(place),
            round(float(self._units_in_selection[shop, place]), 3),
        )  # fmt: skip


def _common_price(count: int, priced: list[Ints]) -> Ints:
    """The median unit price of each product, whole cents, at least 1; products never sold stay at 1.

    priced: product place * (MAX_PRICE_CENTS + 1) + cents: one number a line sorts in place, without copies.
    """
    keys = np.concatenate(priced)
    priced.clear()
    keys.sort()
    product = keys // (MAX_PRICE_CENTS + 1)
    found, start, counts = np.unique(product, return_index=True, return_counts=True)
    price = np.ones(count, np.int64)
    price[found] = np.maximum(1, keys[start + (counts - 1) // 2] % (MAX_PRICE_CENTS + 1))
    return price


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="shelfloop simulate receipts", description="Makes the shop files that the demo replays."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for shop-1.sqlite, shop-2.sqlite, …")
    parser.add_argument("--shops", type=int, default=3, help="how many small shops (default 3)")
    parser.add_argument(
        "--first-day", type=date.fromisoformat, default=DEFAULT_FIRST_DAY, help="first replayed day"
    )
    parser.add_argument(
        "--days", type=int, default=DEFAULT_DAYS, help=f"days to replay, up to {MAX_DAYS} (default 28)"
    )
    parser.add_argument("--cells", type=int, default=CELLS, help="shelf cells a shop (default 60)")
    options = parser.parse_args(argv)
    try:
        prepare_shops(
            options.out,
            shops=options.shops,
            first_day=options.first_day,
            days=options.days,
            cells=options.cells,
        )
    except JourneyError as error:
        print(f"journey: {error}", file=sys.stderr)
        return 78
    return 0


if __name__ == "__main__":
    sys.exit(main())
