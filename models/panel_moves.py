"""How all series move together, day by day: what a series sold beside what its kind of goods sold on the same days.

A level is a sum of sales over a sum of days. Where half of the days were sold out, the days that are left differ from
series to series: one is known by its Saturdays, another by its rain. So a day counts as much as it was worth to the
category: a level taken of such days is the series' own. And what groups sold of late over what their members usually sell
on such days is news that no member tells alone.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import F64, I64
from models.panel_groups import Group

MOVES_DAYS = 56
LATELY_DAYS = (1, 3, 7)
LEAST_MEMBERS = 100
"""Mean number of series of a group that days are weighed by: fewer say more of themselves than of the day."""
_OWN_DAYS = 1.0
"""So many days at the mean of all series stand beside each series' own."""
_CHAIN_SHARE = 0.5
"""A group's day is drawn to the chain's as by half of its usual sales."""
_LATELY_UNITS = 2.0


@dataclass(frozen=True, slots=True)
class Moves:
    """worth: (n_groups, MOVES_DAYS), what a day was to the series of a group, 1 a usual one. codes: of each series.

    lately: of each grouping, (n_groups, len(LATELY_DAYS)), logarithm of what its members sold over what they usually sell
    on such days.
    """

    worth: F64
    codes: I64
    lately: dict[str, F64]


def moves_of(groups: dict[str, Group], sold: F64, seen: F64) -> Moves:
    """sold, seen: (n_series, days), days >= MOVES_DAYS. Series of which nothing was seen move nobody."""
    sold, seen = sold[:, -MOVES_DAYS:], seen[:, -MOVES_DAYS:]
    mean = float(sold.sum() / max(float(seen.sum()), 1.0))
    usual = (sold.sum(1) + _OWN_DAYS * mean) / (seen.sum(1) + _OWN_DAYS)
    expected = seen * usual[:, None]
    everybody, tiny = expected.sum(0), 1e-9
    chain = np.where(everybody > 0, (sold.sum(0) + tiny) / (everybody + tiny), 1.0)
    group = _weighing(groups, seen)
    if group is None:
        worth, codes = chain[None], np.zeros(len(sold), dtype=np.int64)
    else:
        of_group = group.sums(expected)
        base = _CHAIN_SHARE * of_group.mean(axis=1, keepdims=True)
        worth, codes = (
            (group.sold[:, -MOVES_DAYS:] + base * chain + tiny) / (of_group + base + tiny),
            group.codes,
        )
    recent = expected[:, -max(LATELY_DAYS) :] * worth[:, -max(LATELY_DAYS) :][codes]
    return Moves(worth, codes, {name: _lately(each, recent) for name, each in groups.items()})


def _lately(group: Group, expected: F64) -> F64:
    of_group = group.sums(expected)
    return np.stack(
        [
            np.log(
                (group.sold[:, -days:].sum(1) + _LATELY_UNITS) / (of_group[:, -days:].sum(1) + _LATELY_UNITS)
            )
            for days in LATELY_DAYS
        ],
        axis=1,
    )


def _weighing(groups: dict[str, Group], seen: F64) -> Group | None:
    """The grouping with the most groups that are still large; by shop alone only where no other is."""
    met = seen.any(axis=1)
    large = {}
    for name, group in groups.items():
        count = len(np.unique(group.codes[met]))
        if count and met.sum() >= LEAST_MEMBERS * count:
            large[name] = count
    found = max(large, key=lambda name: (name != "store", large[name]), default=None)
    return None if found is None else groups[found]
