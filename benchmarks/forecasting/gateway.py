"""The gateway form in the table: the bundle's network and features, fitted and asked as a bundle's are."""

from dataclasses import replace

import numpy as np

from benchmarks.forecasting.measures import Found
from models.features import FEATURES_REVISION
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.correlation import network_forecast
from models.training.examples import examples_from
from models.training.network import Fit, Network, fit_network
from models.training.series import DailySeries


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
        if self._network is None:
            examples = examples_from(
                _series(self._past), rows=self._rows, seed=self._seed, revision=self._revision
            )
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
