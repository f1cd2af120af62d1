"""M5 and FreshRetailNet as panels, from the data folder beside the project, kept as arrays between runs."""

import csv
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.panel import Panel
from models.training.panel_table import served_share

M5_DAYS, M5_SERIES = 447, 30_490
FRESH_DAYS = 76
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class M5:
    """panel: events by type and SNAP days known ahead. words: item, dept, cat, store and state of each series."""

    panel: Panel
    words: dict[str, Array]
    weights: dict[str, dict[tuple[str, str], float]]


def m5(folder: Path, cache: Path, series: int | None, seed: int) -> M5:
    """All series, or a seeded choice of `series` of them."""
    arrays = _cached(cache / "m5.npz", lambda: _m5_arrays(folder / "m5"))
    chosen = np.arange(len(arrays["units"]))
    if series is not None and series < len(chosen):
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, series, replace=False))
    words = {name: arrays[name][chosen] for name in ("item", "dept", "cat", "store", "state")}
    codes = {name: np.unique(word, return_inverse=True)[1].astype(np.int64) for name, word in words.items()}
    store_dept = codes["store"] * (codes["dept"].max() + 1) + codes["dept"]
    groups = {
        "store": codes["store"], "dept": codes["dept"],
        "store_dept": np.unique(store_dept, return_inverse=True)[1].astype(np.int64), "sku": codes["item"],
    }  # fmt: skip
    snap = arrays["snap"][np.searchsorted(arrays["states"], words["state"])]
    covariates = {"snap": snap} | {f"event{kind}": arrays[f"event{kind}"][None] for kind in (1, 2, 3, 4)}
    panel = Panel(date(2015, 3, 3), arrays["units"][chosen], None, covariates, groups)
    return M5(panel, words, _m5_weights(folder / "m5"))


def _m5_arrays(folder: Path) -> dict[str, Array]:
    table = pq.read_table(next(folder.glob("m5_daily_wide_*.parquet")))
    days = table.column_names[6:]
    units = np.stack([table[day].cast("float32").to_numpy() for day in days], axis=1)
    out: dict[str, Array] = {"units": units.astype(np.float32)}
    for name in ("item", "dept", "cat", "store", "state"):
        out[name] = np.array(table[f"{name}_id"].to_pylist())
    out["states"] = np.unique(out["state"])
    with next(folder.glob("m5_calendar_*.csv")).open() as file:
        calendar = list(csv.DictReader(file))
    if [row["date"] for row in calendar] != days:
        raise SystemExit(f"{folder}: calendar and sales cover different days")
    out["snap"] = np.array(
        [[row[f"snap_{state}"] == "True" for row in calendar] for state in out["states"]], np.float32
    )
    for kind in (1, 2, 3, 4):
        out[f"event{kind}"] = np.array([row["event_type_1"] == str(kind) for row in calendar], np.float32)
    return out


def _m5_weights(folder: Path) -> dict[str, dict[tuple[str, str], float]]:
    import gzip

    out: dict[str, dict[tuple[str, str], float]] = {}
    with gzip.open(folder / "m5_weights_evaluation.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            names = (row["Agg_Level_1"], row["Agg_Level_2"])
            out.setdefault(row["Level_id"], {})[names] = float(row["weight"])
    return out


def fresh(folder: Path, cache: Path, series: int | None, seed: int, origin: int) -> Panel:
    """FreshRetailNet: what a day with so many hours sold out serves is learned from the days before `origin` alone."""
    arrays = _cached(cache / "fresh.npz", lambda: _fresh_arrays(folder / "freshretailnet"))
    chosen = np.arange(len(arrays["units"]))
    if series is not None and series < len(chosen):
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, series, replace=False))
    units, hours = arrays["units"][chosen], arrays["hours"][chosen].astype(np.int64)
    past = served_share(units[:, :origin], hours[:, :origin])
    by_hours = np.ones(25, np.float32)
    for count in range(1, 25):
        same = hours[:, :origin] == count
        by_hours[count] = past[same][0] if same.any() else by_hours[count - 1]
    covariates = {
        name: arrays[name][chosen] for name in ("discount", "activity", "holiday", "rain", "warmth")
    }
    code = {
        name: arrays[name][chosen].astype(np.int64)
        for name in ("store", "city", "category", "kind", "product")
    }

    def group(*names: str) -> Array:
        stacked = np.stack([code[name] for name in names])
        return np.unique(stacked, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)

    groups = {
        "store": group("store"), "kind": group("kind"), "store_category": group("store", "category"),
        "city_product": group("city", "product"),
    }  # fmt: skip
    return Panel(date(2024, 3, 28), units, by_hours[hours], covariates, groups)


def _fresh_arrays(folder: Path) -> dict[str, Array]:
    table = pq.read_table(next(folder.glob("frn50k_daily_*.parquet")))
    column = {name: table[name].to_numpy() for name in table.column_names if name != "dt"}
    day = (table["dt"].to_numpy().astype("datetime64[D]") - np.datetime64("2024-03-28")).astype(int)
    key = column["store_id"].astype(np.int64) * 100_000 + column["product_id"]
    _, first, series = np.unique(key, return_index=True, return_inverse=True)

    def wide(values: Array, dtype: type) -> Array:
        out: Array = np.zeros((len(first), FRESH_DAYS), dtype)
        out[series, day] = values
        return out

    numbers = {"units": "sale", "discount": "discount", "activity": "activity_flag", "holiday": "holiday_flag",
               "rain": "precpt", "warmth": "avg_temperature"}  # fmt: skip
    out = {name: wide(column[source], np.float32) for name, source in numbers.items()}
    out["units"] *= 10  # 0.1 is one unit
    out["hours"] = wide(column["stock_hour6_22"], np.int8)
    words = {"store": "store_id", "city": "city_id", "category": "first_category_id", "kind": "third_category_id",
             "product": "product_id"}  # fmt: skip
    return out | {name: column[source][first] for name, source in words.items()}


def _cached(path: Path, make: Any) -> dict[str, Array]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name("partial-" + path.name)
        np.savez(partial, **make())
        partial.rename(path)
    with np.load(path) as kept:
        return {name: kept[name] for name in kept.files}


def rows_of(panel: Panel, rows: Array) -> Panel:
    """The panel of these series alone, for peers that know nothing of groups."""
    return replace(
        panel,
        units=panel.units[rows],
        served=None if panel.served is None else panel.served[rows],
        covariates={},
        groups={},
    )
