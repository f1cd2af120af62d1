"""A plain LightGBM: one model a level on columns of its own, answers rounded to whole units."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.plain_features import Known, plain_rows
from models.panel import Panel
from models.quantile_network import DAY_LEVELS

Array = np.ndarray[Any, Any]
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
COVARIATES = (
    "snap",
    "event1",
    "event2",
    "event3",
    "event4",
    "discount",
    "activity",
    "holiday",
    "rain",
    "warmth",
)
GROUPS = ("store", "dept", "store_dept", "sku", "kind", "store_category", "city_product")
"""Of M5 and of FreshRetailNet, by name: what the panels get beside is for our own forms and changes nothing here."""
_ROWS_AT_ONCE = 100_000
_EVENINGS, _PAST_DAYS, _DAYS_A_ROW = 60, 290, 4


@dataclass(frozen=True, slots=True)
class TreeFit:
    """rows: examples, drawn evenly over the series, the evenings of the last 290 days and the days ahead."""

    rows: int
    rounds: int
    horizon_days: int
    seed: int = 11


class LightGbm:
    """Fitted on `panel` when it is first asked. Raises ModuleNotFoundError without LightGBM."""

    def __init__(self, panel: Panel, fit: TreeFit, say: Callable[[str], None]) -> None:
        import lightgbm

        self._lightgbm, self._panel, self._fit_as, self._say = lightgbm, panel, fit, say
        self._models: dict[float, Any] = {}
        self._mean: Any = None

    def forecast(self, panel: Panel, days: int, rows: Array) -> Found:
        if not self._models:
            self._fit()
        known, n = _known(panel), len(rows)
        mean = np.empty((n, days), np.float32)
        table = np.empty((n, days, len(LEVELS)), np.float32)
        parts = np.array_split(np.arange(n), max(1, n * days // _ROWS_AT_ONCE))
        for done, part in enumerate(parts):
            asked = plain_rows(known, panel.n_days, np.arange(days), rows[part])
            shape = (len(part), days)
            mean[part] = np.maximum(self._mean.predict(asked, num_threads=THREADS), 0).reshape(shape)
            for place, model in enumerate(self._models.values()):
                table[part, :, place] = model.predict(asked, num_threads=THREADS).reshape(shape)
            if (done + 1) % 4 == 0 or done + 1 == len(parts):
                self._say(f"LightGBM forecasts: part {done + 1} of {len(parts)}")
        table = np.maximum(np.rint(np.maximum.accumulate(table, axis=2)), 0)
        # Levels that have no model of their own lie between those that have; the outermost repeat the last.
        at = np.interp(DAY_LEVELS, LEVELS, np.arange(len(LEVELS)))
        low, share = np.floor(at).astype(int), (at % 1).astype(np.float32)
        high = np.minimum(low + 1, len(LEVELS) - 1)
        return Found(mean, table[..., low] * (1 - share) + table[..., high] * share)

    def _fit(self) -> None:
        rows, units = drawn(_known(self._panel), self._fit_as)
        data = self._lightgbm.Dataset(rows, units, free_raw_data=False, params={"max_bin": 127})
        common = {
            "learning_rate": 0.08, "num_leaves": 63, "min_data_in_leaf": 100, "feature_fraction": 0.6, "verbose": -1,
            "bagging_fraction": 0.7, "bagging_freq": 1, "seed": 1, "num_threads": THREADS, "max_bin": 127, "deterministic": True,
        }  # fmt: skip
        for level in LEVELS:
            self._say(f"LightGBM quantile {level}, {len(units)} examples")
            objective = {"objective": "quantile", "alpha": level}
            self._models[level] = self._lightgbm.train(
                {**common, **objective}, data, num_boost_round=self._fit_as.rounds
            )
        self._say("LightGBM mean")
        power = {"objective": "tweedie", "tweedie_variance_power": 1.2}
        self._mean = self._lightgbm.train({**common, **power}, data, num_boost_round=2 * self._fit_as.rounds)


def drawn(known: Known, fit: TreeFit) -> tuple[Array, Array]:
    """Examples and what sold: days on which all demand was served alone."""
    random = np.random.default_rng(fit.seed)
    n, days = known.units.shape
    evenings = np.arange(max(min(14, days // 2), days - _PAST_DAYS), days)
    evenings = evenings[:: -max(1, -(-len(evenings) // _EVENINGS))][::-1]
    each = min(n, max(1, fit.rows // (len(evenings) * _DAYS_A_ROW)))
    parts = []
    for origin in evenings.tolist():
        longest = min(fit.horizon_days, days - origin)
        ahead = np.sort(random.choice(longest, min(_DAYS_A_ROW, longest), replace=False))
        rows = np.sort(random.choice(n, each, replace=False))
        sold = known.units[rows][:, origin + ahead].ravel()
        served = ~np.isnan(sold)
        parts.append((plain_rows(known, origin, ahead, rows)[served], np.maximum(sold[served], 0)))
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([units for _, units in parts])


def narrowed(panel: Panel) -> Panel:
    """What the peer sees of a panel."""
    covariates = {name: panel.covariates[name] for name in COVARIATES if name in panel.covariates}
    return replace(
        panel, covariates=covariates, groups={n: panel.groups[n] for n in GROUPS if n in panel.groups}
    )


def _known(panel: Panel) -> Known:
    seen = narrowed(panel)
    return Known(seen.first_day, seen.demand(0, seen.n_days), seen.covariates, seen.groups)
