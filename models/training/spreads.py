"""How wide the bands are to be: measured on days that a network never saw.

A network's quantiles fit the days it learned from; on other days its errors are larger, the more so the fewer days it
saw. Each network left out a run of days (quantile_fit.left_out): there the distances from the median are stretched so
that the pinball loss is least, below and above it apart.
"""

import numpy as np

from models.arrays import F32, I64
from models.quantile_network import DAY_LEVELS, QuantileNetwork
from models.training.panel_examples import PanelExamples
from models.training.quantile_fit import left_out

Spread = tuple[float, float]
"""(below, above): by how much distances from the median are stretched."""
CLASS_LEVELS = (0.3, 2.0)
"""Units a day that part slow, middling and busy series: they err, and their days move together, differently."""
UNCHANGED = ((1.0, 1.0),) * (len(CLASS_LEVELS) + 1)
CANDIDATES = tuple(round(0.8 + 0.05 * step, 2) for step in range(17))
_ROWS_A_NETWORK = 30_000
_LEAST_ROWS = 2000
_MEDIAN = DAY_LEVELS.index(0.5)


def with_spreads(quantiles: F32, level: F32, spreads: tuple[Spread, ...]) -> F32:
    """quantiles: (n, ..., K) at DAY_LEVELS, units; level: (n,). The same shape, never below 0, never crossing."""
    table = np.asarray(spreads, dtype=np.float32)[np.searchsorted(CLASS_LEVELS, level)]
    shape = (len(level), *[1] * (quantiles.ndim - 1))
    return stretched(quantiles, table[:, 0].reshape(shape), table[:, 1].reshape(shape))


def fitted_spreads(examples: PanelExamples, networks: tuple[QuantileNetwork, ...]) -> tuple[Spread, ...]:
    """For each class of CLASS_LEVELS; 1 where fewer than 2,000 examples of it were left out. examples: standardised."""
    if len(networks) == 1:
        return UNCHANGED
    out = left_out(examples, len(networks))
    parts = []
    for number, network in enumerate(networks):
        rows = np.flatnonzero((out == number) & ~examples.is_new)
        rows = rows[:: max(1, len(rows) // _ROWS_A_NETWORK)]
        parts.append((rows, network.predict(examples.rows[rows], examples.level[rows])[1]))
    rows = np.concatenate([part[0] for part in parts])
    quantiles = np.concatenate([part[1] for part in parts])
    place = np.searchsorted(CLASS_LEVELS, examples.level[rows])
    return tuple(
        _best(examples, rows[place == number], quantiles[place == number])
        for number in range(len(CLASS_LEVELS) + 1)
    )


def _best(examples: PanelExamples, rows: I64, quantiles: F32) -> Spread:
    if len(rows) < _LEAST_ROWS:
        return (1.0, 1.0)
    units = examples.units[rows][:, None]
    weight = 1 / (examples.scale[rows] + 0.1)
    levels = np.asarray(DAY_LEVELS, dtype=np.float32)
    losses = np.empty((2, len(CANDIDATES)))
    for place, candidate in enumerate(CANDIDATES):
        error = units - np.rint(stretched(quantiles, candidate, candidate))
        loss = np.maximum(levels * error, (levels - 1) * error) * weight[:, None]
        losses[:, place] = loss[:, :_MEDIAN].sum(), loss[:, _MEDIAN + 1 :].sum()
    return CANDIDATES[int(np.argmin(losses[0]))], CANDIDATES[int(np.argmin(losses[1]))]


def stretched(quantiles: F32, below: F32 | float, above: F32 | float) -> F32:
    """Distances from the median, (..., K) at DAY_LEVELS, times `below` and `above` it."""
    middle = quantiles[..., _MEDIAN : _MEDIAN + 1]
    away = quantiles - middle
    return np.asarray(np.maximum(middle + away * np.where(away < 0, below, above), 0), dtype=np.float32)
