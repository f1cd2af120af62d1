"""Fits the replenishment network on lessons by gradient, in numpy: the same lessons and settings give the same network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import F32
from models.policy.features import N_FEATURES, N_PROBLEM_FEATURES, lot_periods
from models.policy.network import OUTPUTS, Layers, PolicyNetwork, state_share
from models.training.adam import Adam
from models.training.policy_lessons import MAX_ORDER, Lessons

Say = Callable[[str], None]
LEAST_SOFTNESS = 0.05
_SHAKE = 0.8
_PULL = 1e-3
_WARM_UP = 0.1
_MOST_GRADIENT = 1.0
_LAYERS = 3


@dataclass(frozen=True, slots=True)
class PolicyFit:
    """epochs: passes over the lessons. hidden: width of both layers. batch: rows a step. rate: the highest, after the warm-up.

    plain_weight: how often lessons without a fixed cost count: theirs are the small gaps, and the orders that gateways place.
    """

    epochs: int = 60
    hidden: int = 64
    batch: int = 2048
    rate: float = 3e-3
    weight_decay: float = 1e-4
    plain_weight: float = 1.0
    seed: int = 1


def fit_policy(lessons: Lessons, validation: Lessons, fit: PolicyFit, say: Say) -> PolicyNetwork:
    """The network with the least validation gap, all epochs considered."""
    random = np.random.default_rng(fit.seed)
    centre = lessons.features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.maximum(lessons.features.std(axis=0, dtype=np.float64), 1e-2).astype(np.float32)
    training, held = (_Rows(part, centre, scale, fit.plain_weight) for part in (lessons, validation))
    parameters = [
        *_start(N_PROBLEM_FEATURES, fit.hidden, OUTPUTS, random),
        *_start(N_FEATURES, fit.hidden, 1, random),
    ]
    adam = Adam(fit.weight_decay)
    batches = len(training.weight) // fit.batch + 1
    best, kept = np.inf, _exported(parameters, centre, scale)
    for epoch in range(fit.epochs):
        order, total = random.permutation(len(training.weight)), 0.0
        softness = _softness(epoch / fit.epochs)
        for batch, rows in enumerate(np.array_split(order, batches)):
            loss, gradients = training.gap(parameters, rows, softness, random)
            _clipped(gradients)
            adam.step(parameters, gradients, fit.rate * _pace((epoch + batch / batches) / fit.epochs))
            total += loss * len(rows)
        found = held.rounded_gap(parameters)
        if found < best:
            best, kept = found, _exported(parameters, centre, scale)
        say(
            f"epoch {epoch + 1}/{fit.epochs}: lessons {100 * total / len(order):.3f} %, validation {100 * found:.3f} %"
        )
    return kept


def _softness(progress: float) -> float:
    """Of the decision to order at all, as a share of the room: sharper as the fit goes on."""
    return 0.25 * max(1 - 1.3 * progress, 0.0) + LEAST_SOFTNESS


def _pace(progress: float) -> float:
    """Of the highest rate: rises for the warm-up, then falls by a half cosine to nothing (Smith & Topin 2018)."""
    if progress < _WARM_UP:
        return 0.04 + 0.96 * progress / _WARM_UP
    return 0.5 * (1 + float(np.cos(np.pi * (progress - _WARM_UP) / (1 - _WARM_UP))))


def _start(inputs: int, hidden: int, outputs: int, random: np.random.Generator) -> list[F32]:
    """Weights within 1 / sqrt(inputs), a last layer that says next to nothing."""
    parameters: list[F32] = []
    for first, second, share in ((inputs, hidden, 1.0), (hidden, hidden, 1.0), (hidden, outputs, 0.1)):
        bound = first**-0.5
        parameters.append((random.uniform(-bound, bound, (first, second)) * share).astype(np.float32))
        parameters.append(
            (random.uniform(-bound, bound, second) if share == 1.0 else np.zeros(second)).astype(np.float32)
        )
    return parameters


class _Rows:
    def __init__(self, lessons: Lessons, centre: F32, scale: F32, plain_weight: float = 1.0) -> None:
        self._x = ((lessons.features - centre) / scale).astype(np.float32)
        self._share = state_share(lessons.features)
        self._log_odds = lessons.features[:, 0]
        self._mean, self._spread, self._lot, self._level, self._step = (
            column.copy() for column in lessons.scales.T
        )
        periods, _ = lot_periods(self._lot.astype(np.float64), self._mean.astype(np.float64))
        self._periods = periods.astype(np.float32)
        self._advantage = lessons.advantage
        instances = len(np.unique(lessons.of))
        # Scaled so that the mean over all rows is the mean gap of the instances, each as often as it counts.
        often = np.where(self._lot > 0, np.float32(1), np.float32(plain_weight))
        counted = float(often[np.unique(lessons.of, return_index=True)[1]].mean(dtype=np.float64)) * instances
        self.weight = lessons.weight * often * np.float32(len(lessons.weight) / counted)

    def gap(
        self, parameters: list[F32], rows: np.ndarray, softness: float, random: np.random.Generator
    ) -> tuple[float, list[F32]]:
        """The mean gap with the order between two whole ones and the decision to order softened, and its gradients."""
        x, share, lot = self._x[rows], self._share[rows], self._lot[rows]
        of_problem, of_state = parameters[: 2 * _LAYERS], parameters[2 * _LAYERS :]
        seen, out = _forward(of_problem, x[:, :N_PROBLEM_FEATURES])
        seen_state, correction = _forward(of_state, x)
        missing, room = self._wanted(rows, out, correction[:, 0])
        # Costs of lots have several valleys: shaking the order at first lets the deepest be felt.
        shake = np.float32((softness - LEAST_SOFTNESS) * _SHAKE)
        missing = missing + shake * lot * random.standard_normal(len(rows), dtype=np.float32)
        none = self._advantage[rows, 0].astype(np.float32)
        paid, slope = self._between(rows, missing)
        soft = np.float32(softness) * lot + np.float32(0.15)
        chance = np.where(lot > 0, 1 / (1 + np.exp(np.clip((room - missing) / soft, -60, 60))), 1).astype(
            np.float32
        )
        # A slope below zero units, so that a level far too low still feels which way is up.
        low = np.maximum(-missing / self._spread[rows] - 2, 0)
        weight = self.weight[rows]
        loss = float(((chance * paid + (1 - chance) * none + _PULL * low) * weight).mean())
        turn = np.where(lot > 0, chance * (1 - chance) / soft * (paid - none), 0)
        each = weight / np.float32(len(rows))
        of_missing = each * (chance * slope + turn - np.where(low > 0, _PULL / self._spread[rows], 0))
        of_room = -each * turn * lot / (1 + np.exp(-np.clip(out[:, 2], -30, 30)))
        up = np.stack([of_missing * self._spread[rows], of_missing * lot, of_room], axis=1).astype(np.float32)
        up_state = (up[:, 0] * share)[:, None]
        return loss, [*_backward(of_problem, seen, up), *_backward(of_state, seen_state, up_state)]

    def rounded_gap(self, parameters: list[F32]) -> float:
        """The mean gap of whole orders, as they are placed."""
        _, out = _forward(parameters[: 2 * _LAYERS], self._x[:, :N_PROBLEM_FEATURES])
        _, correction = _forward(parameters[2 * _LAYERS :], self._x)
        rows = np.arange(len(self.weight))
        missing, room = self._wanted(rows, out, correction[:, 0])
        order = np.maximum(np.floor(missing + 0.5), 0)
        order = np.where((self._lot > 0) & (missing <= room), 0, order)
        column = np.minimum(np.rint(order / self._step), MAX_ORDER).astype(np.int64)
        return float((self._advantage[rows, column] * self.weight).mean(dtype=np.float64))

    def _wanted(self, rows: np.ndarray, out: F32, correction: F32) -> tuple[F32, F32]:
        """Units missing, and the room: what models.policy.network.target_of says, less the level."""
        spreads = out[:, 0] + correction * self._share[rows] + np.float32(0.5) * self._log_odds[rows]
        up_to = (
            self._mean[rows] * self._periods[rows]
            + self._spread[rows] * spreads
            + self._lot[rows] * out[:, 1]
        )
        return np.maximum(up_to, 0) - self._level[rows], self._lot[rows] * np.logaddexp(
            np.float32(0), out[:, 2]
        )

    def _between(self, rows: np.ndarray, units: F32) -> tuple[F32, F32]:
        """What an order between two whole ones pays, on a straight line between them, and the line's slope."""
        step = self._step[rows]
        columns = units / step
        inside = np.clip(columns, 0, MAX_ORDER - 1e-3)
        low = np.floor(inside).astype(np.int64)
        first, second = (self._advantage[rows, place].astype(np.float32) for place in (low, low + 1))
        slope = second - first
        paid = first + slope * (inside - low).astype(np.float32)
        return paid, np.where((columns > 0) & (columns < MAX_ORDER - 1e-3), slope / step, np.float32(0))


def _forward(layers: list[F32], x: F32) -> tuple[list[F32], F32]:
    seen = [x]
    for weight, bias in zip(layers[0:-2:2], layers[1:-2:2], strict=True):
        seen.append(np.tanh(seen[-1] @ weight + bias))
    return seen, seen[-1] @ layers[-2] + layers[-1]


def _backward(layers: list[F32], seen: list[F32], up: F32) -> list[F32]:
    gradients: list[F32] = []
    for layer in range(len(seen) - 1, -1, -1):
        gradients[:0] = [seen[layer].T @ up, up.sum(axis=0)]
        if layer:
            up = (up @ layers[2 * layer].T) * (1 - seen[layer] ** 2)
    return gradients


def _clipped(gradients: list[F32]) -> None:
    length = float(np.sqrt(sum(float((part.astype(np.float64) ** 2).sum()) for part in gradients)))
    if length > _MOST_GRADIENT:
        for part in gradients:
            np.multiply(part, np.float32(_MOST_GRADIENT / length), out=part)


def _exported(parameters: list[F32], centre: F32, scale: F32) -> PolicyNetwork:
    copies = [part.copy() for part in parameters]
    first, second = copies[: 2 * _LAYERS], copies[2 * _LAYERS :]
    return PolicyNetwork(
        centre=centre,
        scale=scale,
        of_problem=Layers(tuple(first[0::2]), tuple(first[1::2])),
        of_state=Layers(tuple(second[0::2]), tuple(second[1::2])),
    )
