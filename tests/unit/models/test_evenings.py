from datetime import date

import numpy as np
import pytest

from models.errors import TrainingDataError
from models.panel import Panel
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.quantiles import negbin_quantiles
from models.training.evenings import difference, evenings_from, measured, scored_evenings

RANDOM = np.random.default_rng(2)
LEVEL = RANDOM.gamma(2, 3, 400) + 0.2
PANEL = Panel(date(2024, 1, 1), RANDOM.poisson(np.repeat(LEVEL[:, None], 120, axis=1)).astype(np.float32))


def poisson(factor: float):
    quantiles = negbin_quantiles(LEVEL * factor, np.zeros(400), DAY_LEVELS).astype(np.float32)

    def method(_known: Panel, days: int) -> DayQuantiles:
        mean = np.repeat((LEVEL * factor)[:, None], days, axis=1).astype(np.float32)
        return DayQuantiles(mean, np.repeat(quantiles[:, None], days, axis=1))

    return method


@pytest.fixture(scope="module")
def scored():
    evenings = evenings_from(PANEL, 85, 14)
    assert evenings == [85, 92, 99, 106]
    return scored_evenings(
        PANEL, evenings, 14, {"right": poisson(1.0), "again": poisson(1.0), "high": poisson(1.3)}
    )


def test_the_true_distribution_is_unbiased_covers_and_is_flat(scored):
    found = measured(scored["right"])
    assert found["bias"].low < 0 < found["bias"].high
    assert found["inside 80 %"].value >= 0.8
    assert found["wql"].low < found["wql"].value < found["wql"].high
    shares = scored["right"].pit / scored["right"].pit.sum()
    assert np.abs(shares - 0.05).max() < 0.01


def test_a_worse_model_is_worse_by_an_interval_without_0(scored):
    found = difference(scored["right"], scored["high"])
    assert found["wql"].low > 0
    assert found["wape"].low > 0
    assert found["bias"].value == pytest.approx(0.3, abs=0.02)


def test_equal_models_differ_by_nothing(scored):
    for interval in difference(scored["right"], scored["again"]).values():
        assert interval.value == interval.low == interval.high == 0


def test_pairing_is_narrower_than_two_intervals(scored):
    a, b = measured(scored["right"])["wape"], measured(scored["high"])["wape"]
    paired = difference(scored["right"], scored["high"])["wape"]
    assert paired.high - paired.low < (a.high - a.low) + (b.high - b.low)


def test_days_nobody_saw_do_not_count():
    units = PANEL.units.copy()
    units[:, 100:] = np.nan
    units[:200, 85:] = np.nan
    panel = Panel(PANEL.first_day, units)
    half = scored_evenings(panel, [85], 14, {"right": poisson(1.0)})["right"]
    assert half.days[:200].sum() == 0
    assert half.days[200:].sum() == 200 * 14


def test_too_few_days_after_the_first_evening_say_so():
    with pytest.raises(TrainingDataError, match="14 days from 2024-04-25"):
        evenings_from(PANEL, 115, 14)
