"""The gateway form in the table: the bundle's network and features, fitted and asked as a bundle's are."""

from dataclasses import replace

import numpy as np

from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.sums import SUM_DAYS
from models.features import FEATURES_REVISION
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.correlation import best_correlation, network_forecast
from models.training.examples import examples_from
from models.training.network import Fit, Network, fit_network
from models.training.partitions import panel_part
from models.training.series import DailySeries

_SERIES_TO_SET_CORRELATION = 600


class GatewayForm:
    """Knows sales, weekday, the category's level and, with features of revision 2, what is known beforehand of days; no other
    shop. Fitted on `past` when it is first asked.
    """

    def __init__(
        self, past: Panel, rows: int, epochs: int, seed: int, revision: int = FEATURES_REVISION
    ) -> None:
        self._past, self._rows, self._epochs, self._seed = past, rows, epochs, seed
        self._revision = revision
        self._network: Network | None = None

    def forecast(self, panel: Panel, days: int, wanted: np.ndarray) -> Found:
        """What the evening before panel.n_days says."""
        found = network_forecast(_series(panel), self.fitted(), panel.n_days, days).of_rows(wanted)
        quantiles = np.empty((*found.mean.shape, len(DAY_LEVELS)), np.float32)
        for rows in np.array_split(np.arange(len(wanted)), max(1, len(wanted) // 2000)):
            quantiles[rows] = found.of_rows(rows).quantiles(DAY_LEVELS)
        return Found(found.mean, quantiles)

    def sums(self, panel: Panel, days: int, wanted: np.ndarray) -> Found:
        """Of the first SUM_DAYS days, as far as `days` reach; days err together by one correlation, as a bundle's do."""
        found = network_forecast(_series(panel), self.fitted(), panel.n_days, days).of_rows(wanted)
        found = replace(found, correlation=self.correlated())
        lengths = [length for length in SUM_DAYS if length <= days]
        asked = [found.over_window(length, levels=DAY_LEVELS) for length in lengths]
        mean = np.stack([each.mean for each in asked], axis=1)
        return Found(mean, np.stack([each.quantiles for each in asked], axis=1).astype(np.float32))

    def fitted(self) -> Network:
        if self._network is None:
            examples = examples_from(
                _series(self._past), rows=self._rows, seed=self._seed, revision=self._revision
            )
            self._network = fit_network(examples, Fit(epochs=self._epochs, seed=self._seed), lambda *_: None)
        return self._network

    def correlated(self) -> float:
        size = min(_SERIES_TO_SET_CORRELATION, self._past.n_series)
        chosen = np.sort(np.random.default_rng(self._seed).choice(self._past.n_series, size, replace=False))
        return best_correlation(_series(panel_part(self._past, chosen.astype(np.int64))), self.fitted())


def _series(panel: Panel) -> DailySeries:
    """No prices; the category is the narrowest group within a shop. Days that were cut short are recovered, as at the edge."""
    inside = [codes for name, codes in panel.groups.items() if name == "store" or name.startswith("store_")]
    prices = np.full_like(panel.units, np.nan)
    return DailySeries(
        panel.first_day, panel.units, prices, inside[-1], "benchmark", panel.served, _known_days(panel)
    )


def _known_days(panel: Panel) -> dict[str, np.ndarray]:
    """The sets' own columns in a gateway's words: M5's national days are holidays, its other events events, the days on
    which food stamps (SNAP) are paid out paydays; of FreshRetailNet the discount is the share of the price that remains.
    """
    given = panel.covariates
    if "activity" in given:
        return {
            "holiday": given["holiday"], "promotion": given["activity"], "rain_mm": given["rain"],
            "temperature_c": given["warmth"], "discount": np.clip(1 - given["discount"], 0, 0.95),
        }  # fmt: skip
    other = np.maximum.reduce([given["event1"], given["event2"], given["event4"]])
    return {"holiday": given["event3"], "event": other, "payday": given["snap"]}
