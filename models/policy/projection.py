"""What will be in hand when an order placed now arrives: the projected inventory level, over a fixed set of demand paths.

A path takes each day's demand from another slice of that day's law; every slice is used once a day (a Latin hypercube), so
means are exact, and the days' slices are uncorrelated (Owen 1994, ranked Gram-Schmidt), so that sums over days spread as
they should. The set is small and fixed: equal inputs give equal orders, and the graph does the same, operation by operation.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from models.arrays import F64, I64
from models.policy.instance import LIFO, Instance

PATHS = 64
MAX_DAYS = 28


@dataclass(frozen=True, slots=True)
class Outlook:
    """One entry a state, at the moment when the order arrives, before it is put to the rest. All shape (n,), units.

    level_units, level_std_units: mean and spread of what is in hand, less what customers wait for. empty_share: of the paths
    with nothing in hand. lost_units, waste_units: demand lost and units expired on the way. last_day_units: of the level, what expires
    at the end of that day.
    """

    level_units: F64
    level_std_units: F64
    empty_share: F64
    lost_units: F64
    waste_units: F64
    last_day_units: F64


@cache
def path_slices() -> I64:
    """Which slice of each day's law each path takes, 0..PATHS-1, shape (PATHS, MAX_DAYS)."""
    state = 12345
    keys = np.empty((PATHS, MAX_DAYS))
    for day in range(MAX_DAYS):
        for path in range(PATHS):
            state = (
                1103515245 * state + 12345
            ) % 2**31  # the C standard's example: the same numbers everywhere
            keys[path, day] = (state >> 8) / 2**23
    slices = keys.argsort(axis=0).argsort(axis=0)
    for _ in range(60):
        for day in range(1, MAX_DAYS):
            centred = slices - (PATHS - 1) / 2
            before = centred[:, :day]
            share = np.linalg.lstsq(before, centred[:, day], rcond=None)[0]
            left = np.round(centred[:, day] - before @ share, 9)
            slices[:, day] = left.argsort(kind="stable").argsort(kind="stable")
    return slices


def slice_means(law: F64, slices: int = PATHS) -> F64:
    """Mean demand in each of `slices` equally likely slices of the law, rising; their mean is the law's."""
    units = np.arange(len(law))
    below = np.concatenate([[0.0], np.cumsum(law)])
    below[-1] = 1.0
    partial = np.concatenate([[0.0], np.cumsum(law * units)])
    edges = np.linspace(0, 1, slices + 1)
    at = np.clip(np.searchsorted(below, edges, side="right") - 1, 0, len(law) - 1)
    return np.asarray(np.diff(partial[at] + (edges - below[at]) * at) * slices)


def outlook_of(instance: Instance, states: I64) -> Outlook:
    """states: as models.policy.lattice has them, shape (n, coordinates)."""
    lead = instance.lead_periods
    paths = slice_means(instance.law)[path_slices()[:, : max(lead, 1)]]
    life = instance.life_periods or 1
    hand = [states[:, age, None] + np.zeros((1, PATHS)) for age in range(life)]
    arriving = states[:, life:]
    lost = np.zeros((len(states), PATHS))
    waste = np.zeros((len(states), PATHS))
    for day in range(lead):
        wanted = paths[None, :, day] + np.zeros((len(states), 1))
        owed = np.minimum(hand[-1], 0)
        if instance.by_position:
            hand[0] = hand[0] - wanted
        else:
            hand[-1] = np.maximum(hand[-1], 0)
            order = reversed(range(life)) if instance.issuing == LIFO else range(life)
            for age in order:
                taken = np.minimum(hand[age], wanted)
                hand[age] = hand[age] - taken
                wanted = wanted - taken
            if instance.waits:
                owed = owed - wanted
            else:
                lost += wanted
        fresh = arriving[:, day, None] if day < arriving.shape[1] else 0.0
        if instance.life_periods is None:
            hand[0] = hand[0] + fresh
        else:
            waste += hand[0]
            hand = [*hand[1:], owed + fresh]
    level = np.sum(hand, axis=0)
    return Outlook(
        level_units=level.mean(axis=1),
        level_std_units=level.std(axis=1),
        empty_share=(level < 0.5).mean(axis=1),
        lost_units=lost.mean(axis=1),
        waste_units=waste.mean(axis=1),
        last_day_units=np.zeros(len(states))
        if instance.life_periods is None
        else np.maximum(hand[0], 0).mean(axis=1),
    )
