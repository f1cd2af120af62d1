"""What is missing, in whole packs: up or down by what each risks."""

import numpy as np

from models.arrays import F32

ROUND_UP_FROM = 0.1
"""Of a pack (or of the least order): what must be missing, at the least, for one more."""
UNIT_ROUND_UP_FROM = 0.5
"""The same of single units, which go to the nearest."""
LOGISTIC = 1.702
"""The logistic function of so many deviations is the normal law's, to 0.01 (Haley 1952)."""
LEAST_SLACK_UNITS = 0.25
LEAST_RISK = 0.002
"""A smaller gain in the chance to serve is none: it is within what float32 rounds, and no reason for another pack."""


def whole_packs(missing: F32, pack_units: F32, least: F32, slack: F32) -> F32:
    """Units to order, whole packs, at least `least` (whole packs too) or nothing: shape (n,), as the other inputs but slack.

    slack: what is in hand at the arrival less demand of the time covered, over the paths, shape (n, PATHS). Up where that leaves,
    on average over the pack, no larger a chance of serving the time covered than the missing units themselves would: too little
    costs more than too much as soon as a pack is large beside the spread.
    """
    begun = missing >= least
    base = np.where(begun, least + np.floor(np.maximum(missing - least, 0) / pack_units) * pack_units, 0)
    step = np.where(begun, pack_units, least)
    mean = slack.mean(axis=1)
    spread = np.sqrt(((slack - mean[:, None]) ** 2).mean(axis=1))
    steep = np.float32(LOGISTIC) / np.maximum(spread, np.float32(LEAST_SLACK_UNITS))
    above, below = (np.logaddexp(0, steep * (units + mean)) for units in (base + step, base))
    at_target = 1 / (1 + np.exp(-np.clip(steep * (missing + mean), -60, 60)))
    over = missing - base
    risk = above - below <= (at_target - np.float32(LEAST_RISK)) * steep * step
    up = np.where(step > 1, risk & (over >= ROUND_UP_FROM * step), over >= UNIT_ROUND_UP_FROM)
    return np.asarray(np.where(missing > 0, base + up * step, 0), dtype=np.float32)
