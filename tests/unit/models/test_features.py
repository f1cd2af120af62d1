from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features import FEATURE_NAMES, SKU_FEATURES, demand_features, features_sha256, inputs_from

FRIDAY = date(2017, 9, 1)

ANYTHING = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.data(), st.integers(0, 5), st.integers(0, 70), st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_features_are_finite_whatever_the_input(data, n_sku, n_days, first_day):
    inputs = inputs_from(
        data.draw(hnp.arrays(float, (n_sku, n_days), elements=ANYTHING)),
        first_day,
        price_ratio=data.draw(hnp.arrays(float, (n_sku, 14), elements=ANYTHING)),
        category_level=data.draw(hnp.arrays(float, n_sku, elements=ANYTHING)),
    )
    features = demand_features(inputs)
    assert features.shape == (n_sku, 14, len(FEATURE_NAMES))
    assert np.isfinite(features).all()


def test_only_the_last_56_days_count(histories):
    long = np.concatenate([np.full((len(histories), 100), 9.0), histories], axis=1)
    assert np.array_equal(
        demand_features(inputs_from(long, FRIDAY)), demand_features(inputs_from(histories, FRIDAY))
    )


def test_a_sku_does_not_depend_on_its_neighbours(histories):
    together = demand_features(inputs_from(histories, FRIDAY))
    for row in range(0, 300, 37):
        alone = demand_features(inputs_from(histories[row : row + 1], FRIDAY))
        assert np.array_equal(alone[0], together[row])


def test_a_tenfold_seller_differs_in_its_level_only_by_a_little(histories):
    busy = histories[np.nanmean(histories, axis=1) > 10]
    ratios = [i for i, name in enumerate(SKU_FEATURES) if name.endswith("ratio")]
    small, large = (demand_features(inputs_from(units, FRIDAY)) for units in (busy, busy * 10))
    assert np.abs(small[:, :, ratios] - large[:, :, ratios]).max() < 0.15


def test_unknown_is_not_zero():
    seen, unknown = np.full((1, 56), 4.0), np.full((1, 56), 4.0)
    seen[0, -7:], unknown[0, -7:] = 0, np.nan
    level = FEATURE_NAMES.index("log_level")
    assert demand_features(inputs_from(unknown, FRIDAY))[0, 0, level] > np.log(3.3)
    assert demand_features(inputs_from(seen, FRIDAY))[0, 0, level] < np.log(3.0)


def test_a_spike_is_cut_and_counted():
    units = np.full((1, 56), 2.0)
    units[0, 20] = 1e5
    inputs = inputs_from(units, FRIDAY)
    assert inputs.history.max() == 30
    assert inputs.cleaned_values == 1


def test_net_returns_count_as_nothing_sold_and_infinity_as_unknown():
    inputs = inputs_from([[-3.0, np.inf, 2.0]], FRIDAY)
    assert inputs.history[0, -3] == 0
    assert np.isnan(inputs.history[0, -2])
    assert inputs.cleaned_values == 2


def test_the_target_weekday_is_the_days_own():
    features = demand_features(inputs_from(np.zeros((1, 0)), FRIDAY), horizon=[0, 2])
    for place, day in enumerate((FRIDAY, FRIDAY + timedelta(days=2))):
        assert features[0, place, FEATURE_NAMES.index(day.strftime("%A").lower())] == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: inputs_from([1.0, 2.0], FRIDAY), "history must have shape"),
        (lambda: inputs_from([[1.0]], FRIDAY, horizon_days=29), "horizon_days is 29"),
        (lambda: inputs_from([[1.0]], FRIDAY, price_ratio=[[1.0]]), "price_ratio must have shape"),
        (lambda: inputs_from([[1.0]], FRIDAY, category_level=[1.0, 2.0]), "category_level must have shape"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_the_identity_of_the_features_is_stable_within_a_run():
    assert features_sha256() == features_sha256()
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


@pytest.mark.parametrize("ratio", [0.005, 5e8])
def test_a_price_that_cannot_be_is_unknown_and_counted(ratio):
    given, bare = (
        inputs_from([[1.0] * 20], FRIDAY, price_ratio=[[0.8, value]], horizon_days=2)
        for value in (ratio, np.nan)
    )
    assert given.cleaned_values == 1
    assert bare.cleaned_values == 0
    np.testing.assert_array_equal(demand_features(given), demand_features(bare))
