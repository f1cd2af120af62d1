"""How much SKUs and shops miss together is measured, not taken for granted."""

import random

import pytest

from central.core.shared_spread import PRIOR, PastWeek, shared_of


def weeks(shared: float, *, count: int, skus: int = 40, seed: int = 1, factor: float = 1.0) -> list[PastWeek]:
    """Each SKU misses by its spread: a part that all share, and one of its own."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        week, common = PastWeek(), rng.gauss(0, 1)
        for _ in range(skus):
            spread = rng.uniform(2, 20)
            own = rng.gauss(0, 1)
            week.add(spread * factor * (shared**0.5 * common + (1 - shared) ** 0.5 * own), spread)
        found.append(week)
    return found


@pytest.mark.parametrize("shared", [0.0, 0.1, 0.3, 0.7])
def test_what_many_weeks_have_in_common_is_found_again(shared):
    found = [shared_of(weeks(shared, count=400, seed=seed)) for seed in range(5)]
    assert sum(found) / 5 == pytest.approx(shared, abs=0.05)


def test_without_a_week_or_with_one_sku_the_prior_stands():
    assert shared_of([]) == PRIOR
    assert shared_of([PastWeek(50.0, 10.0, 100.0)]) == pytest.approx(PRIOR)
    assert shared_of([PastWeek()]) == PRIOR


def test_one_wild_week_does_not_stand_for_all_and_the_share_stays_a_share():
    steady = weeks(0.0, count=30)
    assert shared_of([*steady, PastWeek(1e9, 100.0, 250.0)]) < 0.5
    assert shared_of([PastWeek(1e9, 100.0, 250.0)] * 50) == 1.0
    assert shared_of([PastWeek(0.0, 100.0, 2500.0)] * 50) == 0.0


def test_forecasts_that_are_too_narrow_widen_the_interval():
    assert shared_of(weeks(0.1, count=200, factor=2.0)) > shared_of(weeks(0.1, count=200)) + 0.1


def test_shops_merged_are_the_same_as_all_their_skus_together():
    whole, parts = PastWeek(), [PastWeek(), PastWeek()]
    for number in range(10):
        whole.add(number - 4, number)
        parts[number % 2].add(number - 4, number)
    parts[0].merge(parts[1])
    assert parts[0] == whole
