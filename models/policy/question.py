"""What the order graph asks for one SKU, checked: demand on the way and after, stock by expiry, supply, limits, prices."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from contract.records import QUANTILE_LEVELS
from models.arrays import F32
from models.base_stock import NO_LIMIT_UNITS

STRETCHES = 4
"""Parts of the time until the order arrives, cut where earlier orders arrive."""
BUCKETS = STRETCHES + 2
"""What expires at the end of each stretch, at the end of the time covered, and later."""
KEEPS = BUCKETS - 1
_LEVELS = len(QUANTILE_LEVELS)
_WIDE = {"lead_quantiles": (STRETCHES, _LEVELS), "lead_mean_units": (STRETCHES,), "cover_quantiles": (_LEVELS,),
         "on_hand_units": (BUCKETS,), "arriving_units": (STRETCHES,), "arriving_bucket": (STRETCHES,)}  # fmt: skip
INPUT_SHAPES = dict(_WIDE)
"""Of the inputs that are more than one number a SKU, without the first axis."""


@dataclass(frozen=True, slots=True)
class Question:
    """float32, first axis n SKUs. "Covered": from this order's arrival to that of the next one that could be placed.

    lead_quantiles (n, STRETCHES, 9), lead_mean_units (n, STRETCHES): demand in each stretch until the arrival, at
    QUANTILE_LEVELS; a stretch of no time has zeros. cover_quantiles (n, 9), cover_mean_units (n,): demand in the time covered.
    on_hand_units (n, BUCKETS): by when it expires; NaN anywhere: unknown. arriving_units (n, STRETCHES): at each stretch's
    end. arriving_bucket (n, STRETCHES): when that expires, 0..BUCKETS-1.
    The rest (n,): pack_units >= 1; min_order_units; max_stock_units on hand and on order (NO_LIMIT_UNITS: none);
    presentation_units to be left on the shelf; life_units: what is expected to sell within the shelf life of what is ordered;
    life_periods: that life over the time covered, 0 for goods that keep; lead_periods: time until the arrival over the time
    covered; odds: cost of a lost unit over that of holding one for the time covered, s / (1 - s) for a service level s;
    lot_units: sqrt(2 K mean / h) for a fixed order cost K; waste_price: cost of a unit that expires over that holding
    cost; lifo: 1 where customers take the freshest; open_today: 1 where an order can still be placed.
    """

    lead_quantiles: F32
    lead_mean_units: F32
    cover_quantiles: F32
    cover_mean_units: F32
    on_hand_units: F32
    arriving_units: F32
    arriving_bucket: F32
    pack_units: F32
    min_order_units: F32
    max_stock_units: F32
    presentation_units: F32
    life_units: F32
    life_periods: F32
    lead_periods: F32
    odds: F32
    lot_units: F32
    waste_price: F32
    lifo: F32
    open_today: F32


def question_from(
    *,
    lead_quantiles: npt.ArrayLike,
    lead_mean_units: npt.ArrayLike,
    cover_quantiles: npt.ArrayLike,
    cover_mean_units: npt.ArrayLike,
    on_hand_units: npt.ArrayLike,
    arriving_units: npt.ArrayLike = 0.0,
    arriving_bucket: npt.ArrayLike = float(KEEPS),
    pack_units: npt.ArrayLike = 1.0,
    min_order_units: npt.ArrayLike = 0.0,
    max_stock_units: npt.ArrayLike = NO_LIMIT_UNITS,
    presentation_units: npt.ArrayLike = 0.0,
    life_units: npt.ArrayLike = NO_LIMIT_UNITS,
    life_periods: npt.ArrayLike = 0.0,
    lead_periods: npt.ArrayLike = 0.0,
    odds: npt.ArrayLike = 19.0,
    lot_units: npt.ArrayLike = 0.0,
    waste_price: npt.ArrayLike = 0.0,
    lifo: npt.ArrayLike = 0.0,
    open_today: npt.ArrayLike = 1.0,
) -> Question:
    """A scalar stands for every SKU; on_hand_units of shape (n,) keeps for ever; NaN limits limit nothing.

    Raises ValueError that names the input, its limit and the first SKU that breaks it.
    """
    given = dict(locals())
    n = len(np.asarray(cover_quantiles))
    hand = np.asarray(on_hand_units, dtype=np.float32)
    if hand.ndim < 2:
        table = np.zeros((n, BUCKETS), dtype=np.float32)
        table[:, KEEPS] = hand
        given["on_hand_units"] = table
    for name in ("max_stock_units", "life_units"):
        limit = np.asarray(given[name], dtype=np.float32)
        given[name] = np.where(np.isnan(limit), np.float32(NO_LIMIT_UNITS), np.clip(limit, 0, NO_LIMIT_UNITS))
    question = Question(
        **{field.name: _shaped(given[field.name], n, field.name) for field in fields(Question)}
    )
    _check(question)
    return question


def _shaped(values: object, n: int, name: str) -> F32:
    array = np.asarray(values, dtype=np.float32)
    shape = (n, *_WIDE.get(name, ()))
    if array.shape not in ((), shape):
        raise ValueError(f"{name} must be one value or have shape {shape}, got {array.shape}")
    return np.ascontiguousarray(np.broadcast_to(array, shape))


def _check(question: Question) -> None:
    for field in fields(Question):
        values = getattr(question, field.name).reshape(len(question.odds), -1)
        if field.name == "on_hand_units":
            _require(~np.isinf(values).any(axis=1), "on_hand_units must not be infinite; NaN says unknown")
            continue
        fine = np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1)
        _require(fine, f"{field.name} must be finite and >= 0")
    for name in ("lead_quantiles", "cover_quantiles"):
        table = getattr(question, name).reshape(len(question.odds), -1, _LEVELS)
        _require((np.diff(table, axis=2) >= 0).all(axis=(1, 2)), f"{name} must not fall with the level")
    _require(question.pack_units >= 1, "pack_units must be >= 1")
    _require((question.arriving_bucket <= KEEPS).all(axis=1), f"arriving_bucket must be <= {KEEPS}")


def _require(good: npt.ArrayLike, message: str) -> None:
    if not np.all(good):
        raise ValueError(f"{message}; SKU number {int(np.argmin(good))} breaks it")
