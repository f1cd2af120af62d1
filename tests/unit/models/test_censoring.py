import numpy as np
import pytest

from models.censoring import hour_profile, recovered_units


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
