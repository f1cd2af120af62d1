"""What the order graph is asked: stretches cut where orders arrive, stock by age, and questions that survive being stored."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from contract import order_question
from contract.order_question import OrderQuestion
from models.asked_orders import asked_of, question_of
from models.forecast import Forecast
from models.order_plan import HOLDING_A_DAY, MOST_LIFE_PERIODS, MOST_LOT_PERIODS, SkuSupply, questions_from
from models.policy.order_graph import shipped_orders
from models.policy.question import BUCKETS, INPUT_SHAPES, STRETCHES
from models.quantiles import negbin_quantiles
from models.recalibration import Recalibration


def forecast(means, days=14, dispersion=0.2):
    mean = np.repeat(np.asarray(means, dtype=np.float32)[:, None], days, axis=1)
    return Forecast(date(2024, 1, 1), mean, np.full_like(mean, dispersion), 0.1, "m@1")


def supply(**changes):
    given = {
        "lead_days": 4.0,
        "cover_days": 2.0,
        "service_level": 0.95,
        "on_hand": ((None, 14.0),),
        "pack_units": 6,
    }
    return SkuSupply(**{**given, **changes})


def asked(one, share=1.0, mean=5.0, levels=None):
    question = questions_from(forecast([mean]), levels, [one], first_day_share=share)
    return question, asked_of(question, 0)


def test_the_wire_and_the_graph_have_the_same_shape():
    assert (order_question.STRETCHES, order_question.BUCKETS) == (STRETCHES, BUCKETS)
    assert INPUT_SHAPES["cover_quantiles"] == (order_question.LEVELS,)
    assert set(OrderQuestion.model_fields) == set(asked(supply())[0].__slots__)


def test_without_earlier_orders_the_lead_time_is_one_stretch():
    _, found = asked(supply())
    assert found.lead_mean_units == pytest.approx([0, 0, 0, 20])
    assert found.cover_mean_units == pytest.approx(10)
    assert found.lead_periods == 2.0
    assert found.odds == 19.0
    assert found.on_hand_units == [0, 0, 0, 0, 0, 14]


def test_stretches_end_where_earlier_orders_arrive_and_what_is_late_comes_now():
    _, found = asked(supply(arrivals=((1.0, 6.0), (3.0, 12.0), (3.0, 1.0), (-2.0, 4.0))))
    assert found.lead_mean_units == pytest.approx([0, 5, 10, 5])
    assert found.arriving_units == [4, 6, 13, 0]


def test_more_orders_than_stretches_and_orders_after_this_one_count_at_its_arrival():
    many = (*((0.5 * n, 1.0) for n in range(1, 7)), (9.0, 10.0))
    _, found = asked(supply(arrivals=many))
    assert sum(found.arriving_units) == 16
    assert found.arriving_units[:3] == [1, 1, 1]


def test_what_is_left_of_today_counts_as_its_share():
    _, found = asked(supply(lead_days=1.0, cover_days=1.0), share=0.25)
    assert found.lead_mean_units[3] == pytest.approx(5)  # a quarter of today, three of tomorrow
    busy = forecast([5.0])
    busy.mean[0, 0] = 50.0
    question = questions_from(busy, None, [supply(lead_days=1.0)], first_day_share=0.25)
    assert question.lead_mean_units[0, 3] == pytest.approx(12.5 + 3.75)


def test_stock_is_sorted_by_when_it_expires():
    hand = ((0.5, 1.0), (4.0, 2.0), (5.0, 4.0), (30.0, 8.0), (None, 16.0))
    _, found = asked(supply(on_hand=hand, arrivals=((1.0, 6.0),), life_days=2.0))
    assert found.on_hand_units == [0, 0, 1, 2, 4, 24]
    assert found.arriving_bucket == [
        3,
        3,
        3,
        4,
    ]  # within the last stretch before the arrival, or in the time covered
    assert found.life_periods == 1.0
    assert found.life_units == pytest.approx(30)


def test_goods_of_a_long_life_keep_but_for_how_much_sells_in_it():
    _, found = asked(supply(life_days=2.0 * MOST_LIFE_PERIODS + 1))
    assert (found.life_periods, found.waste_price) == (0.0, 0.0)
    assert found.life_units == pytest.approx(5 * 19)
    assert asked(supply())[1].life_units is None


def test_unknown_stock_is_asked_as_unknown_and_orders_nothing():
    question, found = asked(supply(on_hand=None))
    assert found.on_hand_units == [None] * BUCKETS
    order = shipped_orders().orders(question)
    assert order.order_units[0] == 0
    assert order.texts(0) == ["stock is unknown: count it"]


def test_the_levels_that_really_cover_are_the_ones_that_are_ordered_to():
    random, state = np.random.default_rng(1), Recalibration.start()
    for _ in range(20):
        sold = random.choice([0.0, 12.0], 300)
        state = state.observed(np.full(300, 5.0), np.full(300, 0.2), sold)
    plain, told = asked(supply())[1], asked(supply(), levels=state)[1]
    assert told.cover_quantiles[1] < plain.cover_quantiles[1]
    assert told.lead_quantiles[3][1] < plain.lead_quantiles[3][1]
    assert told.cover_mean_units == plain.cover_mean_units
    mean, dispersion = forecast([5.0]).span_moments(np.array([4.0]), np.array([6.0]), first_day_share=1.0)
    assert (
        plain.cover_quantiles
        == negbin_quantiles(mean, dispersion, (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99))[
            0
        ].tolist()
    )


def random_supplies(n):
    random = np.random.default_rng(4)

    def one():
        life = random.choice([None, 1.0, 3.0, 10.0, 180.0])
        lead = float(random.integers(0, 22)) + random.choice([0.0, 0.37])
        hand = None if random.random() < 0.1 else tuple(
            (None if life is None or random.random() < 0.3 else float(random.integers(0, 9)), float(random.integers(0, 30)))
            for _ in range(random.integers(0, 4))
        )  # fmt: skip
        return SkuSupply(
            lead_days=lead, cover_days=float(random.integers(1, 7)), service_level=float(random.uniform(0.5, 0.99)),
            on_hand=hand if hand is None or random.random() < 0.9 else ((None, -3.0),),
            arrivals=tuple((float(random.integers(-2, 25)), float(random.integers(1, 50))) for _ in range(random.integers(0, 6))),
            pack_units=int(random.integers(1, 30)), min_order_units=int(random.choice([0, 0, 40])),
            max_stock_units=None if random.random() < 0.5 else int(random.integers(1, 200)),
            presentation_units=int(random.choice([0, 0, 12])), life_days=life, open_today=bool(random.random() < 0.9),
        )  # fmt: skip

    return [one() for _ in range(n)]


def test_whatever_the_shop_says_orders_are_whole_packs_never_negative_and_stored_questions_give_the_same_bits():
    n, graph = 400, shipped_orders()
    means = np.random.default_rng(5).gamma(0.5, 6.0, n)
    supplies = random_supplies(n)
    question = questions_from(forecast(means), None, supplies, first_day_share=0.4)
    order = graph.orders(question)
    packs = np.array([each.pack_units for each in supplies])
    assert (order.order_units >= 0).all()
    assert (order.order_units % packs == 0).all()
    for values in (order.target_units, order.level_units, order.stock_out_units, order.waste_units):
        assert np.isfinite(values).all()
    stored = [OrderQuestion.from_json(asked_of(question, place).to_json()) for place in range(n)]
    again = graph.orders(question_of(stored))
    for name in ("order_units", "target_units", "level_units", "stock_out_units", "waste_units", "reasons"):
        assert np.array_equal(getattr(again, name), getattr(order, name)), name
    closed = [place for place, each in enumerate(supplies) if not each.open_today]
    assert closed
    assert not order.order_units[closed].any()


def test_an_order_that_costs_something_is_placed_less_often_and_larger():
    cheap, dear = (
        supply(on_hand=((None, 26.0),), pack_units=1),
        supply(on_hand=((None, 26.0),), pack_units=1, order_cost_units=0.2),
    )
    questions = [asked(one)[0] for one in (cheap, dear)]
    assert questions[0].lot_units[0] == 0.0
    assert questions[1].lot_units[0] == pytest.approx((2 * 0.2 * 10 / (2 * HOLDING_A_DAY)) ** 0.5, rel=1e-3)
    graph = shipped_orders()
    orders = [graph.orders(each).order_units[0] for each in questions]
    assert 0 < orders[0] < orders[1] or orders[1] == 0
    empty = [
        graph.orders(asked(replace(one, on_hand=((None, 0.0),)))[0]).order_units[0] for one in (cheap, dear)
    ]
    assert empty[1] > 1.5 * empty[0]
    most = asked(replace(dear, order_cost_units=1e6))[0].lot_units[0]
    assert most == pytest.approx((MOST_LOT_PERIODS * (MOST_LOT_PERIODS + 1)) ** 0.5 * 10, rel=1e-3)


def test_an_order_cost_that_pays_for_one_time_covered_does_not_delay_what_expires():
    one, two = 0.005, 0.02  # a lot of 1.2 and 2.4 times the mean
    keeps, fresh = supply(life_days=None), supply(life_days=4.0)
    for cost in (one, two):
        lot = asked(replace(keeps, order_cost_units=cost))[0].lot_units[0]
        assert lot == pytest.approx((2 * cost * 10 / (2 * HOLDING_A_DAY)) ** 0.5, rel=1e-3)
    assert asked(replace(fresh, order_cost_units=one))[0].lot_units[0] == 0
    assert asked(replace(fresh, order_cost_units=two))[0].lot_units[0] > 0
