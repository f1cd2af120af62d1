import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.records import QUANTILE_LEVELS
from models.base_stock import BaseStockRule, Bound, expected_excess, interpolated_quantile
from models.quantiles import negbin_quantiles

QUICK = [[3.0, 5, 8, 12, 16, 20, 23, 26, 30]]
RULE = BaseStockRule()


def propose(quantiles=QUICK, service_level=0.95, on_hand_units=0.0, **more):
    return RULE.propose(quantiles, service_level=service_level, on_hand_units=on_hand_units, **more)


def test_the_order_fills_up_to_the_quantile_at_the_service_level():
    found = propose(on_hand_units=4, on_order_units=6)
    assert found.target_units[0] == pytest.approx(23)
    assert found.quantity_units[0] == 13
    assert found.bound[0] == Bound.TARGET


def test_levels_between_the_fixed_ones_lie_on_a_line():
    target = interpolated_quantile(np.float32(QUICK), np.float32([0.925]), QUANTILE_LEVELS)
    assert target[0] == pytest.approx(21.5, rel=1e-5)


def test_enough_stock_orders_nothing():
    found = propose(on_hand_units=23)
    assert (found.quantity_units[0], found.bound[0]) == (0, Bound.COVERED)
    assert found.reasons(0) == ["stock and orders cover the target"]


def test_orders_come_in_whole_packs():
    assert propose(on_hand_units=4, pack_units=6).quantity_units[0] == 24
    assert propose(on_hand_units=5, pack_units=6).quantity_units[0] == 18


def test_the_minimum_order_raises_a_small_need():
    found = propose(on_hand_units=20, min_order_units=10, pack_units=4)
    assert (found.quantity_units[0], found.bound[0]) == (12, Bound.MIN_ORDER)


def test_what_would_expire_is_not_ordered():
    found = propose(on_hand_units=2, pack_units=8, shelf_life_units=13)
    assert (found.quantity_units[0], found.bound[0]) == (8, Bound.SHELF_LIFE)
    assert propose(on_hand_units=12, pack_units=8, shelf_life_units=13).quantity_units[0] == 0


def test_more_than_fits_is_not_ordered():
    found = propose(on_hand_units=6, pack_units=6, max_stock_units=17)
    assert (found.quantity_units[0], found.bound[0]) == (6, Bound.CAPACITY)


def test_a_cap_below_the_minimum_order_orders_nothing_and_says_which():
    found = propose(on_hand_units=0, min_order_units=12, max_stock_units=10)
    assert (found.quantity_units[0], found.bound[0]) == (0, Bound.CAPACITY)


def test_unknown_stock_orders_nothing_and_asks_for_a_count():
    found = propose(on_hand_units=np.nan)
    assert (found.quantity_units[0], found.bound[0]) == (0, Bound.STOCK_UNKNOWN)
    assert np.isfinite(found.expected_stock_out_units).all()


def test_a_negative_book_is_made_good():
    assert propose(on_hand_units=-2).quantity_units[0] == 25


@pytest.mark.parametrize(("mean", "dispersion"), [(0.4, 1.0), (3.0, 0.5), (40.0, 0.3), (15.0, 0.0)])
@pytest.mark.parametrize("stock_share", [0.0, 0.6, 1.0, 1.6])
def test_expected_stock_out_is_close_to_the_draws(mean, dispersion, stock_share):
    random = np.random.default_rng(5)
    rate = mean if dispersion == 0 else random.gamma(1 / dispersion, mean * dispersion, 200_000)
    draws = random.poisson(rate, 200_000)
    stock = np.float32(np.round(mean * stock_share))
    quantiles = negbin_quantiles(np.array([mean]), np.array([dispersion]), QUANTILE_LEVELS).astype(np.float32)
    found = float(expected_excess(quantiles, np.array([stock]))[0])
    # Quantiles are whole units, rounded up: a fifth of a unit of it stays.
    assert found == pytest.approx(np.maximum(draws - stock, 0).mean(), rel=0.06, abs=0.2)


QUANTILES = st.lists(st.integers(0, 5000), min_size=9, max_size=9).map(sorted)


@settings(max_examples=300)
@given(
    quantiles=QUANTILES,
    level=st.floats(0.5, 0.99),
    on_hand=st.integers(-100, 5000),
    on_order=st.integers(0, 500),
    pack=st.integers(1, 200),
    least=st.integers(0, 300),
    life=st.one_of(st.none(), st.integers(0, 5000)),
    room=st.one_of(st.none(), st.integers(0, 5000)),
)
def test_every_order_keeps_its_bounds(quantiles, level, on_hand, on_order, pack, least, life, room):
    found = propose(
        [quantiles], level, on_hand,
        on_order_units=on_order, pack_units=pack, min_order_units=least, shelf_life_units=life, max_stock_units=room,
    )  # fmt: skip
    order, position = int(found.quantity_units[0]), on_hand + on_order
    assert order >= 0
    assert order % pack == 0
    assert order == 0 or order >= least
    if room is not None and order:
        assert position + order <= room
    if life is not None and order:
        assert position + order <= life + pack / 2
    if order and found.bound[0] == Bound.TARGET:
        assert position + order >= found.target_units[0] - 0.01
        assert position + order - pack < found.target_units[0] + 0.01
    assert 0 <= found.expected_unmet_units[0] <= found.expected_stock_out_units[0] + 1e-3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quantiles": [[1.0, 2.0]]}, "quantiles must have shape"),
        ({"quantiles": [[np.nan] * 9]}, "finite"),
        ({"quantiles": [[9.0, 8, 7, 6, 5, 4, 3, 2, 1]]}, "fall with the level"),
        ({"service_level": 1.0}, "service_level"),
        ({"service_level": np.nan}, "service_level"),
        ({"on_hand_units": np.inf}, "on_hand_units"),
        ({"on_order_units": -1}, "on_order_units"),
        ({"pack_units": 0}, "pack_units"),
        ({"min_order_units": [0.0, 1.0]}, "min_order_units must be one value or have shape"),
    ],
)
def test_a_wrong_input_is_refused_by_name(change, says):
    with pytest.raises(ValueError, match=says):
        propose(**change)
