import numpy as np
import pytest

from models.censoring import hour_profile, recovered_history, recovered_units


def test_a_day_served_whole_is_as_sold():
    assert recovered_units([3.0, 0.0], [1.0, 1.0], [9.0, 9.0], [0.5, 0.5]).tolist() == [3.0, 0.0]


def test_a_day_sold_out_all_day_is_the_forecast():
    assert recovered_units([0.0], [0.0], [4.0], [0.5])[0] == pytest.approx(4.0)


def test_more_sold_in_the_served_hours_means_more_lost_in_the_others():
    low, high = recovered_units([1.0, 5.0], 0.5, 4.0, 0.5) - [1.0, 5.0]
    assert 0 < low < 2 < high < 5


def test_recovered_demand_is_unbiased_and_nearer_than_dividing_by_the_share():
    random = np.random.default_rng(3)
    rate = random.gamma(1 / 0.5, 0.5 * 4.0, 40_000)
    share = random.uniform(0.05, 0.9, 40_000)
    seen, lost = random.poisson(rate * share), random.poisson(rate * (1 - share))
    found = recovered_units(seen, share, 4.0, 0.5)
    assert found.sum() / (seen + lost).sum() == pytest.approx(1, abs=0.01)
    naive = seen / share
    assert np.abs(found - seen - lost).sum() < 0.8 * np.abs(naive - seen - lost).sum()


def test_the_profile_counts_only_days_served_to_the_end():
    units = np.zeros((1, 40, 24))
    units[:, :, 9] = units[:, :, 18] = 5
    served = np.ones_like(units, dtype=bool)
    # On half the days the shelf is empty in the evening; that says nothing of how busy evenings are.
    served[:, ::2, 18] = False
    units[:, ::2, 18] = 0
    profile = hour_profile(units, served)
    assert profile.sum() == pytest.approx(1)
    assert profile[0, 9] == pytest.approx(profile[0, 18])
    assert profile[0, 9] > 0.4


def shop(evenings: float, days: int = 56, skus: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(demand, sold, served share): on this share of days the shelf is empty once 60 % of the usual demand was there."""
    random = np.random.default_rng(7)
    level = random.gamma(1.0, 6.0, (skus, 1)) + 0.5
    rate = random.gamma(1 / 0.3, 0.3 * level, (skus, days))
    served = np.where(random.random((skus, days)) < evenings, 0.6, 1.0)
    sold = random.poisson(rate * served)
    return sold + random.poisson(rate * (1 - served)), sold.astype(float), served


@pytest.mark.parametrize("evenings", [0.3, 1.0])
def test_the_history_of_a_shelf_that_empties_is_demand_again(evenings):
    demand, sold, served = shop(evenings)
    found = recovered_history(sold, served)
    assert found.sum() / demand.sum() == pytest.approx(1, abs=0.02)
    assert sold.sum() / demand.sum() < 0.9
    assert (found >= sold).all()
    assert (found[served == 1] == sold[served == 1]).all()


def test_days_nobody_saw_stay_unknown_and_a_sku_alone_has_the_bits_of_all():
    _, sold, served = shop(0.5)
    sold[3, 5], sold[4] = np.nan, np.nan
    found = recovered_history(sold, served)
    assert np.isnan(found[3, 5])
    assert np.isnan(found[4]).all()
    assert (np.isnan(found) == np.isnan(sold)).all()
    for row in (0, 3, 399):
        assert np.array_equal(
            recovered_history(sold[row : row + 1], served[row : row + 1])[0], found[row], equal_nan=True
        )
    assert recovered_history(np.zeros((2, 0)), np.zeros((2, 0))).shape == (2, 0)
