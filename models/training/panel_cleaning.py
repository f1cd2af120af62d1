"""What is done with sales that no shop could have had, each counted under its name."""

from dataclasses import dataclass, field

import numpy as np

from models.arrays import F32, I64
from models.features import MAX_DAY_UNITS, SPIKE_RATIO

UNIT_CHANGE_RATIO = 6.0
"""A SKU whose selling days rise or fall at once by such a factor, and stay, is counted in another unit since."""
_LEAST_SELLING_DAYS = 6
_NOT_IN_ORDER = 0.1


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many values were changed or set aside, by what they were."""

    counts: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [f"{count} {what}" for what, count in self.counts.items() if count]


def cleaned_units(units: F32, listed_from: I64 | None) -> tuple[F32, Cleaned]:
    """Units within bounds, NaN unknown, and what was done.

    A negative day (net returns) sold 0; an infinite one is unknown; a spike is cut to 15 usual selling days; days before
    the first sale (or before listed_from) are unknown; so is what a SKU sold in another unit.
    """
    out = units.copy()
    infinite, negative = np.isinf(out), out < 0
    out[infinite] = np.nan
    out[negative & ~infinite] = 0
    sold = out > 0
    first = np.where(sold.any(1), np.argmax(sold, 1), 0) if listed_from is None else listed_from
    out[np.arange(out.shape[1])[None, :] < first[:, None]] = np.nan
    changed = _forget_other_units(out)
    limit = np.full(len(out), MAX_DAY_UNITS, dtype=np.float32)
    rows = np.flatnonzero((out > 0).any(1))
    if len(rows):
        usual = np.nanmedian(np.where(out[rows] > 0, out[rows], np.nan), axis=1)
        limit[rows] = np.minimum(SPIKE_RATIO * np.maximum(usual, 1.0), MAX_DAY_UNITS)
    spikes = out > limit[:, None]
    np.minimum(out, limit[:, None], out=out)
    counts = {
        "negative days taken as 0": int(negative.sum()),
        "infinite days taken as unknown": int(infinite.sum()),
        "spikes cut": int(spikes.sum()),
        "SKUs counted in another unit, their earlier days unknown": changed,
    }
    return out, Cleaned(counts)


def _forget_other_units(units: F32) -> int:
    """Sets the days before a change of unit unknown, in place; how many series changed."""
    changed = 0
    sold = np.where(units > 0, units, np.nan)
    enough = np.flatnonzero((units > 0).sum(1) >= 2 * _LEAST_SELLING_DAYS)
    if not len(enough):
        return 0
    # A quick sieve: without a wide spread between its quartiles' days no series can have changed.
    low, high = np.nanquantile(sold[enough], [0.1, 0.9], axis=1)
    for row in enough[high >= UNIT_CHANGE_RATIO * 0.8 * low]:
        days = np.flatnonzero(units[row] > 0)
        place = _change_at(units[row, days])
        if place is not None:
            units[row, : days[place]] = np.nan
            changed += 1
    return changed


def _change_at(values: F32) -> int | None:
    """The selling day from which the unit is another: medians apart by the ratio, and the two parts barely overlap."""
    logs = np.log(values.astype(np.float64))
    count = len(logs)
    places = np.arange(_LEAST_SELLING_DAYS, count - _LEAST_SELLING_DAYS + 1)
    sums = np.cumsum(logs)
    before, after = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (count - places)
    place = int(places[np.argmax(np.abs(after - before) * np.sqrt(places * (count - places)))])
    parts = logs[:place], logs[place:]
    low, high = sorted(parts, key=lambda part: float(np.median(part)))
    if np.median(high) - np.median(low) < np.log(UNIT_CHANGE_RATIO):
        return None
    middle = (np.median(low) + np.median(high)) / 2
    apart = (low > middle).mean() <= _NOT_IN_ORDER and (high < middle).mean() <= _NOT_IN_ORDER
    return place if apart else None
