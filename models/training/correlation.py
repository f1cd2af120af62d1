"""How much days of one SKU err together, chosen so that sums over a week or two are forecast best."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from models.features import HISTORY_DAYS, demand_features, inputs_from, revision_with
from models.forecast import Forecast
from models.scores import SCORED_LEVELS, pinball
from models.training.examples import category_levels, known_days_at
from models.training.network import Network
from models.training.series import DailySeries

WINDOWS_DAYS = (4, 7, 14)
CANDIDATES = (0.0, 0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4)
ORIGIN_STEP_DAYS = 7


def best_correlation(series: DailySeries, network: Network) -> float:
    """C in Var(S) = (1 - c) * sum(v) + c * sum(sqrt(v))**2 with the least pinball loss over windows.

    A moment estimate would follow the few series with offers, whose errors are large and last a week; the loss
    weighs what orders are made of.
    """
    losses = np.zeros(len(CANDIDATES))
    longest = max(WINDOWS_DAYS)
    for origin in range(HISTORY_DAYS, series.n_days - longest + 1, ORIGIN_STEP_DAYS):
        sold = series.demand(origin, origin + longest).astype(np.float64)
        known = np.flatnonzero(~np.isnan(sold).any(axis=1))
        # What is known of days is left out: a shop without a calendar errs by a whole promotion at a time.
        forecast = network_forecast(replace(series, known_days={}), network, origin, longest)
        for place, candidate in enumerate(CANDIDATES):
            tried = Forecast(
                forecast.first_day,
                forecast.mean[known],
                forecast.dispersion[known],
                candidate,
                forecast.model,
            )
            for days in WINDOWS_DAYS:
                window = tried.over_window(days, levels=SCORED_LEVELS)
                total = sold[known, :days].sum(axis=1)
                losses[place] += float(pinball(total, window.quantiles, SCORED_LEVELS).sum()) / days
    return CANDIDATES[int(np.argmin(losses))]


def network_forecast(series: DailySeries, network: Network, origin: int, horizon_days: int) -> Forecast:
    """What `network` says on the evening before day `origin`, prices unknown, what is known of days known."""
    past = slice(max(0, origin - HISTORY_DAYS), origin)
    every, revision = np.arange(len(series.units)), revision_with(len(network.centre))
    inputs = inputs_from(
        series.units[:, past],
        series.first_day + timedelta(days=origin),
        category_level=category_levels(series, every, origin),
        served_share=None if series.served is None else series.served[:, past],
        known_days=known_days_at(series, every, origin, horizon_days),
        horizon_days=horizon_days,
    )
    features = demand_features(inputs, revision=revision).reshape(-1, len(network.centre))
    mean, dispersion = network.predict(features)
    shape = (len(series.units), horizon_days)
    return Forecast(inputs.first_day, mean.reshape(shape), dispersion.reshape(shape), 0.0, "network")
