"""Proposals come from the bundle's order graph, say why, and can be computed again at the centre; without one the rule shows."""

import base64
import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import onnx
import pytest
from edge_shop import gtin
from edge_world import World
from pydantic import TypeAdapter

from central.core.restock import Policy, Wanted
from central.order_graphs import order_graph_of
from central.recomputing import evidence_of
from contract.documents import AnyDocument
from contract.records import QUANTILE_LEVELS, ProposalRecord
from edge.core.messages import DocumentArrived
from edge.core.ordering import ask_below_units
from edge.inference import Forecasting
from edge.proposing import NO_GRAPH
from edge.staging.live_check import live_problem
from models.bundle import DEMO_BUNDLE


@pytest.fixture(scope="module")
def world():
    """A shop whose shelves hold twenty of everything on the first morning; it sells for two days."""
    random = np.random.default_rng(3)
    world = World(random.poisson(8.0, (12, 56)))
    world.batch(world.weigh(**dict.fromkeys((f"c{n}" for n in range(1, 13)), 20)))
    lines = [{"gtin": gtin(n), "counted_units": 22} for n in range(1, 13)]
    world.batch(world.event("dock", "stocktake", place="store", opening=True, lines=lines))
    for left in (13, 5):
        world.sell(random.poisson(8.0, 12))
        world.batch(world.weigh(**dict.fromkeys((f"c{n}" for n in range(1, 13)), left)))
        world.night()
    return world


def evidence_row(proposal: ProposalRecord):
    """As the centre stores a decision."""
    wanted = Wanted(
        sku=proposal.sku, proposed_units=proposal.quantity_units, target_units=proposal.target_units,
        on_hand_units=proposal.on_hand_units, on_order_units=proposal.on_order_units,
        proposed_on_order_units=proposal.on_order_units, pack_units=proposal.pack_units,
        min_order_units=proposal.min_order_units, max_stock_units=proposal.max_stock_units,
        expected_stock_out_units=proposal.expected_stock_out_units, unit_value_cents=100, review_days=1, last_raised_ms=None,
        watermark_ms=proposal.watermark_ms, doubt=proposal.doubt,
    )  # fmt: skip
    inputs = {
        "wanted": asdict(wanted), "policy": asdict(Policy(100_000, 10**9)), "open_trigger": None,
        "now_ms": proposal.at_ms, "cumulative_quantiles": proposal.cumulative_quantiles,
        "quantile_levels": list(QUANTILE_LEVELS), "service_level": proposal.service_level,
        "question": proposal.question.model_dump(mode="json"), "order_graph": proposal.order_graph,
    }  # fmt: skip
    return {
        "inputs": inputs, "quantity_units": proposal.quantity_units, "watermark_ms": proposal.watermark_ms,
        "rule": "r", "bundle": proposal.bundle,
    }  # fmt: skip


def test_a_calendar_earlier_orders_and_the_age_of_stock_reach_the_graph():
    world = World(np.full((12, 56), 8))
    slots = {
        "sup": [
            {"until_ms": world.now + n * 24 * 3_600_000, "arrives_day": f"2017-09-{6 + n:02d}"}
            for n in (0, 3)
        ]
    }
    line = {"sku": "sku-1", "supplier": "sup", "lead_time_days": 2, "review_days": 1, "pack_units": 6, "shelf_life_days": 4,
            "on_order_units": 6, "on_order": [{"day": "2017-09-05", "units": 6}], "presentation_units": 5}  # fmt: skip
    document = {"kind": "supply", "version": 2, "lines": [line], "slots": slots}
    slots["sup"].insert(0, {"until_ms": world.now - 1, "arrives_day": "2017-09-05"})
    slots["sup"][1]["until_ms"] += 12 * 3_600_000
    world.batch(DocumentArrived(TypeAdapter(AnyDocument).validate_python(document)))
    world.batch(world.weigh(c1=7))
    goods = [{"gtin": gtin(1), "counted_units": 7}]
    world.batch(world.event("dock", "stocktake", place="store", opening=True, lines=goods))
    lorry = [{"gtin": gtin(1), "quantity_units": 4, "expected_units": 4}]
    world.batch(world.event("dock", "delivery", at_ms=world.now, despatch="D-1", lines=lorry))
    world.restart()
    world.now += 3_600_000
    world.sell([1], hour=10)
    asked = [each.question for each in world.of_kind("proposal") if each.sku == "sku-1"][-1]
    share = 12 / 16
    assert asked.arriving_units == [0, 0, 6, 0]  # tomorrow, before this order's lorry
    assert asked.lead_periods == pytest.approx((1 + share) / 3, abs=1e-3)
    assert asked.presentation_units == 5
    assert asked.life_periods == pytest.approx(4 / 3, abs=1e-3)
    assert asked.on_hand_units[5] == 0.0
    assert asked.on_hand_units[4] > 0  # it came today and serves to Thursday: within the time covered


def test_a_proposal_is_the_order_graphs_with_its_question_reasons_and_figures(world):
    proposals = world.of_kind("proposal")
    assert len({each.sku for each in proposals}) == 12
    for each in proposals:
        assert each.quantity_units % 6 == 0
        assert each.order_graph == world.models.order_graph != ""
        assert each.question is not None
        assert each.question.pack_units == 6.0
        assert sum(each.question.on_hand_units) == each.on_hand_units
        assert "ordered up to the target level at arrival" in each.reasons
        assert each.expected_unmet_units < each.expected_stock_out_units
        assert each.expected_waste_units == 0.0
        assert each.target_units > each.on_hand_units
        assert each.quantity_units == pytest.approx(each.target_units - each.on_hand_units, abs=6)


def test_the_centre_computes_the_same_order_again(world):
    for each in world.of_kind("proposal"):
        evidence = evidence_of("t-1", evidence_row(ProposalRecord.from_json(each.to_json())))
        assert evidence.agrees, evidence.note
        assert "order graph" not in evidence.note
        assert "target computed" not in evidence.note


def test_a_gateway_that_says_another_quantity_or_target_than_the_graph_is_found_out(world):
    row = evidence_row(world.of_kind("proposal")[0])
    row["inputs"]["question"]["on_hand_units"][-1] += 30
    assert "the order graph computed again says" in evidence_of("t", row).note
    row = evidence_row(world.of_kind("proposal")[0])
    row["inputs"]["wanted"]["target_units"] += 2
    assert "the target computed from the quantiles" in evidence_of("t", row).note
    assert not evidence_of("t", row).agrees
    row["inputs"]["order_graph"] = "0" * 64
    assert "is not kept here" in evidence_of("t", row).note
    assert not evidence_of("t", row).agrees


def test_the_graph_of_a_bundle_that_the_centre_keeps_is_found_by_its_hash():
    content = (DEMO_BUNDLE / "order.onnx").read_bytes()
    model = onnx.load_model_from_string(content)
    model.producer_version = "another"
    other = model.SerializeToString()
    files = json.dumps({"order.onnx": base64.b64encode(other).decode(), "demand.onnx": ""})
    sha256 = hashlib.sha256(other).hexdigest()
    assert order_graph_of(sha256) is None
    assert order_graph_of(sha256, ["{}", files]) is not None
    assert order_graph_of(hashlib.sha256(content).hexdigest()) is not None


def test_a_bundle_without_an_order_graph_orders_by_its_rule_and_says_so(world):
    job = next(job for job in reversed(world.jobs) if any(line.supply for line in job.lines))
    with_graph = Forecasting(world.models).answer(job)
    without = Forecasting(replace(world.models, orders=None, order_graph="")).answer(job)
    assert any(answer.quantity_units for answer in without.answers)
    assert all(NO_GRAPH in answer.reasons and answer.question is None for answer in without.answers)
    assert (with_graph.order_graph, without.order_graph) == (world.models.order_graph, "")
    for one, other in zip(with_graph.answers, without.answers, strict=True):
        assert one.mean == other.mean
        # What goes unserved until the order arrives is lost: the rule orders for it all the same.
        assert one.quantity_units <= other.quantity_units + 6


def test_an_order_is_asked_for_at_once_when_it_pays_and_not_before(world):
    """With less than half a pack missing nothing is ordered: no sale in between asks the models anew."""
    job = next(job for job in reversed(world.jobs) if any(line.supply for line in job.lines))
    line = next(line for line in job.lines if line.supply)

    def holding(units):
        return replace(line, on_hand_units=units, reach=replace(line.reach, on_hand=((None, float(units)),)))

    for on_hand in range(12, 60):
        one = holding(on_hand)
        answer = Forecasting(world.models).answer(replace(job, lines=(one,))).answers[0]
        below = ask_below_units(one, answer)
        if answer.quantity_units == 0:
            assert below <= on_hand - 0.01 or below == on_hand
            less = holding(int(below) - 1)
            assert Forecasting(world.models).answer(replace(job, lines=(less,))).answers[0].quantity_units > 0
            return
    raise AssertionError("never covered")


@pytest.mark.parametrize("field", ["expected_unmet_units", "expected_waste_units"])
def test_a_graph_that_gives_no_number_is_found_out_before_anybody_sees_it(world, field):
    job = world.jobs[-1]
    done = Forecasting(world.models).answer(job)
    assert live_problem(done) == ""
    bad = replace(done, answers=(replace(done.answers[0], **{field: float("nan")}),))
    assert "what goes unserved or expires" in live_problem(bad)


def test_an_order_that_does_not_pay_yet_is_not_asked_about_at_every_sale(world):
    job = next(job for job in reversed(world.jobs) if any(line.supply for line in job.lines))
    line = next(line for line in job.lines if line.supply)
    dear = replace(line.supply, order_cost_cents=50, cost_cents=100)
    for on_hand in range(10, 80):
        one = replace(
            line,
            supply=dear,
            on_hand_units=on_hand,
            reach=replace(line.reach, on_hand=((None, float(on_hand)),)),
        )
        answer = Forecasting(world.models).answer(replace(job, lines=(one,))).answers[0]
        if answer.quantity_units == 0 and "too little is missing to pay for an order" in answer.reasons:
            assert on_hand - 3.01 <= ask_below_units(one, answer) < on_hand - 0.5
            return
    raise AssertionError("no order was kept back by its cost")
