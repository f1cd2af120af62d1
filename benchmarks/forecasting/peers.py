"""What the heavy form is compared with, on the same evenings: moving average, last week again, statsforecast, LightGBM."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.sets import rows_of
from models.panel import Panel
from models.panel_features import features_at
from models.quantile_network import DAY_LEVELS, joined_rows
from models.quantiles import negbin_quantiles
from models.training.panel_examples import Draw, panel_examples

Array = np.ndarray[Any, Any]
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
STATSFORECAST = "statsforecast==2.1.1"
LIGHTGBM_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TRUSTED_DAYS = 112


def moving_average(panel: Panel, days: int, rows: Array) -> Found:
    """Mean of the last 28 known days, negative binomial of the series' own moments."""
    panel = rows_of(panel, rows)
    recent = panel.demand(max(0, panel.n_days - 28), panel.n_days)
    return with_moments(panel, np.repeat(_mean(recent)[:, None], days, axis=1))


def last_week(panel: Panel, days: int, rows: Array) -> Found:
    panel = rows_of(panel, rows)
    week = panel.demand(panel.n_days - 7, panel.n_days)
    week = np.where(
        np.isnan(week), _mean(panel.demand(max(0, panel.n_days - 28), panel.n_days))[:, None], week
    )
    return with_moments(panel, week[:, np.arange(days) % 7])


def with_moments(panel: Panel, mean: Array) -> Found:
    """Negative binomial about `mean` with (variance - mean) / mean**2 of the last 112 known days."""
    past = panel.demand(max(0, panel.n_days - _TRUSTED_DAYS), panel.n_days).astype(np.float64)
    known = ~np.isnan(past)
    count = np.maximum(known.sum(1), 1)
    usual = np.where(known, past, 0).sum(1) / count
    variance = np.where(known, (past - usual[:, None]) ** 2, 0).sum(1) / count
    spread = np.clip((variance - usual) / np.maximum(usual, 0.02) ** 2, 0, 20)
    different = mean.shape[1] if np.ptp(mean, axis=1).any() else 1
    flat = mean[:, :different].astype(np.float64)
    found = negbin_quantiles(flat.ravel(), np.repeat(spread, different), DAY_LEVELS).reshape(*flat.shape, -1)
    quantiles = np.broadcast_to(found, (*mean.shape, len(DAY_LEVELS)))
    return Found(mean, quantiles.astype(np.float32))


class StatsForecast:
    """Means by Croston SBA, TSB and IMAPA, computed in the peers' own environment (it wants an older SciPy)."""

    METHODS = ("CrostonSBA", "TSB", "IMAPA")

    def __init__(self, python: Path) -> None:
        self._python = python
        self._known: tuple[object, dict[str, Array]] = (None, {})

    def forecast(self, method: str, panel: Panel, days: int, rows: Array) -> Found:
        """All methods are computed at once, and kept until another evening or other series are asked for."""
        asked = (panel.n_days, days, rows.tobytes())
        chosen = rows_of(panel, rows)
        if self._known[0] != asked:
            self._known = (asked, self._means(chosen, days))
        return with_moments(chosen, self._known[1][method])

    def _means(self, panel: Panel, days: int) -> dict[str, Array]:
        units = panel.demand(max(0, panel.n_days - 365), panel.n_days)
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
            np.savez(given, units=units, days=days)
            script = Path(__file__).with_name("statsforecast_peer.py")
            subprocess.run([str(self._python), str(script), str(given), str(found)], check=True)
            with np.load(found) as kept:
                return {name: kept[name] for name in kept.files}


class LightGbm:
    """A plain LightGBM: one model a level on the heavy form's own features, rounded to whole units where asked."""

    def __init__(
        self, panel: Panel, rows: int, rounds: int, horizon_days: int, say: Callable[[str], None]
    ) -> None:
        import lightgbm

        draw = Draw(rows=rows, horizon_days=horizon_days, seed=11)
        examples = panel_examples(panel, draw, lambda *_: None)
        self._models = {}
        data = lightgbm.Dataset(examples.rows, examples.units, free_raw_data=False, params={"max_bin": 127})
        common = {
            "learning_rate": 0.08, "num_leaves": 63, "min_data_in_leaf": 100, "feature_fraction": 0.6, "verbose": -1,
            "bagging_fraction": 0.7, "bagging_freq": 1, "seed": 1, "num_threads": THREADS, "max_bin": 127, "deterministic": True,
        }  # fmt: skip
        for level in LIGHTGBM_LEVELS:
            say(f"LightGBM quantile {level}")
            self._models[level] = lightgbm.train(
                {**common, "objective": "quantile", "alpha": level}, data, num_boost_round=rounds
            )
        say("LightGBM mean")
        power = {"objective": "tweedie", "tweedie_variance_power": 1.2}
        self._mean = lightgbm.train({**common, **power}, data, num_boost_round=2 * rounds)

    def forecast(self, panel: Panel, days: int, rows: Array) -> Found:
        n = len(rows)
        mean = np.empty((n, days), np.float32)
        table = np.empty((n, days, len(LIGHTGBM_LEVELS)), np.float32)
        for part in np.array_split(np.arange(n), max(1, n * days // 200_000)):
            features = features_at(panel, panel.n_days, np.arange(days), rows[part])
            table_rows = joined_rows(features.of_series, features.of_day)
            mean[part] = self._mean.predict(table_rows, num_threads=THREADS).reshape(len(part), days)
            for place, model in enumerate(self._models.values()):
                table[part, :, place] = model.predict(table_rows, num_threads=THREADS).reshape(
                    len(part), days
                )
        table = np.maximum(np.rint(np.maximum.accumulate(table, axis=2)), 0)
        # Levels that have no model of their own lie between those that have; the outermost repeat the last.
        place = np.interp(DAY_LEVELS, LIGHTGBM_LEVELS, np.arange(len(LIGHTGBM_LEVELS)))
        low, share = np.floor(place).astype(int), (place % 1).astype(np.float32)
        high = np.minimum(low + 1, len(LIGHTGBM_LEVELS) - 1)
        return Found(mean, table[..., low] * (1 - share) + table[..., high] * share)


def find_python(given: Path | None) -> Path | None:
    """The interpreter that has statsforecast: `given`, this one, or var/peers/bin/python."""
    for path in (given, Path(sys.executable), Path("var/peers/bin/python")):
        if path is not None and path.exists():
            done = subprocess.run([str(path), "-c", "import statsforecast"], capture_output=True, check=False)
            if done.returncode == 0:
                return path
    return None


def _mean(units: Array) -> Array:
    known = ~np.isnan(units)
    return np.where(known, units, 0).sum(1) / np.maximum(known.sum(1), 1)
