"""Order quantities of a job's SKUs: by the bundle's order graph, or by its base-stock graph where it has none, visibly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contract.order_question import OrderQuestion
from edge.core.replenish import ForecastLine
from models.arrays import F64
from models.asked_orders import asked_of
from models.base_stock import expected_excess
from models.forecast import Forecast
from models.inference import Models
from models.order_plan import SkuSupply, questions_from
from models.policy.daily import ROUND_UP_FROM
from models.policy.order_graph import OrderGraph
from models.recalibration import Recalibration

NO_GRAPH = "the models have no order graph: ordered up to a quantile"
DEFAULT_SERVICE_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Proposed:
    """One SKU's order. target_units: the stock position (on hand and on order) that it makes up for what is missing to.

    expected_stock_out_units: if nothing is ordered. expected_unmet_units, expected_waste_units: the order included, None: the
    models do not say. least_missing_units: how much must be missing for an order. question: None without an order graph.
    """

    quantity_units: int
    target_units: float
    expected_stock_out_units: float
    reasons: tuple[str, ...]
    expected_unmet_units: float | None = None
    expected_waste_units: float | None = None
    least_missing_units: float = 0.0
    question: OrderQuestion | None = None


def proposed(
    models: Models,
    forecast: Forecast,
    levels: Recalibration | None,
    lines: Sequence[ForecastLine],
    window: F64,
    *,
    first_day_share: float | F64,
) -> list[Proposed]:
    """One a line. window: (n, 9) quantiles of demand over each line's window. Raises ValueError for inputs that cannot be."""
    if models.orders is None:
        return _by_base_stock(models, forecast, lines, window)
    return _by_graph(models.orders, forecast, levels, lines, window, first_day_share)


def _by_graph(
    graph: OrderGraph,
    forecast: Forecast,
    levels: Recalibration | None,
    lines: Sequence[ForecastLine],
    window: F64,
    first_day_share: float | F64,
) -> list[Proposed]:
    supplies = [_supply(line) for line in lines]
    question = questions_from(forecast, levels, supplies, first_day_share=first_day_share)
    order = graph.orders(question)
    position = np.array([supply.position_units for supply in supplies])
    bare = expected_excess(window.astype(np.float32), position.astype(np.float32))
    missing = order.target_units - order.level_units
    found = []
    for place, supply in enumerate(supplies):
        quantity = int(order.order_units[place])
        least = max(supply.pack_units, -(-supply.min_order_units // supply.pack_units) * supply.pack_units)
        found.append(
            Proposed(
                quantity_units=quantity,
                target_units=max(0.0, float(position[place] + missing[place])),
                expected_stock_out_units=float(bare[place]),
                reasons=tuple(order.texts(place)),
                expected_unmet_units=float(order.stock_out_units[place]),
                expected_waste_units=float(order.waste_units[place]),
                least_missing_units=_least_missing(quantity, float(missing[place]), ROUND_UP_FROM * least),
                # Only an order is stored with its question.
                question=asked_of(question, place) if quantity > 0 else None,
            )
        )
    return found


def _least_missing(quantity: int, missing_units: float, step_units: float) -> float:
    """How much must be missing for an order. Where a fixed cost, room or life kept one back, a step more is worth asking about."""
    if quantity == 0 and missing_units >= step_units:
        return missing_units + step_units
    return step_units


def _supply(line: ForecastLine) -> SkuSupply:
    supply, reach = line.supply, line.reach
    if supply is None or reach is None:  # forecast only: any supply does, nobody is told
        return SkuSupply(1.0, 1.0, DEFAULT_SERVICE_LEVEL, None)
    return SkuSupply(
        lead_days=reach.lead_days,
        cover_days=reach.cover_days,
        service_level=supply.service_level,
        on_hand=reach.on_hand,
        arrivals=reach.arrivals,
        pack_units=supply.pack_units,
        min_order_units=supply.min_order_units,
        max_stock_units=supply.max_stock_units,
        presentation_units=supply.presentation_units,
        order_cost_units=supply.order_cost_cents / supply.cost_cents if supply.cost_cents else 0.0,
        life_days=None if supply.shelf_life_days is None else float(supply.shelf_life_days),
    )


def _by_base_stock(
    models: Models, forecast: Forecast, lines: Sequence[ForecastLine], window: F64
) -> list[Proposed]:
    supplies = [line.supply for line in lines]
    life_days = [float(supply.shelf_life_days or 0) if supply else 0.0 for supply in supplies]
    expected = forecast.expected_units(life_days).tolist()
    found = models.replenishment.propose(
        window,
        service_level=[supply.service_level if supply else DEFAULT_SERVICE_LEVEL for supply in supplies],
        on_hand_units=[_or_nan(line.on_hand_units) for line in lines],
        on_order_units=[supply.on_order_units if supply else 0 for supply in supplies],
        pack_units=[supply.pack_units if supply else 1 for supply in supplies],
        min_order_units=[supply.min_order_units if supply else 0 for supply in supplies],
        shelf_life_units=[
            units if days else float("nan") for units, days in zip(expected, life_days, strict=True)
        ],
        max_stock_units=[_or_nan(supply.max_stock_units if supply else None) for supply in supplies],
    )
    return [
        Proposed(
            quantity_units=int(found.quantity_units[place]),
            target_units=float(found.target_units[place]),
            expected_stock_out_units=float(found.expected_stock_out_units[place]),
            reasons=(*found.reasons(place), NO_GRAPH),
        )
        for place in range(len(lines))
    ]


def _or_nan(units: int | None) -> float:
    return float("nan") if units is None else float(units)
