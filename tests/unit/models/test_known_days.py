from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.features import FEATURE_NAMES, FEATURES_BY_REVISION, HISTORY_DAYS, demand_features, inputs_from
from models.known_days import KNOWN_DAY_COLUMNS, KNOWN_DAY_FEATURES
from models.training.examples import examples_from, known_days_at
from models.training.series import series_from_table

FRIDAY = date(2017, 9, 1)
DAYS = HISTORY_DAYS + 14
OLD = len(FEATURES_BY_REVISION[1])


def column(name):
    return FEATURE_NAMES.index(name)


def shop(**days):
    """Columns of the whole shop: the numbers of days, the history's first is 0, on which a flag is up."""
    return {name: np.isin(np.arange(DAYS), each).astype(float)[None, :] for name, each in days.items()}


@given(
    st.data(),
    st.integers(0, 4),
    st.sampled_from([(), ("holiday",), ("promotion", "discount"), KNOWN_DAY_COLUMNS]),
)
def test_features_are_finite_whatever_is_said_of_days(data, n_sku, names):
    anything = st.floats(allow_nan=True, allow_infinity=True, width=64)
    known = {name: data.draw(hnp.arrays(float, (n_sku or 1, DAYS), elements=anything)) for name in names}
    features = demand_features(inputs_from(np.ones((n_sku, 56)), FRIDAY, known_days=known))
    assert features.shape == (n_sku, 14, len(FEATURE_NAMES))
    assert np.isfinite(features).all()


def test_a_calendar_that_is_not_there_is_neutral(histories):
    bare = demand_features(inputs_from(histories, FRIDAY))
    empty = demand_features(inputs_from(histories, FRIDAY, known_days={}))
    unknown = demand_features(
        inputs_from(histories, FRIDAY, known_days={"holiday": np.full((1, DAYS), np.nan)})
    )
    assert not bare[:, :, OLD:].any()
    assert np.array_equal(bare, empty)
    assert np.array_equal(bare, unknown)


def test_an_earlier_revision_is_the_first_columns_of_the_newest(histories):
    inputs = inputs_from(histories, FRIDAY, known_days=shop(holiday=[60], promotion=[3]))
    assert np.array_equal(demand_features(inputs, revision=1), demand_features(inputs)[:, :, :OLD])


def test_a_holiday_is_seen_with_the_day_before_and_after():
    features = demand_features(inputs_from(np.ones((1, 56)), FRIDAY, known_days=shop(holiday=[60])))[0]
    assert features[:, column("calendar_known")].all()
    assert np.flatnonzero(features[:, column("holiday")]).tolist() == [4]
    assert np.flatnonzero(features[:, column("holiday_eve")]).tolist() == [3]
    assert np.flatnonzero(features[:, column("holiday_after")]).tolist() == [5]


def test_a_day_past_the_horizon_makes_its_last_day_an_eve():
    known = {"holiday": np.isin(np.arange(DAYS + 1), [DAYS]).astype(float)[None, :]}
    features = demand_features(inputs_from(np.ones((1, 56)), FRIDAY, known_days=known))[0]
    assert np.flatnonzero(features[:, column("holiday_eve")]).tolist() == [13]


def test_what_a_sku_sold_on_its_promotions_is_expected_of_the_next():
    promoted = np.isin(np.arange(DAYS), [10, 11, 12, 30, 31, 32, 58]).astype(float)[None, :]
    history = np.where(promoted[:, :56] > 0, 12.0, 4.0)
    answered = demand_features(inputs_from(history, FRIDAY, known_days={"promotion": promoted}))[0]
    flat = demand_features(inputs_from(np.full((1, 56), 4.0), FRIDAY, known_days={"promotion": promoted}))[0]
    assert answered[2, column("promotion_answer")] > np.log(1.8)
    assert answered[3, column("promotion_answer")] < 0
    assert np.abs(flat[:, column("promotion_answer")]).max() < 0.05


def test_a_level_that_was_reached_on_promoted_days_is_more_than_usual():
    promoted = (np.arange(DAYS) < HISTORY_DAYS).astype(float)[None, :]
    features = demand_features(inputs_from(np.ones((1, 56)), FRIDAY, known_days={"promotion": promoted}))[0]
    assert (features[:, column("promotion_change")] < -0.9).all()


def test_a_value_that_cannot_be_is_unknown_and_counted():
    known = {"discount": np.full((1, DAYS), 0.2), "temperature_c": np.full((1, DAYS), 15.0)}
    known["discount"][0, 60], known["temperature_c"][0, 60] = 30, 400
    inputs = inputs_from(np.ones((1, 56)), FRIDAY, known_days=known)
    assert inputs.cleaned_values == 2
    assert np.isnan(inputs.known_days["discount"][0, 60])


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"carnival": np.zeros((1, DAYS))}, "'carnival' is no column"),
        ({"holiday": np.zeros((1, DAYS - 1))}, "known_days holiday must have shape"),
        ({"holiday": np.zeros((3, DAYS))}, "known_days holiday must have shape"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(known, says):
    with pytest.raises(ValueError, match=says):
        inputs_from(np.ones((2, 56)), FRIDAY, known_days=known)


def table(**columns):
    """Two SKUs of one shop over sixty days, all rows there."""
    days = [date.fromordinal(FRIDAY.toordinal() + day) for day in range(60)]
    each = {"store": ["a"] * 120, "sku": ["x"] * 60 + ["y"] * 60, "date": days * 2, "units": [3.0] * 120}
    return pa.table(each | columns)


def test_training_reads_what_serving_is_told():
    """The same days, from a table of sales and handed to inputs_from: equal features."""
    promotion = np.concatenate([np.arange(60) % 9 < 2, np.zeros(60)]).astype(float)
    holiday = ["Harvest" if day == 41 else "" for day in range(60)] * 2
    series = series_from_table(table(promotion=promotion, holiday=holiday), "test")
    known = known_days_at(series, np.arange(2), 40, 14)
    trained = demand_features(inputs_from(series.units[:, :40], FRIDAY, known_days=known))
    assert known["holiday"].shape == (1, DAYS + 1)
    told = {"holiday": np.full((1, DAYS), np.nan), "promotion": np.full((2, DAYS), np.nan)}
    told["holiday"][0, 16:], told["promotion"][:, 16:] = (
        (np.arange(54) == 41),
        promotion.reshape(2, 60)[:, :54],
    )
    served = demand_features(inputs_from(np.full((2, 40), 3.0), FRIDAY, known_days=told))
    assert np.array_equal(trained, served)
    assert served[0, 1, column("holiday")] == 1


@pytest.mark.parametrize("written", [[0.0, 0.25], [0.0, 25.0], [1.0, 0.75]])
def test_a_discount_is_a_share_taken_off_percent_or_what_remains(written):
    discount = [written[day % 10 == 0] for day in range(60)] * 2
    series = series_from_table(table(discount=discount), "test")
    assert series.known_days["discount"].max() == pytest.approx(0.25)
    assert np.median(series.known_days["discount"]) == 0


def test_a_promotion_holds_until_the_next_row_and_what_a_row_does_not_know_is_unknown():
    days = [date.fromordinal(FRIDAY.toordinal() + day) for day in (0, 2, 5, 7)]
    rows = pa.table(
        {
            "store": ["a"] * 4,
            "sku": ["x"] * 4,
            "date": days,
            "units": [1.0] * 4,
            "promotion": [0.0, 1.0, None, 0.0],
        }
    )
    found = series_from_table(rows, "test").known_days["promotion"][0]
    assert np.array_equal(found, [0, 0, 1, 1, 1, np.nan, np.nan, 0], equal_nan=True)


def test_weather_of_a_few_weeks_teaches_nothing():
    series = series_from_table(table(temperature_c=np.tile(np.linspace(5, 25, 60), 2)), "test")
    examples = examples_from(series, rows=500, seed=1)
    assert not examples.features[:, column("temperature_change")].any()


def test_half_of_the_examples_knows_no_calendar():
    series = series_from_table(table(holiday=np.tile(np.arange(60) % 7 == 0, 2)), "test")
    known = examples_from(series, rows=2000, seed=1).features[:, column("calendar_known")]
    assert 0.4 < known.mean() < 0.6
    assert len(KNOWN_DAY_FEATURES) == len(set(KNOWN_DAY_FEATURES))
