"""The benchmark's shop: what it replays must add up, or its figures mean nothing."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks.replenishing.frontier import frontier_of, of_stock, picture, stock_at
from benchmarks.replenishing.methods import (
    days_of_cover,
    min_max,
    newsvendor,
    our_graph,
    our_graph_at,
    reorder_level,
)
from benchmarks.replenishing.shop import Outcome, Prices, Trade, cover_days, packs_of, replayed
from models.policy.order_graph import shipped_orders

STEADY = np.full((3, 90), 2, dtype=np.int64)


def trade(demand=STEADY, order_days=(0, 3), lead=3, life=None, packs=None):
    ones = np.ones(len(demand), dtype=np.int64) if packs is None else packs
    return Trade("made", demand, 28, 14, order_days, lead, life, ones, 2 * ones)


def test_nothing_ordered_serves_nothing_once_the_first_stock_is_gone():
    found = replayed(trade(), lambda evening: np.zeros(3, dtype=np.int64))
    assert (found.fill, found.stock_days, found.waste) == (0, 0, 0)


def test_steady_demand_is_served_from_just_what_it_needs():
    def exact(evening):
        return 2 * (evening.trade.lead_days - 1 + evening.cover_days) - evening.position

    found = replayed(trade(), exact)
    assert found.fill == 1
    assert 0 < found.stock_days < 4


def test_units_that_no_one_buys_in_time_are_waste():
    found = replayed(trade(order_days=tuple(range(7)), lead=1, life=2), lambda evening: np.full(3, 5))
    assert found.fill == 1
    assert found.waste == pytest.approx(1.5, abs=0.05)  # five come a day, two sell


@pytest.mark.parametrize(
    "method",
    [our_graph(shipped_orders(), 19.0), our_graph_at(shipped_orders(), Prices()), newsvendor(0.95), min_max(2.0),
     reorder_level(2.0), days_of_cover(6.0)],
)  # fmt: skip
def test_every_method_serves_random_demand_in_whole_packs(method):
    packs = np.array([1, 4, 6])
    random = np.random.default_rng(1)
    seen = []

    def watched(evening):
        order = method(evening)
        assert (order >= 0).all()
        assert (order % packs == 0).all()
        assert ((order == 0) | (order >= 2 * packs)).all()
        seen.append(order.sum())
        return order

    found = replayed(trade(random.poisson(3, (3, 90)), packs=packs), watched)
    assert found.fill > 0.85
    assert sum(seen) > 0


def test_costs_count_what_is_lost_held_wasted_and_handled():
    found = Outcome(fill=0.9, stock_days=5.0, waste=0.02, lines=0.2)
    prices = Prices(lost=1.0, held=0.01, wasted=2.0, line=0.3)
    assert found.cost(prices) == pytest.approx(10 + 4.5 + 4 + 6)
    once_a_week = replayed(trade(order_days=(0,)), lambda evening: np.full(3, 14))
    assert once_a_week.lines == pytest.approx(1 / 14, abs=0.01)


def test_the_next_chance_to_order_is_counted_in_days():
    assert [cover_days(trade(), day) for day in (0, 3, 7, 10)] == [3, 4, 3, 4]


def test_packs_hold_about_three_days():
    assert packs_of(np.array([[0.3] * 10, [2.0] * 10, [9.0] * 10])).tolist() == [1, 6, 24]


def test_savings_are_read_between_two_runs_and_never_beyond():
    runs = [Outcome(0.9, 3.0, 0.1), Outcome(0.98, 5.0, 0.3)]
    assert stock_at(runs, 0.94) == pytest.approx(4.0)
    assert np.isnan(stock_at(runs, 0.99))
    assert of_stock(runs, 4.0, "lost") == pytest.approx(0.06)
    # More stock than any run had: no worse than the last.
    assert of_stock(runs, 9.0, "lost") == pytest.approx(0.02)
    assert np.isnan(of_stock(runs, 1.0, "lost"))


def test_the_picture_names_every_method(tmp_path):
    found = frontier_of(trade(np.random.default_rng(2).poisson(3, (3, 60))), shipped_orders(), quick=True)
    picture({"made": found}, tmp_path / "f.svg")
    said = " ".join(node.text or "" for node in ET.parse(tmp_path / "f.svg").iter())
    assert all(method in said for method in found)
    assert "waste" not in said


def test_the_picture_of_goods_that_expire_has_a_panel_of_waste(tmp_path):
    expires = trade(np.random.default_rng(2).poisson(3, (3, 60)), order_days=tuple(range(7)), lead=2, life=2)
    found = frontier_of(expires, shipped_orders(), quick=True)
    picture({"made": found}, tmp_path / "f.svg")
    nodes = list(ET.parse(tmp_path / "f.svg").iter())
    assert "made: waste" in [node.text for node in nodes]
    lines = [node for node in nodes if node.tag.endswith("polyline")]
    assert len(lines) == 2 * len(found)
    heights = [float(point.split(",")[1]) for line in lines for point in line.get("points", "").split()]
    assert heights
    assert all(0 < height < 330 for height in heights)
