from datetime import date, timedelta

import numpy as np
import pytest

from models.base_stock import BaseStockRule, Bound
from models.baseline import BASELINE_NAME
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.inference import DemandModel, Replenishment, open_models

FRIDAY = date(2017, 9, 1)
PROPOSAL_FIELDS = (
    "quantity_units",
    "target_units",
    "expected_stock_out_units",
    "expected_unmet_units",
    "bound",
)


@pytest.fixture(scope="module")
def demand(demo_bundle):
    return DemandModel(demo_bundle)


@pytest.fixture(scope="module")
def orders():
    """2,000 orders of every kind; see test_base_stock for what each bound means."""
    random = np.random.default_rng(11)
    n = 2000
    quantiles = np.sort(random.gamma(1.0, 8.0, (n, 9)).round(), axis=1)
    on_hand = random.integers(-3, 40, n).astype(float)
    on_hand[random.random(n) < 0.05] = np.nan
    limits = {
        name: np.where(random.random(n) < 0.5, np.nan, random.integers(0, 60, n))
        for name in ("shelf_life_units", "max_stock_units")
    }
    return quantiles, {
        "service_level": random.uniform(0.5, 0.99, n),
        "on_hand_units": on_hand,
        "on_order_units": random.integers(0, 10, n),
        "pack_units": random.choice([1, 2, 6, 12], n),
        "min_order_units": random.choice([0, 0, 6, 20], n),
        **limits,
    }


def test_a_forecast_has_the_asked_shape_and_only_real_numbers(demand, histories):
    forecast = demand.forecast(histories, FRIDAY, horizon_days=21)
    assert forecast.mean.shape == forecast.dispersion.shape == (300, 21)
    assert np.isfinite(forecast.mean).all()
    assert (forecast.mean > 0).all()
    assert (forecast.dispersion > 0).all()
    assert forecast.doubt == ""


def test_one_sku_at_a_time_gives_the_bits_of_all_at_once(demand, histories):
    together = demand.forecast(histories, FRIDAY)
    window = together.over_window(5, first_day_share=0.3)
    for row in range(0, 300, 7):
        alone = demand.forecast(histories[row : row + 1], FRIDAY)
        assert np.array_equal(alone.mean[0], together.mean[row])
        assert np.array_equal(alone.dispersion[0], together.dispersion[row])
        assert np.array_equal(alone.over_window(5, first_day_share=0.3).quantiles[0], window.quantiles[row])
        assert alone.over_window(5, first_day_share=0.3).mean[0] == window.mean[row]


def test_the_same_question_twice_gives_the_same_bits(demand, histories):
    first, second = demand.forecast(histories, FRIDAY), demand.forecast(histories, FRIDAY)
    assert np.array_equal(first.mean, second.mean)


def test_one_order_at_a_time_gives_the_bits_of_all_at_once(demo_bundle, orders):
    quantiles, columns = orders
    replenishment = Replenishment(demo_bundle)
    together = replenishment.propose(quantiles, **columns)
    for row in range(0, 2000, 41):
        alone = replenishment.propose(
            quantiles[row : row + 1], **{name: values[row : row + 1] for name, values in columns.items()}
        )
        for name in PROPOSAL_FIELDS:
            assert getattr(alone, name)[0] == getattr(together, name)[row], name


def test_the_graph_says_what_the_rule_says(demo_bundle, orders):
    quantiles, columns = orders
    graph = Replenishment(demo_bundle).propose(quantiles, **columns)
    rule = BaseStockRule().propose(quantiles, **columns)
    assert {Bound(int(code)) for code in graph.bound} == set(Bound)
    for name in PROPOSAL_FIELDS:
        assert np.allclose(getattr(graph, name), getattr(rule, name), rtol=1e-4, atol=1e-4), name


def test_no_skus_give_no_forecasts_and_no_orders(demand, demo_bundle):
    forecast = demand.forecast(np.empty((0, 56)), FRIDAY)
    assert forecast.mean.shape == (0, 14)
    proposals = Replenishment(demo_bundle).propose(
        forecast.over_window(3).quantiles, service_level=0.95, on_hand_units=0
    )
    assert proposals.quantity_units.shape == (0,)


def test_a_new_sku_takes_its_categorys_level(demand):
    nothing = np.empty((2, 0))
    forecast = demand.forecast(nothing, FRIDAY, category_level=[0.2, 6.0])
    assert forecast.mean[0].mean() < 1.5
    assert forecast.mean[1].mean() > 2 * forecast.mean[0].mean()


def test_a_spike_or_nonsense_moves_a_forecast_only_so_far(demand):
    steady = np.full((1, 56), 3.0)
    wild = steady.copy()
    wild[0, 10], wild[0, 20], wild[0, 30], wild[0, 40] = 1e9, -50, np.nan, np.inf
    calm, moved = (demand.forecast(units, FRIDAY).mean.mean() for units in (steady, wild))
    assert calm == pytest.approx(3.0, rel=0.35)
    assert moved < 3 * calm


def test_a_lower_price_sells_more(demand, histories):
    busy = histories[np.nanmean(histories, axis=1) > 1]
    usual = demand.forecast(busy, FRIDAY, price_ratio=np.ones((len(busy), 14)))
    offer = demand.forecast(busy, FRIDAY, price_ratio=np.full((len(busy), 14), 0.7))
    assert offer.mean.sum() > 1.1 * usual.mean.sum()


def test_a_closed_day_sells_nothing(demand, histories):
    forecast = demand.forecast(histories, FRIDAY, closed_days=[FRIDAY + timedelta(days=2)])
    assert not forecast.mean[:, 2].any()
    assert not forecast.quantiles()[:, 2].any()


def test_a_good_bundle_leaves_no_doubt():
    models = open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
    assert models.doubt == ""
    assert models.name == models.demand.name == models.replenishment.name


def test_without_a_bundle_the_baseline_takes_over_and_says_so(histories):
    models = open_models(None, DEMO_PUBLIC_KEY)
    forecast = models.demand.forecast(histories, FRIDAY)
    assert models.name == forecast.model == BASELINE_NAME
    assert "no bundle is set" in forecast.doubt


def test_a_bad_bundle_is_replaced_by_the_baseline_with_the_failed_check(bundle_copy, histories):
    (bundle_copy / "demand.onnx").write_bytes(b"")
    models = open_models(bundle_copy, DEMO_PUBLIC_KEY)
    assert "'files'" in models.doubt
    window = models.demand.forecast(histories, FRIDAY).over_window(4)
    assert (
        models.replenishment.propose(
            window.quantiles, service_level=0.9, on_hand_units=0
        ).quantity_units.sum()
        > 0
    )
