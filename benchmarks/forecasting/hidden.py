"""Hidden stock-outs: hours of whole days are masked, and what they sold is guessed from the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.censoring import hour_profile, recovered_units

Array = np.ndarray[Any, Any]
FIRST_HOUR, LAST_HOUR = 6, 22
DAYS, TEST_DAYS = 69, 20
"""The last seven days are left to the final score of the forecasts; the twenty before are masked."""


def hidden_stock_outs(folder: Path, series: int | None, seed: int) -> dict[str, tuple[float, float]]:
    """Method -> (bias, WAPE) of the recovered demand of masked days. A stock-out lasts from a random hour to closing."""
    units, served, group = _hourly(folder / "freshretailnet", series, seed)
    units, served = units[:, :DAYS], served[:, :DAYS]
    whole = served[:, :, FIRST_HOUR : LAST_HOUR + 1].all(axis=2)
    random = np.random.default_rng(seed)
    hidden = np.zeros(whole.shape, dtype=bool)
    hidden[:, -TEST_DAYS:] = random.random((whole.shape[0], TEST_DAYS)) < 0.3
    hidden &= whole
    start = random.integers(9, 21, whole.shape)
    open_hours = np.arange(24)[None, None, :] < np.where(hidden, start, 24)[:, :, None]
    known = served & open_hours
    # Profiles and levels come from days that nobody masked; the masked days' own hours only enter as their sales.
    kept = units * known
    counted = known | (np.arange(24) < FIRST_HOUR) | (np.arange(24) > LAST_HOUR)
    profile = hour_profile(kept, counted, group)
    everyone = hour_profile(kept.reshape(1, -1, 24), counted.reshape(1, -1, 24))
    sold, truth = kept.sum(axis=2)[hidden], units.sum(axis=2)[hidden]
    row, day = np.nonzero(hidden)
    share = (profile[row] * (np.arange(24)[None, :] < start[hidden][:, None])).sum(axis=1)
    naive_share = (everyone[0][None, :] * (np.arange(24)[None, :] < start[hidden][:, None])).sum(axis=1)
    mean, spread = _expected(units.sum(axis=2), whole & ~hidden, row, day)
    found = {
        "recovered": recovered_units(sold, share, mean, spread),
        "naive profile": sold / np.maximum(naive_share, 0.05),
        "as sold": sold,
    }
    return {
        name: (float(guess.sum() / truth.sum() - 1), float(np.abs(guess - truth).sum() / truth.sum()))
        for name, guess in found.items()
    }


def _expected(units: Array, usable: Array, row: Array, day: Array) -> tuple[Array, Array]:
    """Level of the four weeks around the day from the series' other whole days, with its weekday, and the dispersion."""
    known = np.where(usable, units, 0.0)
    near = np.abs(np.arange(units.shape[1])[None, :] - day[:, None])
    weight = np.where(usable[row], 0.5 ** (near / 10), 0.0)
    everyone = known.sum() / max(usable.sum(), 1)
    level = ((known[row] * weight).sum(1) + everyone) / (weight.sum(1) + 1)
    by_weekday = np.array([known[:, d::7].sum() / max(usable[:, d::7].sum(), 1) for d in range(7)]) / everyone
    same = weight * (near % 7 == 0)
    expected = level * by_weekday[day % 7]
    expected = ((known[row] * same).sum(1) + 2 * expected) / (same.sum(1) + 2)
    count = np.maximum(usable.sum(1), 2)
    usual = known.sum(1) / count
    variance = np.where(usable, (units - usual[:, None]) ** 2, 0).sum(1) / (count - 1)
    excess = np.clip((variance - usual) / np.maximum(usual, 0.05) ** 2, 0.01, 5)
    return expected, ((excess * count + 0.3 * 14) / (count + 14))[row]


def _hourly(folder: Path, series: int | None, seed: int) -> tuple[Array, Array, Array]:
    table = pq.read_table(folder / "frn_hourly_5000series.parquet")
    store, product = (table[name].to_numpy().astype(np.int64) for name in ("store_id", "product_id"))
    days = (table["dt"].to_numpy().astype("datetime64[D]") - np.datetime64("2024-03-28")).astype(int)
    names, row = np.unique(store * 100_000 + product, return_inverse=True)
    units = np.zeros((len(names), int(days.max()) + 1, 24), np.float32)
    units[row, days] = np.stack([table[f"h{hour:02d}"].to_numpy() for hour in range(24)], axis=1)
    mask = np.zeros(units.shape[:2], np.int64)
    mask[row, days] = table["stockout_mask"].to_numpy()
    served = (mask[:, :, None] >> np.arange(24)) & 1 == 0
    group = np.unique(names % 100_000, return_inverse=True)[1].astype(np.int64)
    if series is not None and series < len(names):
        chosen = np.sort(np.random.default_rng(seed).choice(len(names), series, replace=False))
        units, served, group = units[chosen], served[chosen], group[chosen]
    return units, served, group
