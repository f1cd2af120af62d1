"""Fitting the networks of the heavy form: pinball loss for the quantiles, Tweedie deviance for the mean. numpy only."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import F32, I64
from models.quantile_network import DAY_LEVELS, INPUT_LIMIT, QuantileNetwork, heads, spread_of
from models.training.adam import Adam
from models.training.panel_examples import PanelExamples
from models.training.workers import ThisProcess, Workers

OnEpoch = Callable[[int, float], None]
_LEVELS: F32 = np.asarray(DAY_LEVELS, dtype=np.float32)
_TWEEDIE_POWER = 1.3
"""Between Poisson (1) and gamma (2): a day's variance grows with mean**1.3, as sales of single items do."""
_MEAN_SHARE = 0.3
_QUANTILE_SHARE = 4.0
_VISITS, _VISITS_OF_SHORT = 6_000_000, 3_000_000
_HIDDEN, _HIDDEN_OF_SHORT = (128, 64), (64, 32)
SHORT_DAYS = 120
"""Examples of fewer different days: a large network, or a long fit, learns those days by heart."""
_WARM_UP_STEPS = 200
_LEAST_BATCH_ROWS = 128
_LEAST_STEPS_AN_EPOCH = 150


@dataclass(frozen=True, slots=True)
class QuantileFit:
    """How to fit. scale_power: a series weighs 1 / scale**power in the pinball loss; 1 weighs all alike, 0 by units.

    Each of several networks leaves out a run of days of its own (see `left_out`). hidden: () is 128 and 64, or half of
    that for a short history. epochs: passes over the examples; 0 is as many as make six million visits (three of a short
    history), two to five.
    """

    hidden: tuple[int, ...] = ()
    epochs: int = 0
    batch_rows: int = 2048
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    scale_power: float = 0.5
    networks: int = 5
    seed: int = 1


def settled(fit: QuantileFit, examples: PanelExamples) -> QuantileFit:
    """The same with what it leaves to the examples said: few new ones teach more than many old ones again."""
    short = int(np.ptp(examples.day)) < SHORT_DAYS if len(examples.day) else True
    visits = _VISITS_OF_SHORT if short else _VISITS
    epochs = fit.epochs or min(max(round(visits / max(len(examples.day), 1)), 2), 5)
    return replace(fit, epochs=epochs, hidden=fit.hidden or (_HIDDEN_OF_SHORT if short else _HIDDEN))


def fit_ensemble(
    examples: PanelExamples, fit: QuantileFit, on_epoch: OnEpoch, workers: Workers | None = None
) -> tuple[QuantileNetwork, ...]:
    """Networks that differ by their seeds and the days they leave out, one job each. Standardises examples.rows in place: they serve for nothing else after."""
    fit, rows = settled(fit, examples), examples.rows
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = rows.std(axis=0, dtype=np.float64).astype(np.float32)
    # A column that never moved says nothing when it first does, such as a season of last year: it is muted.
    scale = np.where(spread > 1e-4, spread, 1e9).astype(np.float32)
    for start in range(0, len(rows), 65536):
        part = rows[start : start + 65536]
        np.clip((part - centre) / scale, -INPUT_LIMIT, INPUT_LIMIT, out=part)
    days_out = left_out(examples, fit.networks)
    if workers is None or isinstance(workers, ThisProcess):
        found = [
            _fitted(examples, days_out, number, fit, _counted_from(number * fit.epochs, on_epoch))
            for number in range(fit.networks)
        ]
    else:
        given = (workers.shared(examples), workers.shared(days_out))
        found = workers.map(_fitted_elsewhere, [(*given, number, fit) for number in range(fit.networks)])
    return tuple(QuantileNetwork(centre, scale, tuple(p[0::2]), tuple(p[1::2])) for p in found)


def _fitted_elsewhere(examples: PanelExamples, days_out: I64, number: int, fit: QuantileFit) -> list[F32]:
    return _fitted(examples, days_out, number, fit, lambda _epoch, _loss: None)


def _counted_from(before: int, on_epoch: OnEpoch) -> OnEpoch:
    return lambda epoch, loss: on_epoch(before + epoch, loss)


def left_out(examples: PanelExamples, networks: int) -> I64:
    """The network that does not learn from each example, (n,), -1 none: runs of days of equal length, one a network.

    All series share a day's weather, which a network learns by heart. So networks differ, and each can be asked about
    days that it never saw.
    """
    if networks == 1:
        return np.full(len(examples.day), -1, dtype=np.int64)
    first, last = int(examples.day.min()), int(examples.day.max())
    return np.asarray((examples.day - first) * networks // (last - first + 1), dtype=np.int64)


def _fitted(
    examples: PanelExamples, days_out: I64, number: int, fit: QuantileFit, on_epoch: OnEpoch
) -> list[F32]:
    usable = np.flatnonzero(days_out != number)
    random = np.random.default_rng(fit.seed + number)
    parameters = _start(examples.rows.shape[1], fit, random)
    adam = Adam(fit.weight_decay)
    weights = _Weights.of(examples, fit.scale_power)
    # Small tables take smaller batches: a fit needs some hundred steps.
    batch_rows = min(fit.batch_rows, max(_LEAST_BATCH_ROWS, len(usable) // _LEAST_STEPS_AN_EPOCH))
    batches = max(1, len(usable) // batch_rows)
    steps = batches * fit.epochs
    warm_up = min(_WARM_UP_STEPS, max(1, steps // 10))
    for epoch in range(fit.epochs):
        losses = []
        order = random.permutation(usable)
        for batch, rows in enumerate(np.array_split(order, batches)):
            loss, gradients = loss_and_gradients(parameters, examples, weights, rows)
            done = epoch * batches + batch
            rate = fit.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done / steps)))
            adam.step(parameters, gradients, rate * min(1.0, (done + 1) / warm_up))
            losses.append(loss)
        on_epoch(epoch + 1, float(np.mean(losses)))
    return parameters


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of each example in the two losses, (n,)."""

    quantile: F32
    mean: F32

    @classmethod
    def of(cls, examples: PanelExamples, scale_power: float) -> "_Weights":
        quantile = spread_of(examples.level) / (examples.scale + 0.1) ** scale_power
        mean = (examples.level + 0.1) ** (_TWEEDIE_POWER - 2)
        mean = mean / (mean * examples.level ** (2 - _TWEEDIE_POWER)).mean()
        return cls((quantile / quantile.mean()).astype(np.float32), mean.astype(np.float32))


def loss_and_gradients(
    parameters: list[F32], examples: PanelExamples, weights: _Weights, rows: I64
) -> tuple[float, list[F32]]:
    """Mean weighted pinball loss of the batch, and the gradients of both losses by each parameter."""
    layers = [examples.rows[rows]]
    for weight, bias in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        layers.append(np.maximum(layers[-1] @ weight + bias, 0))
    output = layers[-1] @ parameters[-2] + parameters[-1]
    level, units = examples.level[rows], examples.units[rows]
    mean, steps = heads(output, level)
    error = (units / spread_of(level))[:, None] - steps
    weight_q = weights.quantile[rows][:, None]
    loss = float((np.maximum(_LEVELS * error, (_LEVELS - 1) * error) * weight_q).mean())
    of_steps = np.where(error > 0, -_LEVELS, 1 - _LEVELS).astype(np.float32) * weight_q
    of_steps *= np.float32(_QUANTILE_SHARE / len(_LEVELS))
    # A quantile is the sum of all steps below it: its gradient reaches each of them.
    above = np.cumsum(of_steps[:, ::-1], axis=1)[:, ::-1]
    upstream = np.empty_like(output)
    upstream[:, 1] = above[:, 0]
    upstream[:, 2:] = above[:, 1:] / (1 + np.exp(-output[:, 2:]))
    of_mean = (mean - units) * mean ** (1 - _TWEEDIE_POWER) * weights.mean[rows]
    upstream[:, 0] = np.clip(of_mean, -8, 8) * _MEAN_SHARE
    upstream /= np.float32(len(rows))
    gradients: list[F32] = []
    for layer in range(len(layers) - 1, -1, -1):
        gradients[:0] = [layers[layer].T @ upstream, upstream.sum(axis=0)]
        if layer:
            upstream = (upstream @ parameters[2 * layer].T) * (layers[layer] > 0)
    return loss, gradients


def _start(n_in: int, fit: QuantileFit, random: np.random.Generator) -> list[F32]:
    """He 2015 initialisation; the last layer starts at the series' own level and evenly spaced quantiles."""
    parameters: list[F32] = []
    sizes = (n_in, *fit.hidden)
    for first, second in itertools.pairwise(sizes):
        parameters.append((random.standard_normal((first, second)) * np.sqrt(2 / first)).astype(np.float32))
        parameters.append(np.zeros(second, np.float32))
    count = len(DAY_LEVELS)
    parameters.append((random.standard_normal((sizes[-1], count + 1)) * 0.01).astype(np.float32))
    parameters.append(np.array([0.0, -0.5, *([-2.2] * (count - 1))], np.float32))
    return parameters
