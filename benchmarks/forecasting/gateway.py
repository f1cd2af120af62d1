"""The gateway form in the table: the bundle's network and features, fitted and asked as a bundle's are."""

from dataclasses import replace

import numpy as np

from benchmarks.forecasting.measures import Found
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.correlation import network_forecast
from models.training.examples import examples_from
from models.training.network import Fit, Network, fit_network
from models.training.series import DailySeries


class GatewayForm:
    """Knows sales, weekday and the category's level; no holidays, no other shop. Fitted on `past` when it is first asked."""

    def __init__(self, past: Panel, rows: int, epochs: int, seed: int) -> None:
        self._past, self._rows, self._epochs, self._seed = past, rows, epochs, seed
        self._network: Network | None = None

    def forecast(self, panel: Panel, days: int, wanted: np.ndarray) -> Found:
        """What the evening before panel.n_days says."""
        if self._network is None:
            examples = examples_from(_series(self._past), rows=self._rows, seed=self._seed)
            self._network = fit_network(examples, Fit(epochs=self._epochs, seed=self._seed), lambda *_: None)
        series = _series(panel)
        found = network_forecast(series, self._network, panel.n_days, days)
        mean, dispersion = found.mean[wanted], found.dispersion[wanted]
        quantiles = np.empty((*mean.shape, len(DAY_LEVELS)), np.float32)
        for rows in np.array_split(np.arange(len(wanted)), max(1, len(wanted) // 2000)):
            part = replace(found, mean=mean[rows], dispersion=dispersion[rows])
            quantiles[rows] = part.quantiles(DAY_LEVELS)
        return Found(mean, quantiles)


def _series(panel: Panel) -> DailySeries:
    """No prices; the category is the narrowest group within a shop. Days that were cut short are recovered, as at the edge."""
    inside = [codes for name, codes in panel.groups.items() if name == "store" or name.startswith("store_")]
    prices = np.full_like(panel.units, np.nan)
    return DailySeries(panel.first_day, panel.units, prices, inside[-1], "benchmark", panel.served)
