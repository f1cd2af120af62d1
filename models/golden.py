"""Golden examples: inputs with the outputs that the trainer saw, so that a gateway knows that it computes the same."""

from dataclasses import fields
from datetime import date
from typing import Annotated

import numpy as np
from pydantic import Field

from contract.ids import DayText
from contract.message import Message
from contract.order_question import OrderQuestion
from models.arrays import F32
from models.asked_orders import question_of
from models.base_stock import Proposals, order_inputs
from models.execution import GRAPH_TOLERANCE, run_demand, run_replenishment
from models.features import FEATURES_BY_REVISION, FEATURES_REVISION, demand_features, inputs_from
from models.graph import Graph
from models.policy.daily import Order
from models.policy.order_graph import OrderGraph

Row = list[float | None]
Rows = Annotated[list[Row], Field(min_length=1, max_length=100)]
Column = list[float]


class GoldenDemand(Message):
    """history, price_ratio and known_days (by column): null is unknown. mean, dispersion: one row a SKU, one column a day."""

    first_day: DayText
    horizon_days: Annotated[int, Field(ge=1, le=28)]
    history: Rows
    price_ratio: Rows
    category_level: Row
    mean: list[Column]
    dispersion: list[Column]
    known_days: dict[str, Rows] = {}


class GoldenReplenishment(Message):
    quantiles: list[Column]
    service_level: Column
    on_hand_units: Row
    on_order_units: Column
    pack_units: Column
    min_order_units: Column
    shelf_life_units: Column
    max_stock_units: Column
    quantity_units: list[int]
    target_units: Column
    expected_stock_out_units: Column
    expected_unmet_units: Column
    bound: list[int]


class GoldenOrders(Message):
    """questions: what the order graph was asked, by field of models.policy.question.Question; the rest is its answer."""

    questions: Annotated[list[OrderQuestion], Field(min_length=1, max_length=100)]
    order_units: list[int]
    target_units: Column
    level_units: Column
    stock_out_units: Column
    waste_units: Column
    reasons: list[int]


class Golden(Message):
    """orders: None in a bundle that has no order graph."""

    demand: GoldenDemand
    replenishment: GoldenReplenishment
    orders: GoldenOrders | None = None


def golden_mismatch(
    golden: Golden,
    demand: Graph,
    replenishment: Graph,
    orders: OrderGraph | None = None,
    revision: int = FEATURES_REVISION,
) -> str:
    """Nothing ("") when all graphs give the golden outputs within GRAPH_TOLERANCE, else which output differs and by how much."""
    wanted = golden.demand
    mean, dispersion = golden_demand(wanted, demand, revision)
    got = golden_replenishment(golden.replenishment, replenishment)
    pairs = {
        "mean": (mean, np.asarray(wanted.mean)),
        "dispersion": (dispersion, np.asarray(wanted.dispersion)),
    }
    for name in (
        "quantity_units",
        "target_units",
        "expected_stock_out_units",
        "expected_unmet_units",
        "bound",
    ):
        pairs[name] = (getattr(got, name), np.asarray(getattr(golden.replenishment, name)))
    if orders is not None:
        if golden.orders is None:
            return "nothing is said of the order graph"
        ordered = orders.orders(question_of(golden.orders.questions))
        for field in fields(Order):
            pairs[field.name] = (
                getattr(ordered, field.name),
                np.asarray(getattr(golden.orders, field.name)),
            )
    for name, (found, expected) in pairs.items():
        if found.shape != expected.shape:
            return f"{name} has shape {found.shape}, expected {expected.shape}"
        if not np.allclose(found, expected, rtol=GRAPH_TOLERANCE, atol=GRAPH_TOLERANCE):
            return f"{name} differs by up to {float(np.max(np.abs(found - expected))):.3g}"
    return ""


def golden_demand(golden: GoldenDemand, graph: Graph, revision: int = FEATURES_REVISION) -> tuple[F32, F32]:
    inputs = inputs_from(
        np.asarray(golden.history, dtype=float),
        date.fromisoformat(golden.first_day),
        price_ratio=np.asarray(golden.price_ratio, dtype=float),
        category_level=np.asarray(golden.category_level, dtype=float),
        known_days={name: np.asarray(rows, dtype=float) for name, rows in golden.known_days.items()},
        horizon_days=golden.horizon_days,
    )
    rows = demand_features(inputs, revision=revision).reshape(-1, len(FEATURES_BY_REVISION[revision]))
    mean, dispersion = run_demand(graph, rows)
    return mean.reshape(-1, golden.horizon_days), dispersion.reshape(-1, golden.horizon_days)


def golden_replenishment(golden: GoldenReplenishment, graph: Graph) -> Proposals:
    inputs = order_inputs(
        np.asarray(golden.quantiles, dtype=float),
        service_level=golden.service_level,
        on_hand_units=np.asarray(golden.on_hand_units, dtype=float),
        on_order_units=golden.on_order_units,
        pack_units=golden.pack_units,
        min_order_units=golden.min_order_units,
        shelf_life_units=golden.shelf_life_units,
        max_stock_units=golden.max_stock_units,
    )
    return run_replenishment(graph, inputs)
