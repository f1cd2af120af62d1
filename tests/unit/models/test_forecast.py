from datetime import date, timedelta

import numpy as np
import pytest

from models.baseline import SeasonalBaseline
from models.forecast import Forecast

FRIDAY = date(2017, 9, 1)


def flat(mean: float, days: int = 14, dispersion: float = 0.0, correlation: float = 0.0) -> Forecast:
    shape = np.ones((1, days), np.float32)
    return Forecast(FRIDAY, shape * mean, shape * dispersion, correlation, "test@1")


def test_a_window_sums_its_days():
    assert flat(2.0).over_window(5).mean[0] == 10


def test_what_is_left_of_today_moves_the_windows_end():
    rising = Forecast(
        FRIDAY, np.array([[10, 20, 30]], np.float32), np.zeros((1, 3), np.float32), 0.0, "test@1"
    )
    assert rising.over_window(2, first_day_share=0.25).mean[0] == 10 * 0.25 + 20 + 30 * 0.75


def test_a_window_of_the_whole_horizon_still_has_its_last_hours():
    assert flat(2.0, days=14).over_window(14, first_day_share=0.5).mean[0] == 28


def test_beyond_the_horizon_the_last_week_repeats():
    week = np.arange(7, dtype=np.float32)[None, :]
    forecast = Forecast(FRIDAY, week, np.zeros((1, 7), np.float32), 0.0, "test@1")
    assert forecast.over_window(14).mean[0] == 42


def test_each_sku_has_its_own_window():
    two = Forecast(FRIDAY, np.ones((2, 14), np.float32), np.zeros((2, 14), np.float32), 0.0, "test@1")
    assert list(two.over_window(np.array([3, 9])).mean) == [3, 9]


@pytest.mark.parametrize(("days", "share"), [(0, 1.0), (29, 1.0), (3, 1.5), (3, -0.1)])
def test_a_senseless_window_is_refused(days, share):
    with pytest.raises(ValueError, match=r"window_days|first_day_share"):
        flat(1.0).over_window(days, first_day_share=share)


def test_expected_units_go_on_beyond_the_horizon():
    assert flat(2.0).expected_units(100)[0] == 200
    assert flat(2.0).expected_units(3)[0] == 6


def test_daily_quantiles_lie_around_the_mean():
    quantiles = flat(8.0, dispersion=0.2).quantiles()
    assert quantiles.shape == (1, 14, 9)
    assert quantiles[0, 0, 0] < 8 < quantiles[0, 0, -1]


def test_the_baseline_says_why_it_stands_in():
    forecast = SeasonalBaseline("bundle refused").forecast(np.full((1, 28), 3.0), FRIDAY)
    assert "bundle refused" in forecast.doubt
    assert forecast.mean == pytest.approx(3.0)


def test_the_baseline_knows_weekdays_and_closed_days(histories):
    units = np.where(np.arange(56) % 7 == 0, 14.0, 0.0)[None, :]
    closed = [FRIDAY + timedelta(days=7)]
    forecast = SeasonalBaseline("test").forecast(units, FRIDAY, closed_days=closed)
    assert forecast.mean[0, 0] > 10
    assert forecast.mean[0, 1] < 1
    assert forecast.mean[0, 7] == 0


def test_the_baseline_survives_nothing_known():
    forecast = SeasonalBaseline("test").forecast(
        np.full((3, 0), np.nan), FRIDAY, category_level=[np.nan, 2.0, 0.0]
    )
    assert np.isfinite(forecast.mean).all()
    assert forecast.mean[1, 0] == pytest.approx(2.0)
