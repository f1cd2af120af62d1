"""The gateway form asked as a bundle is, by `models forecast --bundle`: of SKUs that nobody has sold yet, too."""

from collections.abc import Collection
from datetime import date

import numpy.typing as npt

from benchmarks.forecasting.gateway import GatewayForm
from models.features import demand_features, inputs_from, revision_with
from models.forecast import DEFAULT_HORIZON_DAYS, Forecast, zero_closed_days
from models.known_days import KnownDays


class GatewayBundle:
    """A Forecaster of the network that `form` fitted on its days."""

    name = "gateway form"

    def __init__(self, form: GatewayForm) -> None:
        self._network, self._correlation = form.fitted(), form.correlated()

    def forecast(
        self,
        history: npt.ArrayLike,
        first_day: date,
        *,
        price_ratio: npt.ArrayLike | None = None,
        category_level: npt.ArrayLike | None = None,
        served_share: npt.ArrayLike | None = None,
        known_days: KnownDays | None = None,
        closed_days: Collection[date] = (),
        horizon_days: int = DEFAULT_HORIZON_DAYS,
    ) -> Forecast:
        """As models.inference.DemandModel's."""
        inputs = inputs_from(
            history, first_day, price_ratio=price_ratio, category_level=category_level, served_share=served_share,
            known_days=known_days, horizon_days=horizon_days,
        )  # fmt: skip
        columns = len(self._network.centre)
        features = demand_features(inputs, revision=revision_with(columns))
        mean, dispersion = self._network.predict(features.reshape(-1, columns))
        shape = (len(features), horizon_days)
        mean = zero_closed_days(mean.reshape(shape), first_day, closed_days)
        return Forecast(first_day, mean, dispersion.reshape(shape), self._correlation, self.name)
