"""The order graph asked as gateways ask it (models.order_plan), for the SKUs of a replay's moment."""

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from central.core.replay_words import Answer, Ask
from contract.records import MAX_HORIZON_DAYS
from models.forecast import Forecast
from models.order_plan import SkuSupply, questions_from
from models.policy.daily import ROUND_UP_FROM
from models.policy.order_graph import OrderGraph

ENOUGH_SPREADS = 2.5
"""Each day's, added up as if all were bad together: above any service level's quantile of the sum."""
ASKED_AT_ONCE = 256
"""Between two such parts a caller who shares a process lets others go first."""


class Asker:
    """`forecast` is the day's, one row a SKU of the play; is_known: of which SKUs there is one."""

    def __init__(self, graph: OrderGraph, *, with_confidence: bool, pause: Callable[[], None]) -> None:
        self._graph, self._with_confidence, self._pause = graph, with_confidence, pause
        self._forecast: Forecast | None = None
        self._is_known: Sequence[bool] = ()
        self.asked_total = 0

    def take(self, forecast: Forecast, is_known: Sequence[bool]) -> None:
        self._forecast, self._is_known = forecast, is_known

    def enough_units(self, windows_days: Sequence[float], presentation_units: Sequence[int]) -> list[float]:
        """Of each SKU: more than any order graph orders up to in its window, so that nobody need be asked."""
        assert self._forecast is not None
        mean = self._forecast.mean.astype(float)
        spread = np.sqrt(mean + self._forecast.dispersion.astype(float) * mean**2)
        high = np.cumsum(mean + ENOUGH_SPREADS * spread, axis=1)
        last = np.clip(np.ceil(windows_days).astype(int), 1, mean.shape[1]) - 1
        beyond = np.maximum(np.ceil(windows_days) - mean.shape[1], 0) / mean.shape[1]
        of_window = high[np.arange(len(last)), last] + beyond * high[:, -1]
        enough: list[float] = (of_window + np.asarray(presentation_units, dtype=float) + 1).tolist()
        return enough

    def answered(self, asks: Sequence[Ask]) -> tuple[list[Ask], list[Answer]]:
        """The asks of SKUs that have a forecast, and their answers."""
        known = [ask for ask in asks if self._is_known[ask.index]]
        answers: list[Answer] = []
        for start in range(0, len(known), ASKED_AT_ONCE):
            answers += self._part(known[start : start + ASKED_AT_ONCE])
            self._pause()
        self.asked_total += len(known)
        return known, answers

    def _part(self, asks: list[Ask]) -> list[Answer]:
        assert self._forecast is not None
        forecast = self._forecast.of_rows(np.array([ask.index for ask in asks], dtype=np.int64))
        shares = np.array([ask.share_left for ask in asks])
        supplies = [supply_of(ask) for ask in asks]
        order = self._graph.orders(questions_from(forecast, None, supplies, first_day_share=shares))
        missing = (order.target_units - order.level_units).astype(float)
        cumulative = self._cumulative(forecast, asks, shares) if self._with_confidence else [()] * len(asks)
        means = forecast.mean.astype(float).tolist()
        return [
            Answer(
                int(order.order_units[place]), supply.position_units + float(missing[place]),
                _least_missing(supply, int(order.order_units[place]), float(missing[place])), means[place],
                cumulative[place],
            )
            for place, supply in enumerate(supplies)
        ]  # fmt: skip

    def _cumulative(self, forecast: Forecast, asks: list[Ask], shares: object) -> list[list[float]]:
        days = [max(1, min(ceil(ask.lead_days + ask.cover_days), MAX_HORIZON_DAYS)) for ask in asks]
        window = forecast.over_window(np.array(days, dtype=np.int64), first_day_share=shares)  # type: ignore[arg-type]
        return [list(map(float, row)) for row in window.quantiles]


def supply_of(ask: Ask) -> SkuSupply:
    """As the gateway tells the models of its supply line."""
    line = ask.line
    return SkuSupply(
        lead_days=ask.lead_days, cover_days=ask.cover_days, service_level=line.service_level, on_hand=ask.on_hand,
        arrivals=ask.arrivals, pack_units=line.pack_units, min_order_units=line.min_order_units,
        max_stock_units=line.max_stock_units, presentation_units=line.presentation_units,
        order_cost_units=line.order_cost_cents / line.cost_cents if line.cost_cents else 0.0,
        life_days=None if line.shelf_life_days is None else float(line.shelf_life_days),
    )  # fmt: skip


def _least_missing(supply: SkuSupply, quantity: int, missing: float) -> float:
    """How much must be missing for an order, as the gateway reckons it."""
    pack = supply.pack_units
    step = ROUND_UP_FROM * max(pack, -(-supply.min_order_units // pack) * pack)
    return missing + step if quantity == 0 and missing >= step else step
