"""The golden examples of a bundle under construction: inputs chosen to meet every path, outputs as computed here."""

from datetime import timedelta

import numpy as np

from models.arrays import F32, F64
from models.base_stock import NO_LIMIT_UNITS
from models.features import HISTORY_DAYS
from models.golden import (
    Column,
    Golden,
    GoldenDemand,
    GoldenReplenishment,
    Row,
    golden_demand,
    golden_replenishment,
)
from models.graph import Graph
from models.training.examples import category_levels, price_ratios
from models.training.series import DailySeries

HORIZON_DAYS = 14
MOST_SERIES = 6


def golden_examples(series: DailySeries, demand: Graph, replenishment: Graph, revision: int) -> Golden:
    """Fast to slow sellers, a short and an empty history; orders that meet every bound."""
    of_demand = _demand_inputs(series, revision)
    mean, dispersion = golden_demand(of_demand, demand, revision)
    of_orders = _order_inputs()
    got = golden_replenishment(of_orders, replenishment)
    return Golden(
        demand=of_demand.model_copy(
            update={
                "mean": [_floats(row) for row in mean],
                "dispersion": [_floats(row) for row in dispersion],
            }
        ),
        replenishment=of_orders.model_copy(
            update={
                "quantity_units": got.quantity_units.tolist(),
                "target_units": _floats(got.target_units),
                "expected_stock_out_units": _floats(got.expected_stock_out_units),
                "expected_unmet_units": _floats(got.expected_unmet_units),
                "bound": got.bound.tolist(),
            }
        ),
    )


def _demand_inputs(series: DailySeries, revision: int) -> GoldenDemand:
    order = np.argsort(-np.nansum(series.units, axis=1), kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, num=min(MOST_SERIES, len(order))).astype(int))]
    history = series.units[rows, max(0, series.n_days - HISTORY_DAYS) :].astype(float)
    short, empty = history[:1].copy(), np.full_like(history[:1], np.nan)
    short[0, :-5] = np.nan
    price = price_ratios(series, rows, series.n_days - HORIZON_DAYS, HORIZON_DAYS).round(3)
    level = category_levels(series, rows, series.n_days).round(3)
    return GoldenDemand(
        first_day=(series.last_day + timedelta(days=1)).isoformat(),
        horizon_days=HORIZON_DAYS,
        history=[_nullable(row) for row in np.concatenate([history, short, empty])],
        price_ratio=[_nullable(row) for row in np.concatenate([price, np.full((2, HORIZON_DAYS), np.nan)])],
        category_level=_nullable(np.concatenate([level, [0.5, 1.5]])),
        mean=[],
        dispersion=[],
        known_days=_known_days(len(history) + 2) if revision >= 2 else {},
    )


def _known_days(n_sku: int) -> dict[str, list[Row]]:
    """A calendar that meets every column: holidays in the history and ahead, SKUs on promotion at different times."""
    days = np.arange(HISTORY_DAYS + HORIZON_DAYS)
    shop = {
        "holiday": np.isin(days, (20, HISTORY_DAYS + 3)), "school_holiday": days >= HISTORY_DAYS + 7,
        "event": days == HISTORY_DAYS + 5, "payday": days % 15 == 0,
        "rain_mm": np.round(4 + 4 * np.sin(days), 1), "temperature_c": np.round(15 + 8 * np.sin(days / 9), 1),
    }  # fmt: skip
    promoted = (days[None, :] + 4 * np.arange(n_sku)[:, None]) % 23 < 6
    of_sku = {"promotion": promoted, "discount": np.where(promoted, 0.25, 0.0)}
    told = {name: values[None, :].astype(float) for name, values in shop.items()}
    told |= {name: values.astype(float) for name, values in of_sku.items()}
    told["promotion"][-1] = np.nan  # one SKU of which nothing is known
    told["discount"][-1] = np.nan
    return {name: [_nullable(row) for row in values] for name, values in told.items()}


def _order_inputs() -> GoldenReplenishment:
    """Covered, target, minimum order, shelf life, capacity, unknown stock; in that order, then a service level of .6."""
    quick = [3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 23.0, 26.0, 30.0]
    slow = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0]
    none = NO_LIMIT_UNITS
    return GoldenReplenishment(
        quantiles=[quick, quick, slow, quick, quick, quick, slow],
        service_level=[0.95, 0.95, 0.95, 0.975, 0.9, 0.95, 0.6],
        on_hand_units=[40.0, 4.0, 1.0, 2.0, 6.0, None, -1.0],
        on_order_units=[0.0, 6.0, 0.0, 0.0, 4.0, 0.0, 0.0],
        pack_units=[6.0, 6.0, 1.0, 8.0, 6.0, 6.0, 2.0],
        min_order_units=[0.0, 0.0, 12.0, 0.0, 0.0, 0.0, 0.0],
        shelf_life_units=[none, none, none, 13.0, none, none, none],
        max_stock_units=[none, none, none, none, 17.0, none, none],
        quantity_units=[],
        target_units=[],
        expected_stock_out_units=[],
        expected_unmet_units=[],
        bound=[],
    )


def _floats(values: F32 | F64) -> Column:
    return [float(f"{value:.7g}") for value in values]


def _nullable(values: F64) -> Row:
    return [None if np.isnan(value) else float(value) for value in values]
