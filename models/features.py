"""Features of demand, one row per (SKU, day of the horizon): the one implementation, for training and serving.

Levels enter as logarithms and as ratios to the SKU's own level, so that one model serves fast and slow sellers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from contract.records import MAX_HORIZON_DAYS
from models.arrays import F32, F64, row_medians, row_sum
from models.censoring import recovered_history
from models.known_days import KNOWN_DAY_FEATURES, KnownDays, known_days_from, write_known_day_features

HISTORY_DAYS = 56
"""The days before the first forecast day that features look at; older columns are ignored, missing ones unknown."""
MAX_DAY_UNITS = 100_000.0
SPIKE_RATIO = 15.0
"""A day above so many usual selling days is cut: a keying error or one caterer, not demand to stock for."""
_HALF_LIFE_DAYS = 14.0
_PRIOR_DAYS = 2.0
_PRIOR_UNITS = 0.1
_SOFT = 0.1
"""Added above and below every ratio, in units a day: nothing sold is no ratio of minus infinity."""

SKU_FEATURES = (
    "log_level", "week_ratio", "fortnight_ratio", "four_week_ratio", "eight_week_ratio", "trend",
    "selling_share_28", "selling_share_7", "log_basket", "log_overdispersion", "quiet_days", "known_share_28",
    "known_share_56", "last_day_ratio", "peak_ratio", "category_ratio", "category_known",
)  # fmt: skip
DAY_FEATURES = (
    "weekday_ratio", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    "horizon", "log_horizon", "log_price_ratio", "price_known",
)  # fmt: skip
FEATURE_NAMES = SKU_FEATURES + DAY_FEATURES + KNOWN_DAY_FEATURES
PRICE_RATIOS = (0.4, 2.5)
"""Of the usual price: no shelf price moves further within four weeks, and a network is not to guess what would happen."""
FEATURES_REVISION = 2
"""Rises with any change of a formula below, so that a bundle refuses features that it was not trained on."""
FEATURES_BY_REVISION = {1: SKU_FEATURES + DAY_FEATURES, 2: FEATURE_NAMES}
"""Every revision that this version can compute; a later one adds columns behind those of an earlier one."""


def features_sha256(revision: int = FEATURES_REVISION) -> str:
    """Identity of the features: their names, order and revision."""
    return hashlib.sha256(f"{revision}:{','.join(FEATURES_BY_REVISION[revision])}".encode()).hexdigest()


def revision_of(sha256: str) -> int | None:
    """The revision of FEATURES_BY_REVISION with this identity, None for features that this version does not know."""
    return next((each for each in FEATURES_BY_REVISION if features_sha256(each) == sha256), None)


def revision_with(columns: int) -> int:
    """The revision that has so many columns: each later one has more."""
    return next(each for each, names in FEATURES_BY_REVISION.items() if len(names) == columns)


@dataclass(frozen=True, slots=True)
class DemandInputs:
    """What is known of each SKU on the evening before `first_day`, cleaned.

    history: (n_sku, HISTORY_DAYS), units, NaN unknown, the last column is the day before first_day.
    price_ratio: (n_sku, horizon_days), the day's price over the SKU's mean price in the last 28 days, NaN unknown.
    category_level: (n_sku,), mean units a day of comparable SKUs in this shop, NaN unknown.
    """

    history: F64
    first_day: date
    price_ratio: F64
    category_level: F64
    cleaned_values: int
    """Values that no shop sells: negative or infinite ones, spikes that were cut, prices that were not believed; known days out of range."""
    known_days: Mapping[str, F64] = field(default_factory=dict)
    """Column of models.known_days -> (n_sku or 1, HISTORY_DAYS + horizon_days), NaN unknown; empty: nothing is known."""


def inputs_from(
    history: npt.ArrayLike,
    first_day: date,
    *,
    price_ratio: npt.ArrayLike | None = None,
    category_level: npt.ArrayLike | None = None,
    served_share: npt.ArrayLike | None = None,
    known_days: KnownDays | None = None,
    horizon_days: int = 14,
) -> DemandInputs:
    """Clean inputs of the shapes above, from histories of any length (0 days too).

    served_share: of history's shape, the share of each day's demand that the shelf could serve, 0 to 1; None: all of it.
    Days below 1 become what would have sold (models.censoring.recovered_history): demand, not sales.
    known_days: columns of models.known_days, (n_sku or 1, HISTORY_DAYS + horizon_days or more); a column or day that is not given is unknown.

    Unknown days (not yet listed, shop closed, gateway silent, sold out) must be NaN, not 0. A day of net returns
    (negative) counts as 0; an infinite value is unknown; a spike is cut to SPIKE_RATIO times the SKU's usual selling day;
    a price outside PRICE_RATIOS is a slip of the pen, and unknown.
    Raises ValueError when a shape is wrong; the message says which and what was expected.
    """
    if not 1 <= horizon_days <= MAX_HORIZON_DAYS:
        raise ValueError(f"horizon_days is {horizon_days}; the limit is 1..{MAX_HORIZON_DAYS}")
    units = np.asarray(history, dtype=np.float64)
    if units.ndim != 2:
        raise ValueError(f"history must have shape (n_sku, n_days), got {units.shape}")
    n_sku = units.shape[0]
    recent = np.full((n_sku, HISTORY_DAYS), np.nan)
    kept = min(units.shape[1], HISTORY_DAYS)
    if kept:
        recent[:, HISTORY_DAYS - kept :] = units[:, units.shape[1] - kept :]
    recent, cleaned = _clean(recent)
    ratio = _shaped(price_ratio, (n_sku, horizon_days), "price_ratio")
    believed = _believed(ratio)
    if served_share is not None:
        share = np.ones((n_sku, HISTORY_DAYS))
        given = _shaped(served_share, units.shape, "served_share")
        if kept:
            share[:, HISTORY_DAYS - kept :] = np.nan_to_num(given[:, units.shape[1] - kept :], nan=1.0)
        recent = recovered_history(recent, share)
    known, impossible = known_days_from(known_days, n_sku, HISTORY_DAYS, horizon_days)
    return DemandInputs(
        history=recent,
        first_day=first_day,
        price_ratio=np.where(believed, ratio, np.nan),
        category_level=_shaped(category_level, (n_sku,), "category_level"),
        cleaned_values=cleaned + impossible + int((~believed & ~np.isnan(ratio)).sum()),
        known_days=known,
    )


def demand_features(
    inputs: DemandInputs, horizon: npt.ArrayLike | None = None, revision: int = FEATURES_REVISION
) -> F32:
    """Finite features, shape (n_sku, n_days, len(FEATURES_BY_REVISION[revision])).

    horizon: which days ahead, 0 is first_day; all of inputs.price_ratio's columns when None.
    """
    columns = inputs.price_ratio.shape[1]
    ahead = np.arange(columns) if horizon is None else np.asarray(horizon, dtype=np.int64)
    level = smoothed_level(inputs.history, inputs.category_level)
    of_sku = np.stack(_sku_columns(inputs, level), axis=1)
    first = FEATURES_BY_REVISION[1]
    out = np.empty((len(level), len(ahead), len(FEATURES_BY_REVISION[revision])), dtype=np.float32)
    out[:, :, : len(SKU_FEATURES)] = of_sku[:, None, :]
    for place, days_ahead in enumerate(ahead):
        out[:, place, len(SKU_FEATURES) : len(first)] = np.stack(
            _day_columns(inputs, level, int(days_ahead)), axis=1
        )
    if revision >= 2:
        write_known_day_features(out[:, :, len(first) :], inputs.known_days, inputs.history, level, ahead)
    return np.clip(out, -20, 20, out=out)


def smoothed_level(history: F64, category_level: F64) -> F64:
    """Units a day with a half-life of 14 days, drawn to the category's level (else 0.1) as by two days' evidence."""
    age = np.arange(HISTORY_DAYS - 1, -1, -1, dtype=np.float64)
    weight = 0.5 ** (age / _HALF_LIFE_DAYS)
    known = ~np.isnan(history)
    prior = np.where(np.isnan(category_level), _PRIOR_UNITS, category_level)
    sold = row_sum(np.where(known, history, 0.0) * weight)
    days = row_sum(known * weight)
    return np.maximum((sold + _PRIOR_DAYS * prior) / (days + _PRIOR_DAYS), 1e-3)


def weekday_level(inputs: DemandInputs, level: F64, days_ahead: int) -> F64:
    """Mean units on the weekday that is `days_ahead`, over eight weeks, drawn to `level` as by two such days."""
    same = inputs.history[:, days_ahead % 7 :: 7]
    known = ~np.isnan(same)
    return (row_sum(np.where(known, same, 0.0)) + 2 * level) / (row_sum(known) + 2)


def _sku_columns(inputs: DemandInputs, level: F64) -> list[F64]:
    units = inputs.history
    known = ~np.isnan(units)
    sold = np.where(known, units, 0.0)
    selling = (sold > 0).astype(np.float64)
    days_28, days_56 = row_sum(known[:, -28:]), row_sum(known)

    def ratio(first: int, last: int | None = None) -> F64:
        span = slice(-first, last if last is None else -last)
        days = row_sum(known[:, span])
        mean = np.where(days > 0, row_sum(sold[:, span]) / np.maximum(days, 1), level)
        return np.log((mean + _SOFT) / (level + _SOFT))

    mean_56 = row_sum(sold) / np.maximum(days_56, 1)
    squares = row_sum(np.where(known, (units - mean_56[:, None]) ** 2, 0.0)) / np.maximum(days_56 - 1, 1)
    # (variance - mean) / mean**2, drawn to 0.5 where a week or less is known.
    excess = np.clip((squares - mean_56) / np.maximum(mean_56, 0.02) ** 2, 0, 20)
    overdispersion = (excess * days_56 + 0.5 * 7) / (days_56 + 7)
    last_sale = np.where(selling > 0, np.arange(HISTORY_DAYS), -1).max(axis=1)
    quiet = (HISTORY_DAYS - 1 - last_sale) / HISTORY_DAYS
    basket = row_sum(sold) / np.maximum(row_sum(selling), 1)
    last_day = np.where(known[:, -1], sold[:, -1], level)
    category_known = ~np.isnan(inputs.category_level)
    category = np.where(category_known, inputs.category_level, level)
    return [
        np.log(level),
        ratio(7),
        ratio(14),
        ratio(28),
        ratio(56),
        ratio(14) - ratio(28, 14),
        row_sum(selling[:, -28:]) / np.maximum(days_28, 1),
        row_sum(selling[:, -7:]) / np.maximum(row_sum(known[:, -7:]), 1),
        np.log(np.maximum(basket, 1)),
        np.log(overdispersion + 0.05),
        quiet,
        days_28 / 28,
        days_56 / HISTORY_DAYS,
        np.log((last_day + 0.5) / (level + 0.5)),
        np.log((sold[:, -28:].max(axis=1) + 0.5) / (level + 0.5)),
        np.log((category + _SOFT) / (level + _SOFT)),
        category_known.astype(np.float64),
    ]


def _day_columns(inputs: DemandInputs, level: F64, days_ahead: int) -> list[F64]:
    n_sku = len(level)
    weekday = (inputs.first_day + timedelta(days=days_ahead)).weekday()
    price = inputs.price_ratio[:, min(days_ahead, inputs.price_ratio.shape[1] - 1)]
    price_known = ~np.isnan(price)
    return [
        np.log((weekday_level(inputs, level, days_ahead) + _SOFT) / (level + _SOFT)),
        *(np.full(n_sku, float(day == weekday)) for day in range(7)),
        np.full(n_sku, days_ahead / MAX_HORIZON_DAYS),
        np.full(n_sku, np.log1p(days_ahead) / 3.5),
        np.log(np.clip(np.where(price_known, price, 1.0), 0.2, 5.0)),
        price_known.astype(np.float64),
    ]


def _clean(units: F64) -> tuple[F64, int]:
    """The history within bounds, and how many known values had to change for it."""
    bounded = np.where(np.isfinite(units), np.clip(units, 0.0, MAX_DAY_UNITS), np.nan)
    usual = np.zeros(units.shape[0])
    rows = np.flatnonzero((bounded > 0).any(axis=1))
    if len(rows):
        usual[rows] = row_medians(np.where(bounded[rows] > 0, bounded[rows], np.nan))
    cleaned = np.minimum(bounded, (SPIKE_RATIO * np.maximum(usual, 1.0))[:, None])
    return cleaned, int(((cleaned != units) & ~np.isnan(units)).sum())


def usual_price(past: F64) -> F64:
    """(n,) from (n, days), NaN unknown: the mean of the prices within PRICE_RATIOS of their median; NaN where none is known."""
    out = np.full(len(past), np.nan)
    rows = np.flatnonzero((past > 0).any(axis=1))
    if len(rows):
        known = np.where(past[rows] > 0, past[rows], np.nan)
        near = _believed(known / row_medians(known)[:, None])
        out[rows] = np.where(near, known, 0).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
    return np.where(out > 0, out, np.nan)


def _believed(ratio: F64) -> npt.NDArray[np.bool_]:
    return np.asarray((ratio >= PRICE_RATIOS[0]) & (ratio <= PRICE_RATIOS[1]))


def _shaped(values: npt.ArrayLike | None, shape: tuple[int, ...], name: str) -> F64:
    if values is None:
        return np.full(shape, np.nan)
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return np.where(np.isfinite(array) & (array >= 0), np.minimum(array, MAX_DAY_UNITS), np.nan)
