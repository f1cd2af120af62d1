"""A plain LightGBM: one model a level on the heavy form's own features, rounded to whole units where asked."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from models.panel import Panel
from models.panel_features import features_at
from models.quantile_network import DAY_LEVELS, joined_rows
from models.training.panel_examples import Draw, panel_examples

Array = np.ndarray[Any, Any]
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_ROWS_AT_ONCE = 200_000


class LightGbm:
    """Fitted on `panel` when it is first asked. Raises ModuleNotFoundError without LightGBM."""

    def __init__(
        self, panel: Panel, rows: int, rounds: int, horizon_days: int, say: Callable[[str], None]
    ) -> None:
        import lightgbm

        self._lightgbm, self._panel, self._say = lightgbm, panel, say
        self._rounds, self._draw = rounds, Draw(rows=rows, horizon_days=horizon_days, seed=11)
        self._models: dict[float, Any] = {}
        self._mean: Any = None

    def forecast(self, panel: Panel, days: int, rows: Array) -> Found:
        if not self._models:
            self._fit()
        n = len(rows)
        mean = np.empty((n, days), np.float32)
        table = np.empty((n, days, len(LEVELS)), np.float32)
        for part in np.array_split(np.arange(n), max(1, n * days // _ROWS_AT_ONCE)):
            features = features_at(panel, panel.n_days, np.arange(days), rows[part])
            asked = joined_rows(features.of_series, features.of_day)
            shape = (len(part), days)
            mean[part] = self._mean.predict(asked, num_threads=THREADS).reshape(shape)
            for place, model in enumerate(self._models.values()):
                table[part, :, place] = model.predict(asked, num_threads=THREADS).reshape(shape)
        table = np.maximum(np.rint(np.maximum.accumulate(table, axis=2)), 0)
        # Levels that have no model of their own lie between those that have; the outermost repeat the last.
        place = np.interp(DAY_LEVELS, LEVELS, np.arange(len(LEVELS)))
        low, share = np.floor(place).astype(int), (place % 1).astype(np.float32)
        high = np.minimum(low + 1, len(LEVELS) - 1)
        return Found(mean, table[..., low] * (1 - share) + table[..., high] * share)

    def _fit(self) -> None:
        examples = panel_examples(self._panel, self._draw, lambda *_: None)
        data = self._lightgbm.Dataset(
            examples.rows, examples.units, free_raw_data=False, params={"max_bin": 127}
        )
        common = {
            "learning_rate": 0.08, "num_leaves": 63, "min_data_in_leaf": 100, "feature_fraction": 0.6, "verbose": -1,
            "bagging_fraction": 0.7, "bagging_freq": 1, "seed": 1, "num_threads": THREADS, "max_bin": 127, "deterministic": True,
        }  # fmt: skip
        for level in LEVELS:
            self._say(f"LightGBM quantile {level}")
            objective = {"objective": "quantile", "alpha": level}
            self._models[level] = self._lightgbm.train(
                {**common, **objective}, data, num_boost_round=self._rounds
            )
        self._say("LightGBM mean")
        power = {"objective": "tweedie", "tweedie_variance_power": 1.2}
        self._mean = self._lightgbm.train({**common, **power}, data, num_boost_round=2 * self._rounds)
