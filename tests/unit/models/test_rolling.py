"""Rolling evaluation where shelves run empty: what was not served is no truth, and forecasts are told of it."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.baseline import BASELINE_NAME
from models.forecast import Forecast
from models.training.correlation import best_correlation
from models.training.examples import examples_from
from models.training.network import Fit, fit_network
from models.training.rolling import HORIZON_DAYS, PEERS, KnownThen, rolled
from models.training.series import DailySeries, series_from_table

FIRST, DAYS, STOCK = date(2024, 1, 1), 98, 6
OPENS, CLOSES = 8, 20


@pytest.fixture(scope="module")
def sold_out() -> DailySeries:
    """Sixty SKUs wanted six times a day, evenly over the hours, of which six units are on the shelf each morning."""
    random = np.random.default_rng(3)
    rows: dict[str, list[object]] = {
        name: [] for name in ("store", "sku", "date", "units", "stockout_hours", "open_hours")
    }
    for sku in range(60):
        for day in range(DAYS):
            asked = np.sort(random.uniform(OPENS, CLOSES, random.poisson(6)))
            empty = CLOSES - asked[STOCK - 1] if len(asked) >= STOCK else 0.0
            for name, value in zip(
                rows,
                ("s", f"k{sku}", FIRST + timedelta(days=day), float(min(len(asked), STOCK)), empty, 12.0),
                strict=True,
            ):
                rows[name].append(value)
    return series_from_table(pa.table(rows), "a shop")


def test_days_that_sold_out_are_not_scored_and_forecasts_know_of_them(sold_out: DailySeries) -> None:
    asked: list[KnownThen] = []

    def spy(known: KnownThen) -> Forecast:
        asked.append(known)
        shape = np.ones((len(known.history), HORIZON_DAYS), np.float32)
        return Forecast(known.first_day, 6 * shape, shape, 0.0, "spy")

    tally = rolled(sold_out, FIRST + timedelta(days=DAYS - HORIZON_DAYS), {"spy": spy})["spy"]
    whole = sold_out.demand(DAYS - HORIZON_DAYS, DAYS)
    assert 0 < np.isnan(whole).mean() < 1
    assert tally.rows == int((~np.isnan(whole)).sum())
    assert tally.units == np.nansum(whole)
    assert asked[0].served is not None
    assert asked[0].served.shape == asked[0].history.shape
    assert (asked[0].served < 1).any()


def test_a_forecast_that_knows_of_empty_shelves_expects_what_was_wanted(sold_out: DailySeries) -> None:
    means: dict[str, float] = {}

    def told(known: KnownThen) -> Forecast:
        found = PEERS[BASELINE_NAME](known)
        means["told"] = float(found.mean.mean())
        return found

    def untold(known: KnownThen) -> Forecast:
        found = PEERS[BASELINE_NAME](
            KnownThen(known.history, None, known.first_day, known.price_ratio, known.category_level)
        )
        means["untold"] = float(found.mean.mean())
        return found

    rolled(sold_out, FIRST + timedelta(days=DAYS - HORIZON_DAYS), {"told": told, "untold": untold})
    assert means["untold"] < 5.2
    assert means["told"] == pytest.approx(6, rel=0.08)


def test_a_bundle_network_learns_from_a_shop_that_sells_out(sold_out: DailySeries) -> None:
    examples = examples_from(sold_out, rows=3000, seed=1)
    network = fit_network(examples, Fit(epochs=2), lambda *_: None)
    assert 0 <= best_correlation(sold_out, network) <= 0.4
