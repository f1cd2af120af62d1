"""What the order graph is asked for a shop's SKUs: demand until the order arrives and until the next one does, stock by age.

    now ──stretch 1──► an earlier order arrives ──…──stretch 4──► this order arrives ──time covered──► the next one arrives

Times are days of demand from now: what is left of today counts as its share of the day.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contract.records import QUANTILE_LEVELS
from models.arrays import F64
from models.base_stock import NO_LIMIT_UNITS
from models.forecast import Forecast
from models.policy.question import BUCKETS, KEEPS, STRETCHES, Question, question_from
from models.recalibration import Recalibration, recalibrated_span

WASTE_PRICE = 1.0
"""Of an expired unit over holding one for the time covered, where nobody says: the price at which the replay of real demand
(docs/replenishment.md) wastes less than what shops do now."""
HOLDING_A_DAY = 0.25 / 365
"""Cost of holding a unit for a day over what it costs: a quarter of its worth a year (capital, room, shrink), the usual textbook rate."""
MOST_LOT_PERIODS = 5.0
"""A fixed order cost never asks for more periods of demand than this at once: the network learned from up to 7, and a forecast ages."""
ONE_PERIOD_LOTS = 2.0**0.5
"""Of the mean of the time covered: a lot up to that pays for one such time only (k (k + 1) >= (lot / mean)**2 for k = 1). For goods that
expire it is then left out: every order is placed all the same, and the network answers better without (0.3 % from the optimum instead of
0.6 % on the solved instances of benchmarks/replenishment.py, "an order pays for one period")."""
MOST_LIFE_PERIODS = 7.0
"""Goods that live for more orders than this keep, to the network (it learned from lives up to 5); their life still bounds an order."""
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class SkuSupply:
    """One SKU's stock and supply.

    lead_days: until this order arrives. cover_days: from then until the next one can arrive, > 0. arrivals: (days from now,
    units) of earlier orders. order_cost_units: what ordering once costs, in units' worth. on_hand: (days until it expires or None, units); None is unknown. life_days: of what is
    ordered. open_today: whether an order can still be placed. waste_price: of a unit that expires over holding one for the time covered.
    """

    lead_days: float
    cover_days: float
    service_level: float
    on_hand: tuple[tuple[float | None, float], ...] | None
    arrivals: tuple[tuple[float, float], ...] = ()
    pack_units: int = 1
    min_order_units: int = 0
    max_stock_units: int | None = None
    presentation_units: int = 0
    life_days: float | None = None
    open_today: bool = True
    order_cost_units: float = 0.0
    waste_price: float = WASTE_PRICE

    @property
    def position_units(self) -> float:
        """On hand and on order; unknown stock counts as none."""
        return sum(units for _, units in self.on_hand or ()) + sum(units for _, units in self.arrivals)


def questions_from(
    forecast: Forecast,
    levels: Recalibration | None,
    supplies: Sequence[SkuSupply],
    *,
    first_day_share: float | F64,
) -> Question:
    """The graph's inputs, one row a SKU of the forecast. levels: how far the forecast's are off, None: not known.
    first_day_share: what is still to come of today's demand, one for all or (n_sku,).

    Numbers are rounded here, so that what is stored with an order (models.asked_orders) is what was asked.
    Raises ValueError for what models.policy.question refuses.
    """
    lead = np.array([supply.lead_days for supply in supplies])
    cover = np.array([supply.cover_days for supply in supplies])
    n = len(supplies)
    share = np.broadcast_to(np.asarray(first_day_share, dtype=np.float64), (n,))
    ends = np.array([_stretch_ends(supply) for supply in supplies])
    lead_mean, lead_quantiles = _stretches(forecast, levels, ends, share)
    cover_mean, cover_quantiles = recalibrated_span(
        forecast, levels, lead, lead + cover, QUANTILE_LEVELS, first_day_share=share
    )
    arriving = np.zeros((n, STRETCHES))
    bucket = np.full((n, STRETCHES), float(KEEPS))
    hand = np.zeros((n, BUCKETS))
    for place, supply in enumerate(supplies):
        _stock(supply, ends[place], arriving[place], bucket[place], hand[place])
    life = np.array([np.nan if supply.life_days is None else supply.life_days for supply in supplies])
    periods = life / cover
    ages = np.isfinite(periods) & (periods <= MOST_LIFE_PERIODS)
    until = np.where(np.isfinite(life), lead + life, 0.0)
    sells = forecast.expected_units(until) - (1 - share) * forecast.mean[:, 0].astype(float)
    return question_from(
        lead_quantiles=lead_quantiles,
        lead_mean_units=lead_mean.round(_DIGITS),
        cover_quantiles=cover_quantiles,
        cover_mean_units=cover_mean.round(_DIGITS),
        on_hand_units=hand,
        arriving_units=arriving,
        arriving_bucket=bucket,
        pack_units=[float(supply.pack_units) for supply in supplies],
        min_order_units=[float(supply.min_order_units) for supply in supplies],
        max_stock_units=[
            NO_LIMIT_UNITS if supply.max_stock_units is None else float(supply.max_stock_units)
            for supply in supplies
        ],
        presentation_units=[float(supply.presentation_units) for supply in supplies],
        life_units=np.where(np.isfinite(life), np.maximum(sells, 0).round(_DIGITS), np.nan),
        life_periods=np.where(ages, periods, 0.0).round(_DIGITS),
        lead_periods=(lead / cover).round(_DIGITS),
        odds=[round(supply.service_level / (1 - supply.service_level), _DIGITS) for supply in supplies],
        lot_units=_lots(supplies, cover, cover_mean, ages).round(_DIGITS),
        waste_price=np.where(ages, [supply.waste_price for supply in supplies], 0.0),
        open_today=[float(supply.open_today) for supply in supplies],
    )


def _stretches(forecast: Forecast, levels: Recalibration | None, ends: F64, share: F64) -> tuple[F64, F64]:
    """Demand of each stretch until the order arrives: mean (n_sku, STRETCHES), quantiles (n_sku, STRETCHES, levels); 0 of an empty one."""
    n = len(ends)
    starts = np.concatenate([np.zeros((n, 1)), ends[:, :-1]], axis=1)
    mean, quantiles = np.zeros((n, STRETCHES)), np.zeros((n, STRETCHES, len(QUANTILE_LEVELS)))
    for stretch in range(STRETCHES):
        rows = np.flatnonzero(ends[:, stretch] > starts[:, stretch])
        if len(rows):
            mean[rows, stretch], quantiles[rows, stretch] = recalibrated_span(
                forecast.of_rows(rows), levels, starts[rows, stretch], ends[rows, stretch],
                QUANTILE_LEVELS, first_day_share=share[rows],
            )  # fmt: skip
    return mean, quantiles


def _lots(supplies: Sequence[SkuSupply], cover: F64, cover_mean: F64, ages: npt.NDArray[np.bool_]) -> F64:
    """sqrt(2 K mean / h) of the time covered (Harris 1913), not above what covers MOST_LOT_PERIODS; 0 where ONE_PERIOD_LOTS says so."""
    cost = np.array([supply.order_cost_units for supply in supplies])
    lots = np.sqrt(2 * cost * cover_mean / (HOLDING_A_DAY * cover))
    most = np.sqrt(MOST_LOT_PERIODS * (MOST_LOT_PERIODS + 1)) * cover_mean
    one = ages & (lots <= ONE_PERIOD_LOTS * cover_mean)
    return np.where(one, 0.0, np.minimum(lots, most))


def _stretch_ends(supply: SkuSupply) -> list[float]:
    """Rising; the last one is this order's arrival. More earlier orders than stretches: the later ones come with this one."""
    times = sorted(
        {min(max(days, 0.0), supply.lead_days) for days, _ in supply.arrivals} - {supply.lead_days}
    )
    first = times[: STRETCHES - 1]
    return [0.0] * (STRETCHES - 1 - len(first)) + [*first, supply.lead_days]


def _stock(supply: SkuSupply, ends: F64, arriving: F64, bucket: F64, hand: F64) -> None:
    covered = supply.lead_days + supply.cover_days
    for days, units in supply.arrivals:
        stretch = int(np.searchsorted(ends, min(max(days, 0.0), supply.lead_days)))
        arriving[min(stretch, STRETCHES - 1)] += units
    if supply.life_days is not None:
        bucket[:] = [_bucket(end + supply.life_days, ends, covered) for end in ends]
    if supply.on_hand is None:
        hand[:] = np.nan
        return
    for expires, units in supply.on_hand:
        hand[KEEPS if expires is None else _bucket(expires, ends, covered)] += units


def _bucket(expires: float, ends: F64, covered: float) -> int:
    """What expires at a stretch's end or before, in the time covered, or later."""
    if expires <= ends[-1]:
        return int(np.searchsorted(ends, expires))
    return STRETCHES if expires <= covered else KEEPS
