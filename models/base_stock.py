"""Order quantity in base-stock form, in numpy: the words of the replenishment graph, its test and its stand-in.

target   = the quantile of window demand at the service level, between the fixed levels by straight lines
need     = target - position, position = on hand + on order
order    = need rounded up to whole packs, at least the minimum order
           but not more than shelf life and room allow
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from contract.records import QUANTILE_LEVELS
from models.arrays import F32, I64

NO_LIMIT_UNITS = 1e6
"""Stands for "no cap" in the graph, above any stock a shop can hold."""
SHELF_LIFE_ROUNDING = 0.5
"""A pack of which at least this share is expected to sell before it expires is still bought."""
TAIL_STRETCH = 1.2
"""How far beyond the .99 quantile the last straight line ends, in steps of (q.99 - q.95). Measured by 2 million draws
each: the mean excess over the .99 quantile in the last hundredth is 0.5 to 0.7 of that step for means of 10 to 200 and
dispersions of 0.05 to 3, and a straight line's mean excess is half its height."""


class Bound(IntEnum):
    """What settled the quantity."""

    COVERED = 0
    TARGET = 1
    MIN_ORDER = 2
    SHELF_LIFE = 3
    CAPACITY = 4
    STOCK_UNKNOWN = 5

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    Bound.COVERED: "stock and orders cover the target",
    Bound.TARGET: "ordered up to the target, in whole packs",
    Bound.MIN_ORDER: "raised to the minimum order",
    Bound.SHELF_LIFE: "cut to what sells before it expires",
    Bound.CAPACITY: "cut to the room there is",
    Bound.STOCK_UNKNOWN: "stock is unknown: count it",
}


@dataclass(frozen=True, slots=True)
class Proposals:
    """One entry a SKU.

    quantity_units: whole packs, whole units. target_units: the base-stock level.
    expected_stock_out_units: demand over the window that goes unserved if nothing is ordered.
    expected_unmet_units: the same once the proposed quantity is there. bound: codes of Bound.
    """

    quantity_units: I64
    target_units: F32
    expected_stock_out_units: F32
    expected_unmet_units: F32
    bound: I64

    def reasons(self, index: int) -> list[str]:
        return [Bound(int(self.bound[index])).reason]


@dataclass(frozen=True, slots=True)
class OrderInputs:
    """All shape (n,) float32 but quantiles, (n, len(QUANTILE_LEVELS)); unknown stock is NaN, no cap NO_LIMIT_UNITS."""

    quantiles: F32
    service_level: F32
    on_hand_units: F32
    on_order_units: F32
    pack_units: F32
    min_order_units: F32
    shelf_life_units: F32
    max_stock_units: F32


class ReplenishmentPolicy(Protocol):
    """What the edge and the centre ask for a quantity: the graph of a bundle or the rule below."""

    @property
    def name(self) -> str: ...

    def propose(
        self,
        quantiles: npt.ArrayLike,
        *,
        service_level: npt.ArrayLike,
        on_hand_units: npt.ArrayLike,
        on_order_units: npt.ArrayLike = 0,
        pack_units: npt.ArrayLike = 1,
        min_order_units: npt.ArrayLike = 0,
        shelf_life_units: npt.ArrayLike | None = None,
        max_stock_units: npt.ArrayLike | None = None,
    ) -> Proposals: ...


def order_inputs(
    quantiles: npt.ArrayLike,
    *,
    service_level: npt.ArrayLike,
    on_hand_units: npt.ArrayLike,
    on_order_units: npt.ArrayLike = 0,
    pack_units: npt.ArrayLike = 1,
    min_order_units: npt.ArrayLike = 0,
    shelf_life_units: npt.ArrayLike | None = None,
    max_stock_units: npt.ArrayLike | None = None,
) -> OrderInputs:
    """The graph's inputs, checked. Scalars stand for all SKUs; NaN or None caps nothing; NaN on hand is unknown.

    Raises ValueError that names the input that is wrong, its limit and the first SKU that breaks it.
    """
    table = np.asarray(quantiles, dtype=np.float32)
    if table.ndim != 2 or table.shape[1] != len(QUANTILE_LEVELS):
        raise ValueError(f"quantiles must have shape (n_sku, {len(QUANTILE_LEVELS)}), got {table.shape}")
    n = table.shape[0]
    _require(np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1), "quantiles must be finite and >= 0")
    _require((np.diff(table, axis=1) >= 0).all(axis=1), "quantiles must not fall with the level")
    inputs = OrderInputs(
        quantiles=table,
        service_level=_column(service_level, n, "service_level"),
        on_hand_units=_column(on_hand_units, n, "on_hand_units"),
        on_order_units=_column(on_order_units, n, "on_order_units"),
        pack_units=_column(pack_units, n, "pack_units"),
        min_order_units=_column(min_order_units, n, "min_order_units"),
        shelf_life_units=_cap(shelf_life_units, n, "shelf_life_units"),
        max_stock_units=_cap(max_stock_units, n, "max_stock_units"),
    )
    _require((inputs.service_level > 0) & (inputs.service_level < 1), "service_level must lie inside (0, 1)")
    _require(~np.isinf(inputs.on_hand_units), "on_hand_units must not be infinite; NaN says unknown")
    _require(np.isfinite(inputs.on_order_units) & (inputs.on_order_units >= 0), "on_order_units must be >= 0")
    _require(np.isfinite(inputs.pack_units) & (inputs.pack_units >= 1), "pack_units must be >= 1")
    _require(
        np.isfinite(inputs.min_order_units) & (inputs.min_order_units >= 0), "min_order_units must be >= 0"
    )
    return inputs


class BaseStockRule:
    """The rule in numpy: stands in for a graph that is missing, and checks one that is there."""

    @property
    def name(self) -> str:
        return "base-stock-rule@1"

    def propose(
        self,
        quantiles: npt.ArrayLike,
        *,
        service_level: npt.ArrayLike,
        on_hand_units: npt.ArrayLike,
        on_order_units: npt.ArrayLike = 0,
        pack_units: npt.ArrayLike = 1,
        min_order_units: npt.ArrayLike = 0,
        shelf_life_units: npt.ArrayLike | None = None,
        max_stock_units: npt.ArrayLike | None = None,
    ) -> Proposals:
        return proposals_from(
            order_inputs(
                quantiles,
                service_level=service_level,
                on_hand_units=on_hand_units,
                on_order_units=on_order_units,
                pack_units=pack_units,
                min_order_units=min_order_units,
                shelf_life_units=shelf_life_units,
                max_stock_units=max_stock_units,
            )
        )


def proposals_from(inputs: OrderInputs) -> Proposals:
    """The rule of this module's docstring; the graph says the same operation by operation."""
    known = ~np.isnan(inputs.on_hand_units)
    position = np.where(known, inputs.on_hand_units, 0).astype(np.float32) + inputs.on_order_units
    pack = inputs.pack_units
    target = interpolated_quantile(inputs.quantiles, inputs.service_level, QUANTILE_LEVELS)
    need = np.maximum(np.ceil(target - position - np.float32(1e-3)), 0)
    least = np.where(need > 0, np.maximum(need, inputs.min_order_units), 0)
    wanted = np.ceil(least / pack - np.float32(1e-5)) * pack
    by_life = np.floor((inputs.shelf_life_units - position) / pack + np.float32(SHELF_LIFE_ROUNDING)) * pack
    by_room = np.floor((inputs.max_stock_units - position) / pack + np.float32(1e-5)) * pack
    cap = np.maximum(np.minimum(by_life, by_room), 0)
    order = np.minimum(wanted, cap)
    order = np.where(known & (order >= inputs.min_order_units), order, 0).astype(np.float32)
    cut = wanted > cap
    bound = np.where(inputs.min_order_units > need, Bound.MIN_ORDER, Bound.TARGET)
    bound = np.where(cut, np.where(by_room <= by_life, Bound.CAPACITY, Bound.SHELF_LIFE), bound)
    bound = np.where(need > 0, bound, Bound.COVERED)
    bound = np.where(known, bound, Bound.STOCK_UNKNOWN)
    return Proposals(
        quantity_units=np.rint(order).astype(np.int64),
        target_units=target,
        expected_stock_out_units=expected_excess(inputs.quantiles, position),
        expected_unmet_units=expected_excess(inputs.quantiles, position + order),
        bound=bound.astype(np.int64),
    )


def interpolated_quantile(quantiles: F32, level: F32, levels: Sequence[float]) -> F32:
    """Straight lines between the fixed levels; beyond the outermost, the outermost."""
    grid = np.asarray(levels, dtype=np.float32)
    wide = np.diff(grid)
    share = np.clip((level[:, None] - grid[None, :-1]) / wide[None, :], 0, 1).astype(np.float32)
    steps = share * np.diff(quantiles, axis=1)
    return np.asarray(quantiles[:, 0] + steps.sum(axis=1), dtype=np.float32)


def expected_excess(quantiles: F32, stock: F32) -> F32:
    """E[max(D - stock, 0)], D's quantile function being straight lines through (0, 0), the levels and a tail end.

    On a line from a to b (a <= b, both above the stock by max(., 0)) the mean excess is (b**2 - a**2) / 2 / (qb - qa).
    """
    grid = np.asarray((0.0, *QUANTILE_LEVELS, 1.0), dtype=np.float32)
    top = quantiles[:, -1:] + np.float32(TAIL_STRETCH) * (quantiles[:, -1:] - quantiles[:, -3:-2])
    knots = np.concatenate([np.zeros_like(top), quantiles, top], axis=1)
    above = np.maximum(knots - stock[:, None], 0)
    low, high = above[:, :-1], above[:, 1:]
    rise = np.diff(knots, axis=1)
    sloped = (high - low) * (high + low) / (2 * np.maximum(rise, np.float32(1e-6)))
    mean_excess = np.where(rise > 1e-6, sloped, low)
    return np.asarray((mean_excess * np.diff(grid)[None, :]).sum(axis=1), dtype=np.float32)


def _column(values: npt.ArrayLike, n: int, name: str) -> F32:
    array = np.asarray(values, dtype=np.float32)
    if array.shape not in ((), (n,)):
        raise ValueError(f"{name} must be one value or have shape ({n},), got {array.shape}")
    return np.ascontiguousarray(np.broadcast_to(array, (n,)))


def _cap(values: npt.ArrayLike | None, n: int, name: str) -> F32:
    column = _column(NO_LIMIT_UNITS if values is None else values, n, name)
    return np.where(np.isnan(column), np.float32(NO_LIMIT_UNITS), np.clip(column, 0, NO_LIMIT_UNITS)).astype(
        np.float32
    )


def _require(good: npt.ArrayLike, message: str) -> None:
    if not np.all(good):
        raise ValueError(f"{message}; SKU number {int(np.argmin(good))} breaks it")
