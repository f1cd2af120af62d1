"""What a gateway's network learns of SKUs that nobody has seen: from known ones shown as new, not from how new ones come."""

from datetime import date

import numpy as np

from models.features import FEATURE_NAMES
from models.training.examples import examples_from
from models.training.series import DailySeries


def test_examples_without_a_history_sell_as_the_others_do():
    """Listed by their first sale, series that nobody saw before all sell on the day they come: no rule for new ones."""
    random = np.random.default_rng(5)
    n, days, usual = 300, 120, 0.5
    units = random.poisson(usual, (n, days)).astype(np.float32)
    for row, day in enumerate(random.integers(0, 110, n).tolist()):
        units[row, :day] = np.nan
        units[row, day] = 6
    series = DailySeries(
        date(2024, 1, 1), units, np.full_like(units, np.nan), np.zeros(n, np.int64), "a test"
    )
    found = examples_from(series, rows=12_000, seed=1)
    new = found.features[:, FEATURE_NAMES.index("known_share_56")] == 0
    assert 0.02 < new.mean() < 0.08
    assert 0.6 * usual < found.units[new].mean() < 1.4 * usual
