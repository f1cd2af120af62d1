"""The order of the day in numpy: the words of the order graph, its test and its stand-in.

level   = what will be in hand when an order placed now arrives, over the demand paths
target  = the network's level, at least what the shelf must show beside the demand covered
missing = target - level; the order is missing in whole packs, up or down by what each risks, cut by life and room
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from contract.records import QUANTILE_LEVELS
from models.arrays import F32, I64
from models.base_stock import SHELF_LIFE_ROUNDING, TAIL_STRETCH
from models.policy.features import IDLE_UNITS, LEAST_SPREAD_UNITS, MOST_PEAK_SPREADS, lot_periods
from models.policy.network import PolicyNetwork
from models.policy.packs import ROUND_UP_FROM as ROUND_UP_FROM  # noqa: PLC0414 - who asks for orders knows it by this page
from models.policy.packs import whole_packs
from models.policy.projection import PATHS, path_slices
from models.policy.question import BUCKETS, KEEPS, STRETCHES, Question

Bits: TypeAlias = npt.NDArray[np.bool_]

MOST_STRETCH, LEAST_STRETCH = 4.0, 0.25
"""How far slices may be scaled to meet the mean that the forecast says."""


class Reason(IntFlag):
    """What had a say in the quantity; several may."""

    COVERED = 1
    TARGET = 2
    PRESENTATION = 4
    PACK = 8
    MIN_ORDER = 16
    SHELF_LIFE = 32
    CAPACITY = 64
    STOCK_UNKNOWN = 128
    CLOSED_TODAY = 256
    LOT = 512

    @property
    def texts(self) -> list[str]:
        return [text for reason, text in _TEXTS.items() if reason in self]


_TEXTS = {
    Reason.COVERED: "stock and orders under way cover the target",
    Reason.TARGET: "ordered up to the target level at arrival",
    Reason.PRESENTATION: "the shelf must look full: its presentation stock set the target",
    Reason.PACK: "rounded to whole packs",
    Reason.MIN_ORDER: "raised to the minimum order",
    Reason.SHELF_LIFE: "cut to what sells before it expires",
    Reason.CAPACITY: "cut to the room there is",
    Reason.STOCK_UNKNOWN: "stock is unknown: count it",
    Reason.CLOSED_TODAY: "no order can be placed today",
    Reason.LOT: "too little is missing to pay for an order",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One entry a SKU. order_units: whole packs. target_units, level_units: at the arrival, before the order is added.

    stock_out_units: demand expected to go unserved until the arrival and in the time covered, the order included.
    waste_units: units expected to expire until the arrival, and of the order. reasons: Reason bits.
    """

    order_units: I64
    target_units: F32
    level_units: F32
    stock_out_units: F32
    waste_units: F32
    reasons: I64

    def texts(self, index: int) -> list[str]:
        return Reason(int(self.reasons[index])).texts


def slice_weights() -> F32:
    """Quantiles (…, 9) @ this (9, PATHS): mean of each slice, the quantile function being straight lines through (0, 0), the
    levels and a tail end TAIL_STRETCH steps above (models.base_stock).
    """
    levels = np.array([0.0, *QUANTILE_LEVELS, 1.0])
    edges = np.linspace(0, 1, PATHS + 1)
    fine = np.unique(np.concatenate([levels, edges]))
    middle = (fine[:-1] + fine[1:]) / 2
    of_slice = np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, PATHS - 1)
    of_line = np.clip(np.searchsorted(levels, middle, side="right") - 1, 0, len(levels) - 2)
    share = (middle - levels[of_line]) / (levels[of_line + 1] - levels[of_line])
    weights = np.zeros((len(levels), PATHS))
    np.add.at(weights, (of_line, of_slice), np.diff(fine) * PATHS * (1 - share))
    np.add.at(weights, (of_line + 1, of_slice), np.diff(fine) * PATHS * share)
    inner = weights[1:-1].copy()
    inner[-1] += weights[-1] * (1 + TAIL_STRETCH)
    inner[-3] -= weights[-1] * TAIL_STRETCH
    return inner.astype(np.float32)


def daily_orders(question: Question, network: PolicyNetwork) -> Order:
    """The rule of this module's docstring, in float32; models.training.policy_graph draws the same."""
    q = question
    known: Bits = np.asarray(~np.isnan(q.on_hand_units).any(axis=1))
    hand_now = np.where(np.isnan(q.on_hand_units), 0, q.on_hand_units).astype(np.float32)
    position = hand_now.sum(axis=1) + q.arriving_units.sum(axis=1)
    hand, lost, expired = _on_the_way(q, np.maximum(hand_now, 0), np.minimum(hand_now.sum(axis=1), 0))
    level = np.sum(hand, axis=0)
    covered = _slices(q.cover_quantiles, q.cover_mean_units)
    features = _features(q, covered, level, lost, expired, hand[STRETCHES])
    mean, spread = features.mean, features.spread
    out = network.outputs(features.table)
    periods = lot_periods(q.lot_units, mean)[0]
    learned = mean * periods + spread * (out[:, 0] + 0.5 * features.table[:, 0]) + q.lot_units * out[:, 1]
    shown = np.where(q.presentation_units > 0, mean + q.presentation_units, 0)
    target = np.maximum(np.maximum(learned, shown), 0)
    mean_level = level.mean(axis=1)
    missing = target - mean_level
    room = q.lot_units * _softplus(out[:, 2])
    pays = missing > room
    least = np.maximum(np.ceil(q.min_order_units / q.pack_units - 1e-4), 1) * q.pack_units
    slack = level - covered[:, path_slices()[:, STRETCHES]]
    wanted = np.where(pays, whole_packs(missing, q.pack_units, least, slack), 0)
    by_life = np.floor((q.life_units - position) / q.pack_units + SHELF_LIFE_ROUNDING) * q.pack_units
    by_room = np.floor((q.max_stock_units - position) / q.pack_units + 1e-4) * q.pack_units
    cap = np.maximum(np.minimum(by_life, by_room), 0)
    order = np.minimum(wanted, cap)
    may = known & (q.open_today > 0.5) & (order >= q.min_order_units)
    order = np.where(may, order, 0).astype(np.float32)
    unmet, old = _after(q, level, covered, order)
    return Order(
        order_units=np.rint(order).astype(np.int64),
        target_units=target.astype(np.float32),
        level_units=mean_level.astype(np.float32),
        stock_out_units=(lost.mean(axis=1) + unmet).astype(np.float32),
        waste_units=(expired.mean(axis=1) + old).astype(np.float32),
        reasons=_reasons(q, known, missing, pays, wanted, by_life, by_room, shown > learned),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    table: F32
    mean: F32
    spread: F32


def _slices(quantiles: F32, mean: F32) -> F32:
    """Slice means, scaled so that their mean is what the forecast says: shape (…, PATHS)."""
    raw = np.maximum(quantiles @ slice_weights(), 0)
    scale = np.clip((mean + 1e-6) / (raw.mean(axis=-1) + 1e-6), LEAST_STRETCH, MOST_STRETCH)
    return np.asarray(raw * scale[..., None], dtype=np.float32)


def _on_the_way(q: Question, hand_now: F32, owed: F32) -> tuple[list[F32], F32, F32]:
    """In hand by bucket when the order arrives, lost and expired until then, (n, PATHS) each. owed: a negative book, <= 0."""
    n = len(q.odds)
    short = np.float32(1) - (owed < 0).astype(np.float32)
    hand = [np.repeat((hand_now[:, bucket] * short)[:, None], PATHS, axis=1) for bucket in range(BUCKETS)]
    lost, expired = np.zeros((n, PATHS), np.float32), np.zeros((n, PATHS), np.float32)
    slices = _slices(q.lead_quantiles, q.lead_mean_units)
    for stretch in range(STRETCHES):
        wanted = slices[:, stretch, path_slices()[:, stretch]]
        fresh_first = np.repeat(q.lifo[:, None], PATHS, axis=1) > 0.5
        oldest = _served(hand, wanted, range(BUCKETS))
        freshest = _served(hand, wanted, reversed(range(BUCKETS)))
        hand = [
            np.where(fresh_first, late, early) for late, early in zip(freshest[0], oldest[0], strict=True)
        ]
        lost = lost + np.where(fresh_first, freshest[1], oldest[1])
        expired = expired + hand[stretch]
        hand[stretch] = np.zeros((n, PATHS), np.float32)
        for bucket in range(BUCKETS):
            there = (np.abs(q.arriving_bucket[:, stretch] - bucket) < 0.5) * q.arriving_units[:, stretch]
            hand[bucket] = hand[bucket] + there[:, None].astype(np.float32)
    hand[KEEPS] = hand[KEEPS] + owed[:, None].astype(np.float32)
    return hand, lost, expired


def _served(hand: list[F32], wanted: F32, order: Iterable[int]) -> tuple[list[F32], F32]:
    left = list(hand)
    for bucket in order:
        taken = np.minimum(left[bucket], wanted)
        left[bucket] = left[bucket] - taken
        wanted = wanted - taken
    return left, wanted


def _features(q: Question, covered: F32, level: F32, lost: F32, expired: F32, last: F32) -> _Seen:
    """As models.policy.features.features_of."""
    mean = np.maximum(covered.mean(axis=1), np.float32(1e-3))
    apart = covered - covered.mean(axis=1, keepdims=True)
    spread = np.maximum(np.sqrt((apart**2).mean(axis=1)), np.float32(LEAST_SPREAD_UNITS))
    skewness = (apart**3).mean(axis=1) / spread**3
    mean_level = level.mean(axis=1)
    level_spread = np.sqrt(((level - mean_level[:, None]) ** 2).mean(axis=1))
    aged = (q.life_periods > 0).astype(np.float32)
    lead = q.lead_periods
    columns = (
        np.log(np.clip(q.odds, 1e-3, 1e4)),
        np.log(spread / mean),
        np.clip(skewness, -3, 6),
        np.log(1 + lead),
        np.log(1 + q.lot_units / spread),
        np.log(1 + q.lot_units / mean),
        lot_periods(q.lot_units, mean)[1],
        aged / np.maximum(q.life_periods, 1),
        aged * np.log(1 + q.waste_price),
        aged * q.lifo,
        np.ones_like(mean),
        np.minimum(1 / spread, 4),
        np.clip((covered[:, -1] - mean) / spread, 0, MOST_PEAK_SPREADS),
        (covered < IDLE_UNITS).astype(np.float32).mean(axis=1),
        np.tanh((mean_level - mean) / (4 * spread)) * 2,
        level_spread / (spread * np.sqrt(lead + 1)),
        (level < 0.5).astype(np.float32).mean(axis=1),
        lost.mean(axis=1) / mean / (lead + 1),
        expired.mean(axis=1) / mean / (lead + 1),
        aged * last.mean(axis=1) / np.maximum(mean_level, 0.5),
    )
    return _Seen(np.stack(columns, axis=1).astype(np.float32), mean, spread)


def _after(q: Question, level: F32, covered: F32, order: F32) -> tuple[F32, F32]:
    """Expected demand unserved in the time covered, and units of the order that expire, whose life sees life_units of demand
    with the spread of the time covered, scaled by the root of the ratio.
    """
    demand = covered[:, path_slices()[:, STRETCHES]]
    there = level + order[:, None]
    unmet = np.maximum(demand - there, 0).mean(axis=1)
    mean = np.maximum(covered.mean(axis=1, keepdims=True), np.float32(1e-3))
    life = q.life_units[:, None]
    within = np.maximum(life + (demand - mean) * np.sqrt(life / mean), 0)
    old = np.where(
        q.life_periods > 0, np.minimum(np.maximum(there - within, 0), order[:, None]).mean(axis=1), 0
    )
    return unmet, old


def _reasons(
    q: Question, known: Bits, missing: F32, pays: Bits, wanted: F32, by_life: F32, by_room: F32, shown: Bits
) -> I64:
    cap = np.maximum(np.minimum(by_life, by_room), 0)
    cut = wanted > cap
    bits = np.where(wanted > 0, int(Reason.TARGET), 0)
    bits += np.where((wanted <= 0) & ((missing <= 0) | pays), int(Reason.COVERED), 0)
    bits += np.where((missing > 0) & ~pays, int(Reason.LOT), 0)
    bits += np.where(shown & (wanted > 0), int(Reason.PRESENTATION), 0)
    bits += np.where((wanted > 0) & (q.pack_units > 1), int(Reason.PACK), 0)
    bits += np.where((wanted > 0) & (q.min_order_units > missing), int(Reason.MIN_ORDER), 0)
    bits += np.where(cut & (by_life < by_room), int(Reason.SHELF_LIFE), 0)
    bits += np.where(cut & (by_room <= by_life), int(Reason.CAPACITY), 0)
    bits = np.where(q.open_today > 0.5, bits, int(Reason.CLOSED_TODAY))
    return np.asarray(np.where(known, bits, int(Reason.STOCK_UNKNOWN)), dtype=np.int64)


def _softplus(x: F32) -> F32:
    return np.asarray(np.logaddexp(np.float32(0), x), dtype=np.float32)
