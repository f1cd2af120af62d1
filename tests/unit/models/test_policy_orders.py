from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.graph import Graph
from models.policy.daily import Reason, daily_orders, slice_weights
from models.policy.features import N_FEATURES, N_PROBLEM_FEATURES
from models.policy.instance import instance_from
from models.policy.network import Layers, PolicyNetwork, shipped_network
from models.policy.order_graph import OrderGraph, shipped_orders
from models.policy.projection import MAX_DAYS, PATHS, outlook_of, path_slices, slice_means
from models.policy.question import BUCKETS, KEEPS, STRETCHES, question_from
from models.training.policy_graph import target_graph
from models.training.policy_order_graph import order_graph

QUICK = [[2.0, 4, 6, 8, 10, 13, 15, 16, 18]]
GRAPH = shipped_orders()


def asked(**more):
    given_ = {
        "lead_quantiles": np.zeros((1, STRETCHES, 9)), "lead_mean_units": 0.0, "cover_quantiles": QUICK,
        "cover_mean_units": 8.2, "on_hand_units": [0.0], **more,
    }  # fmt: skip
    return question_from(**given_)


def order(**more):
    return GRAPH.orders(asked(**more))


def some_network(seed=0):
    random = np.random.default_rng(seed)

    def layers(inputs, outputs):
        shapes = ((inputs, 16), (16, 16), (16, outputs))
        weights = tuple(random.normal(0, 0.3, shape).astype(np.float32) for shape in shapes)
        return Layers(weights, tuple(np.zeros(shape[1], np.float32) for shape in shapes))

    centre, scale = random.normal(0, 1, N_FEATURES), random.uniform(0.5, 2, N_FEATURES)
    return PolicyNetwork(
        centre.astype(np.float32),
        scale.astype(np.float32),
        layers(N_PROBLEM_FEATURES, 3),
        layers(N_FEATURES, 1),
    )


def random_questions(n, seed):
    random = np.random.default_rng(seed)

    def quantiles(*shape):
        scale = random.uniform(0.1, 20, (n,) + (1,) * len(shape))
        return np.sort(np.floor(random.gamma(1, scale, (n, *shape))), axis=-1)

    def at_times(chance, values):
        return values * (random.random(values.shape) < chance)

    lead, cover = quantiles(STRETCHES, 9), quantiles(9)
    hand = at_times(0.4, np.floor(random.gamma(1, 5, (n, BUCKETS))))
    hand[random.random(n) < 0.05, 0] = np.nan
    hand[:, -1] -= at_times(0.1, np.full(n, 40))
    return question_from(
        lead_quantiles=lead, lead_mean_units=lead.mean(-1), cover_quantiles=cover, cover_mean_units=cover.mean(-1),
        on_hand_units=hand, arriving_units=at_times(0.3, np.floor(random.gamma(1, 4, (n, STRETCHES)))),
        arriving_bucket=random.integers(0, BUCKETS, (n, STRETCHES)), pack_units=random.integers(1, 13, n),
        min_order_units=at_times(0.3, random.integers(0, 20, n)), presentation_units=at_times(0.3, random.integers(0, 6, n)),
        max_stock_units=np.where(random.random(n) < 0.5, np.nan, random.integers(5, 100, n)),
        life_units=np.where(random.random(n) < 0.5, np.nan, random.integers(5, 100, n)),
        life_periods=at_times(0.5, random.uniform(1, 6, n)), lead_periods=random.uniform(0, 6, n),
        odds=np.exp(random.uniform(0, 5, n)), lot_units=at_times(0.3, random.uniform(0, 40, n)),
        waste_price=random.uniform(0, 10, n), lifo=at_times(0.5, np.ones(n)), open_today=at_times(0.9, np.ones(n)),
    )  # fmt: skip


def test_the_graph_says_what_numpy_says():
    network = some_network()
    graph = OrderGraph(Graph(order_graph(network), Path("order.onnx")))
    question = random_questions(1500, 4)
    found, expected = graph.orders(question), daily_orders(question, network)
    assert (
        found.order_units == expected.order_units
    ).mean() > 0.999  # a level on the edge of a pack may round apart
    assert (found.reasons == expected.reasons).mean() > 0.999
    for name in ("target_units", "level_units", "stock_out_units", "waste_units"):
        assert np.allclose(getattr(found, name), getattr(expected, name), rtol=1e-3, atol=1e-2), name


def test_the_network_alone_says_the_same_in_both():
    network = some_network(1)
    features = np.random.default_rng(2).normal(0, 1, (200, N_FEATURES)).astype(np.float32)
    columns = Graph(target_graph(network), Path("target.onnx")).run({"features": features})
    assert np.allclose(np.stack(list(columns.values()), axis=1), network.outputs(features), atol=1e-4)


def test_one_sku_and_many_get_the_same_bits():
    question = random_questions(600, 5)
    whole = GRAPH.orders(question)
    one = GRAPH.orders(type(question)(*(getattr(question, name)[77:78] for name in question.__slots__)))
    assert one.order_units[0] == whole.order_units[77]
    assert one.target_units[0] == whole.target_units[77]


def test_both_shipped_graphs_carry_one_network():
    """The level that the order graph aims at is what the network says of the same features, up to the paths' rounding."""
    instance = instance_from(
        {"demand": {"distribution": "poisson", "mean": 8}, "lead_time": 0, "h": 1, "p": 19}
    )
    from models.policy.learned import LearnedPolicy

    outlook = outlook_of(instance, np.array([[0]]))
    alone = LearnedPolicy(shipped_network()).target(instance, outlook).up_to_units[0]
    quantiles = [[3.0, 4, 6, 8, 10, 12, 13, 14, 15]]
    assert order(cover_quantiles=quantiles, cover_mean_units=8.0).target_units[0] == pytest.approx(
        alone, rel=0.08
    )


def test_the_order_restores_the_target():
    found = order()
    assert found.order_units[0] == round(float(found.target_units[0]))
    assert found.texts(0) == ["ordered up to the target level at arrival"]


def test_what_is_under_way_counts_when_it_arrives():
    arriving = np.array([[0.0, 0, 6, 0]])
    # The state corrects the target a little: a unit more or less.
    assert abs(order(arriving_units=arriving).order_units[0] - (order().order_units[0] - 6)) <= 1


def test_demand_on_the_way_eats_stock_but_never_more_than_there_is():
    lead = np.repeat(np.array(QUICK)[:, None, :], STRETCHES, axis=1)
    found = order(lead_quantiles=lead, lead_mean_units=8.2, on_hand_units=[3.0], lead_periods=4.0)
    assert 0 <= found.level_units[0] < 0.5
    assert found.order_units[0] <= found.target_units[0] + 1
    assert found.stock_out_units[0] > 4 * 8.2 - 3 - 1


def test_unknown_stock_orders_nothing_and_asks_for_a_count():
    found = order(on_hand_units=[np.nan])
    assert found.order_units[0] == 0
    assert found.texts(0) == ["stock is unknown: count it"]


def test_after_the_cut_off_nothing_is_ordered_and_it_says_so():
    found = order(open_today=0.0)
    assert (found.order_units[0], found.texts(0)) == (0, ["no order can be placed today"])


def test_the_shelf_must_look_full():
    plain, shown = order(), order(presentation_units=12.0)
    assert shown.order_units[0] > plain.order_units[0]
    assert Reason.PRESENTATION in Reason(int(shown.reasons[0]))


def test_a_dearer_lost_sale_orders_more_and_a_fixed_cost_waits():
    assert order(odds=99.0).order_units[0] > order(odds=3.0).order_units[0]
    found = order(lot_units=60.0, on_hand_units=[12.0])
    assert (found.order_units[0], found.texts(0)) == (0, ["too little is missing to pay for an order"])


def test_short_life_orders_less_and_expects_waste():
    long_lived = order()
    short = order(life_periods=1.0, life_units=8.2, waste_price=8.0)
    assert short.order_units[0] < long_lived.order_units[0]
    assert short.waste_units[0] > 0


def test_old_stock_that_expires_on_the_way_is_not_counted_on():
    hand = np.zeros((1, BUCKETS))
    hand[0, 0] = 10
    found = order(on_hand_units=hand, life_periods=3.0, life_units=30.0)
    assert found.level_units[0] == pytest.approx(0)
    assert found.waste_units[0] >= 10
    hand[0] = 0
    hand[0, KEEPS] = 10
    assert order(on_hand_units=hand, life_periods=3.0, life_units=30.0).level_units[0] == pytest.approx(10)


@settings(max_examples=150, deadline=None)
@given(
    quantiles=st.lists(st.integers(0, 3000), min_size=9, max_size=9).map(sorted),
    hand=st.one_of(st.just(float("nan")), st.integers(-500, 5000)),
    arriving=st.integers(0, 3000),
    pack=st.integers(1, 200),
    least=st.integers(0, 300),
    room=st.one_of(st.none(), st.integers(0, 5000)),
    life=st.one_of(st.none(), st.floats(0, 5000)),
    odds=st.floats(0.01, 1e4),
    lot=st.floats(0, 5000),
    shown=st.integers(0, 100),
    lead=st.floats(0, 28),
)
def test_every_order_keeps_its_bounds(
    quantiles, hand, arriving, pack, least, room, life, odds, lot, shown, lead
):
    limits = np.nan if room is None else room
    found = order(
        cover_quantiles=[quantiles], cover_mean_units=float(np.mean(quantiles)), on_hand_units=[hand],
        lead_quantiles=np.repeat(np.array([[quantiles]], float), STRETCHES, axis=1), lead_mean_units=float(np.mean(quantiles)),
        arriving_units=np.array([[arriving, 0.0, 0, 0]]), pack_units=pack, min_order_units=least, max_stock_units=limits,
        life_units=np.nan if life is None else life, life_periods=0.0 if life is None else 2.0, odds=odds, lot_units=lot,
        presentation_units=shown, lead_periods=lead,
    )  # fmt: skip
    units = int(found.order_units[0])
    assert units >= 0
    assert units % pack == 0
    assert units == 0 or units >= least
    for name in ("target_units", "level_units", "stock_out_units", "waste_units"):
        assert np.isfinite(getattr(found, name)[0]), name
    assert found.stock_out_units[0] >= 0
    assert found.waste_units[0] >= 0
    assert found.texts(0)
    if np.isnan(hand):
        assert units == 0
    elif units and room is not None:
        assert hand + arriving + units <= room + 1e-3 * pack
    if units and life is not None and not np.isnan(hand):
        assert hand + arriving + units <= life + pack / 2 + 1e-2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cover_quantiles": [[1.0, 2.0]]}, "cover_quantiles"),
        ({"cover_quantiles": [[9.0, 8, 7, 6, 5, 4, 3, 2, 1]]}, "fall with the level"),
        ({"on_hand_units": [np.inf]}, "on_hand_units"),
        ({"pack_units": 0}, "pack_units"),
        ({"odds": np.nan}, "odds"),
        ({"arriving_units": -1}, "arriving_units"),
        ({"arriving_bucket": 9}, "arriving_bucket"),
    ],
)
def test_a_wrong_input_is_refused_by_name(change, says):
    with pytest.raises(ValueError, match=says):
        asked(**change)


def test_paths_use_every_slice_of_a_day_once_and_days_are_uncorrelated():
    slices = path_slices()
    assert all(sorted(slices[:, day]) == list(range(PATHS)) for day in range(MAX_DAYS))
    correlation = np.corrcoef(slices.T) - np.eye(MAX_DAYS)
    assert np.abs(correlation).max() < 0.05


def test_slices_keep_the_mean():
    law = np.array([0.2, 0.5, 0.1, 0.1, 0.1])
    assert slice_means(law).mean() == pytest.approx(law @ np.arange(5))
    assert slice_weights().sum() == pytest.approx(PATHS * (1 - 0.025 / 2), rel=0.01)
