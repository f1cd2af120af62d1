"""The methods that a shop could order by, each with one knob: ours, newsvendor, min/max, reorder level, days of cover."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.replenishing.shop import CORRELATION, Evening, Method, Prices, Trade
from contract.records import QUANTILE_LEVELS
from models.arrays import F64
from models.base_stock import BaseStockRule
from models.forecast import Forecast
from models.order_plan import HOLDING_A_DAY, SkuSupply, questions_from
from models.policy.order_graph import OrderGraph
from models.quantiles import negbin_quantiles, window_moments

MOST_DAYS = 28
MOST_WASTE_PRICE = 25.0
"""Of the lessons (models.training.policy_lessons.random_instance)."""


def our_graph(graph: OrderGraph, odds: float) -> Method:
    """What a gateway orders at the service level odds / (1 + odds)."""
    return _graph_orders(graph, lambda _: {"service_level": odds / (1 + odds)})


def our_graph_at(graph: OrderGraph, prices: Prices, share: float = 1.0) -> Method:
    """The order graph that is told the prices. Where waste is dearer beside holding than in any lesson, holding is told dearer, so
    that all prices keep their ratios but that one. share: of a lost unit's price."""

    def told(evening: Evening) -> dict[str, float]:
        held = prices.held * evening.cover_days
        if evening.trade.life_days is not None:
            held = max(held, prices.wasted / MOST_WASTE_PRICE)
        odds = share * prices.lost / held
        return {
            "service_level": odds / (1 + odds),
            "waste_price": prices.wasted / held,
            # In units' worth, of which holding one for the days covered costs so much.
            "order_cost_units": prices.line * HOLDING_A_DAY * evening.cover_days / held,
        }

    return _graph_orders(graph, told)


def _graph_orders(graph: OrderGraph, told: Callable[[Evening], dict[str, float]]) -> Method:
    """The question is put as a gateway puts it (models.order_plan). told: service level and prices, from what is seen that evening."""

    def order(evening: Evening) -> np.ndarray:
        mean, dispersion = _daily(evening.trade, evening.day)
        forecast = Forecast(
            date.min, mean.astype(np.float32), dispersion.astype(np.float32), CORRELATION, "of the replay"
        )
        said = told(evening)
        supplies = [_supply(evening, row, said) for row in range(len(mean))]
        question = questions_from(forecast, None, supplies, first_day_share=1.0)
        return graph.orders(question).order_units

    return order


def _supply(evening: Evening, row: int, told: dict[str, Any]) -> SkuSupply:
    """Now is the opening of the next day: an order of lead_days comes after the demand of lead_days - 1."""
    trade = evening.trade
    hand = evening.hand[row].tolist()
    aged = trade.life_days is not None
    return SkuSupply(
        lead_days=trade.lead_days - 1,
        cover_days=evening.cover_days,
        on_hand=tuple((age + 1 if aged else None, units) for age, units in enumerate(hand)),
        arrivals=tuple((days, units) for days, units in enumerate(evening.arriving[row].tolist()) if units),
        pack_units=int(trade.packs[row]),
        min_order_units=int(trade.min_orders[row]),
        life_days=trade.life_days,
        **{"service_level": 0.95, **told},
    )


def newsvendor(level: float) -> Method:
    """The same forecasts' quantile of lead time and days covered, less the position, in packs (models.base_stock)."""
    rule = BaseStockRule()

    def order(evening: Evening) -> np.ndarray:
        mean, dispersion = _daily(evening.trade, evening.day)
        _, quantiles = _window(mean, dispersion, 0, evening.trade.lead_days - 1 + evening.cover_days)
        found = rule.propose(
            quantiles, service_level=level, on_hand_units=evening.position, pack_units=evening.trade.packs,
            min_order_units=evening.trade.min_orders,
        )  # fmt: skip
        return found.quantity_units

    return order


def min_max(safety_days: float) -> Method:
    """As Odoo's reordering rules do it: when on hand and on order fall to min or below, up to max, rounded up to whole packs.

    min = mean daily sales x (days until the next chance's order arrives + safety_days), max = min + mean x days covered; the mean
    is of the last eight weeks, set anew every fourth week.
    """

    def order(evening: Evening) -> np.ndarray:
        low, high = _levels(evening, safety_days)
        return np.where(evening.position <= low, evening.trade.placed(high - evening.position), 0)

    return order


def reorder_level(safety_days: float) -> Method:
    """As ERPNext's automatic reorder does it: at the reorder level or below, the reorder quantity (max - min above), or what is
    missing to the level where that is more."""

    def order(evening: Evening) -> np.ndarray:
        low, high = _levels(evening, safety_days)
        wanted = np.maximum(high - low, low - evening.position)
        return np.where(evening.position <= low, evening.trade.placed(wanted), 0)

    return order


def days_of_cover(days: float) -> Method:
    """Up to so many days of the last four weeks' mean sales beyond the lead time, at every chance, rounded up to packs."""

    def order(evening: Evening) -> np.ndarray:
        daily = evening.past[:, -28:].mean(axis=1)
        return evening.trade.placed(daily * (evening.trade.lead_days - 1 + days) - evening.position)

    return order


def _levels(evening: Evening, safety_days: float) -> tuple[np.ndarray, np.ndarray]:
    trade = evening.trade
    daily = _static_mean(trade, trade.first + (evening.day - trade.first) // 28 * 28)
    low = np.ceil(daily * (trade.lead_days - 1 + evening.cover_days + safety_days))
    return low, np.ceil(low + daily * evening.cover_days)


def _window(mean: F64, dispersion: F64, start: int, days: int) -> tuple[F64, F64]:
    weights = np.zeros_like(mean)
    weights[:, start : start + days] = 1.0
    total, spread = window_moments(mean, dispersion, weights, CORRELATION)
    return total, negbin_quantiles(total, spread, QUANTILE_LEVELS)


_TRADES: dict[int, Trade] = {}


def _daily(trade: Trade, day: int) -> tuple[F64, F64]:
    _TRADES[id(trade)] = trade
    return _forecast(id(trade), day)


@lru_cache(maxsize=512)
def _forecast(key: int, day: int) -> tuple[F64, F64]:
    """Mean and dispersion of the next MOST_DAYS days: level of the last eight weeks, recent weeks more (half-life two weeks), times
    the pooled share of the weekday; dispersion by moments."""
    demand = _TRADES[key].demand
    past = demand[:, max(day + 1 - 56, 0) : day + 1].astype(float)
    days = np.arange(day + 1 - past.shape[1], day + 1)
    pooled = np.array(
        [past[:, days % 7 == weekday].sum() / max((days % 7 == weekday).sum(), 1) for weekday in range(7)]
    )
    factor = pooled / pooled.mean()
    flat = past / factor[days % 7]
    weights = 0.5 ** ((day - days) / 14)
    level = flat @ weights / weights.sum()
    level = np.maximum((level * weights.sum() + flat.mean(axis=1) * 2) / (weights.sum() + 2), 0.01)
    variance = (flat - flat.mean(axis=1, keepdims=True)).var(axis=1)
    dispersion = np.clip((variance - level) / level**2, 0.02, 4)
    mean = level[:, None] * factor[(day + 1 + np.arange(MOST_DAYS)) % 7][None, :]
    return mean, np.repeat(dispersion[:, None], MOST_DAYS, axis=1)


def _static_mean(trade: Trade, day: int) -> F64:
    return np.asarray(trade.demand[:, max(day - 56, 0) : day].mean(axis=1))
