"""A bundle or the baseline, asked for SKUs and shops that are new: levels from elsewhere, sums as uncertain as their level."""

from datetime import date

import numpy as np

from models.baseline import SeasonalBaseline
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.forecast_files import _category_levels, ready_forecast

RANDOM = np.random.default_rng(2)
SHOPS, SKUS, DAYS = 4, 10, 60


def chain() -> Panel:
    """SKUs that sell alike in all shops; the last shop is new, and so is the last SKU in the first shop."""
    level = np.tile(np.linspace(1, 19, SKUS), SHOPS)
    units = RANDOM.poisson(level[:, None], (SHOPS * SKUS, DAYS)).astype(np.float32)
    units[-SKUS:] = np.nan
    units[SKUS - 1] = np.nan
    shop, sku = np.repeat(np.arange(SHOPS), SKUS), np.tile(np.arange(SKUS), SHOPS)
    half = sku // 5
    return Panel(
        date(2024, 1, 1),
        units,
        groups={"store": shop, "dept": half, "store_dept": 2 * shop + half, "sku": sku},
    )


def test_the_skus_of_a_new_shop_have_the_levels_that_they_have_elsewhere():
    found = _category_levels(chain())
    np.testing.assert_allclose(found[-SKUS:], np.linspace(1, 19, SKUS), rtol=0.2)
    assert 17 < found[SKUS - 1] < 21
    # Known SKUs are told of their own shop's category, as at the gateway.
    assert len(np.unique(found[SKUS : SKUS + 5].round(3))) == 1


def test_sums_of_a_new_sku_are_as_uncertain_as_its_level():
    panel = chain()
    found = ready_forecast(SeasonalBaseline("a test"), panel, 14)
    low, high = (DAY_LEVELS.index(level) for level in (0.05, 0.95))
    width = (found.window[..., high] - found.window[..., low])[:, -1] / found.mean.sum(axis=1)
    of_days = ((found.quantiles[..., high] - found.quantiles[..., low]) / found.mean[..., None][..., 0]).mean(
        axis=1
    )
    new = np.isnan(panel.units).all(axis=1)
    # Days that err apart make a sum of fourteen less uncertain than a day, by far; days that err together do not.
    assert (width[new] / of_days[new]).min() > 1.3 * (width[~new] / of_days[~new]).max()
    assert (np.diff(found.window, axis=1) >= 0).all()
    assert (np.diff(found.window, axis=2) >= 0).all()
