"""What the network sees of a problem and of its state: pure numbers, free of the unit of stock, money and time.

The unit of time is the period that the order has to cover; the unit of stock is a period's demand, its mean or its spread.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.arrays import F32, F64
from models.policy.demand_law import moments
from models.policy.instance import LIFO, Instance
from models.policy.projection import Outlook, slice_means

Floats = TypeVar("Floats", F32, F64)

NAMES = (
    "odds", "variation", "skewness", "lead", "lot_in_spreads", "lot_in_periods", "lot_rounding", "ageing", "waste_price",
    "lifo", "lost", "coarseness", "peak", "idle", "level", "level_spread", "empty_share", "lost_on_the_way", "waste_on_the_way", "last_day_share",
)  # fmt: skip
N_FEATURES = len(NAMES)
N_PROBLEM_FEATURES = NAMES.index("level")
"""The first so many say what the problem is like, whatever the state."""
LOST_COLUMN = NAMES.index("lost")
LOT_COLUMN = NAMES.index("lot_in_spreads")
AGEING_COLUMN = NAMES.index("ageing")
LEAST_SPREAD_UNITS = 0.1
IDLE_UNITS = 0.5
MOST_PEAK_SPREADS = 8.0
"""How high a law's peak may count: what bounds demand above, or does not, decides the last units of a high target."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry a state (or one for all), float64. What the covered period's demand and the costs are like.

    mean_units, std_units, skewness: of demand over the period covered. odds: shortage cost over holding cost.
    lead_periods: may be a fraction. lot_units: sqrt(2 K mean / h), 0 without a fixed cost. ageing: 1 / life in periods, 0 for
    goods that keep. waste_price: cost of an expired unit over the holding cost, 0 for goods that keep. lifo: 1 or 0. lost: 0
    where customers wait for goods that keep, else 1: goods that expire the network knows from lessons of lost sales alone.
    peak_units: mean of the law's highest slice of PATHS. idle_share: of the slices, those without demand to speak of.
    """

    mean_units: F64
    std_units: F64
    skewness: F64
    odds: F64
    lead_periods: F64
    lot_units: F64
    ageing: F64
    waste_price: F64
    lifo: F64
    lost: F64
    peak_units: F64
    idle_share: F64


def problem_of(instance: Instance) -> Problem:
    mean, deviation, skewness = moments(instance.law)
    keeps = instance.life_periods is None
    slices = slice_means(instance.law)
    values = (
        mean,
        max(deviation, LEAST_SPREAD_UNITS),
        skewness,
        max(instance.lost_cost / instance.holding, 1e-3),
        float(instance.lead_periods),
        (2 * instance.fixed_order * mean / instance.holding) ** 0.5,
        0.0 if instance.life_periods is None else 1 / instance.life_periods,
        0.0 if keeps else instance.waste_cost / instance.holding,
        0.0 if keeps or instance.issuing != LIFO else 1.0,
        0.0 if instance.by_position else 1.0,
        slices[-1],
        float((slices < IDLE_UNITS).mean()),
    )
    return Problem(*(np.array([value]) for value in values))


def features_of(problem: Problem, outlook: Outlook) -> F32:
    """Shape (n, len(NAMES))."""
    mean, spread = problem.mean_units, problem.std_units
    zero = np.zeros(len(outlook.level_units))
    columns = (
        np.log(problem.odds),
        np.log(spread / mean),
        np.clip(problem.skewness, -3, 6),
        np.log1p(problem.lead_periods),
        np.log1p(problem.lot_units / spread),
        np.log1p(problem.lot_units / mean),
        lot_periods(problem.lot_units, mean)[1],
        problem.ageing,
        np.log1p(problem.waste_price),
        problem.lifo,
        problem.lost,
        np.minimum(1 / spread, 4),
        np.clip((problem.peak_units - mean) / spread, 0, MOST_PEAK_SPREADS),
        problem.idle_share,
        np.tanh((outlook.level_units - mean) / (4 * spread)) * 2,
        outlook.level_std_units / (spread * np.sqrt(problem.lead_periods + 1)),
        outlook.empty_share,
        outlook.lost_units / mean / (problem.lead_periods + 1),
        outlook.waste_units / mean / (problem.lead_periods + 1),
        outlook.last_day_units / np.maximum(outlook.level_units, 0.5),
    )
    return np.stack([column + zero for column in columns], axis=1).astype(np.float32)


def lot_periods(lot_units: Floats, mean_units: Floats) -> tuple[Floats, Floats]:
    """Whole periods of demand that a lot covers, at least 1, and by how much that was rounded up, 0 to 1.

    With demand the same every period and K to pay an order, covering k periods is best for the smallest k with
    k (k + 1) >= 2 K / (h mean) = (lot / mean)**2 (the discrete form of the economic order quantity).
    """
    exact = (np.sqrt(1 + 4 * (lot_units / mean_units) ** 2) - 1) / 2
    whole = np.maximum(np.ceil(exact - 1e-4), 1)
    return whole, whole - exact
