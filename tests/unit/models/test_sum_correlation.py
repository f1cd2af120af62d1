"""How much days err together: chosen so that sums of days cover what they say, whichever series turned out quiet."""

import numpy as np

from models.paths import window_quantiles
from models.quantile_network import DAY_LEVELS
from models.quantiles import negbin_quantiles
from models.training.heavy_training import window_loss

SERIES, DAYS, SPREAD = 600, 28, 0.3


def test_the_correlation_of_least_loss_covers_sums_of_every_length():
    """Each series errs by its level, as far as was said. Weighed by what sold, 0.4 would be chosen and cover .87 to .89."""
    random = np.random.default_rng(3)
    usual = random.gamma(1.5, 1.0, SERIES) + 0.2
    level = usual * random.gamma(1 / SPREAD, SPREAD, SERIES)
    totals = np.cumsum(random.poisson(level[:, None], (SERIES, DAYS)), axis=1).astype(float)
    day = negbin_quantiles(usual, np.full(SERIES, SPREAD), DAY_LEVELS)
    daily = np.repeat(day[:, None, :], DAYS, axis=1).astype(np.float32)
    losses = {c: window_loss(daily, usual, totals, c, [3, 7, 14, 28]) for c in (0.1, 0.3, 0.4)}
    chosen = min(losses, key=losses.__getitem__)
    assert chosen == 0.3
    band = window_quantiles(daily, DAY_LEVELS, chosen, (0.1, 0.9))
    inside = (totals >= band[:, :, 0]) & (totals <= band[:, :, 1])
    # Closed bands of whole units hold a little more than their levels say.
    assert all(0.77 < inside[:, days - 1].mean() < 0.87 for days in (7, 14, 28))
