"""Fits the replenishment network on lessons by gradient, in PyTorch (extra `train-policy`): needed nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from models.arrays import F32
from models.policy.features import LOST_COLUMN, LOT_COLUMN, N_FEATURES, N_PROBLEM_FEATURES, lot_periods
from models.policy.network import OUTPUTS, Layers, PolicyNetwork
from models.training.policy_lessons import MAX_ORDER, Lessons

Say = Callable[[str], None]
LEAST_SOFTNESS = 0.02


@dataclass(frozen=True, slots=True)
class PolicyFit:
    """batch: rows a step. hidden: width of both layers."""

    epochs: int = 60
    hidden: int = 64
    batch: int = 2048
    rate: float = 3e-3
    seed: int = 1


class _Net:
    """models.policy.network.PolicyNetwork, with gradients."""

    def __init__(self, hidden: int) -> None:
        self.of_problem = _layers(N_PROBLEM_FEATURES, hidden, OUTPUTS)
        self.of_state = _layers(N_FEATURES, hidden, 1)

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.of_problem.parameters(), *self.of_state.parameters()]

    def __call__(self, x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.of_problem(x[:, :N_PROBLEM_FEATURES])
        correction = self.of_state(x)[:, 0] * share
        return torch.cat([(out[:, 0] + correction)[:, None], out[:, 1:]], dim=1)


def _layers(inputs: int, hidden: int, outputs: int) -> torch.nn.Sequential:
    last = torch.nn.Linear(hidden, outputs)
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.zero_()
    tanh = torch.nn.Tanh
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), tanh(), torch.nn.Linear(hidden, hidden), tanh(), last
    )


def fit_policy(lessons: Lessons, validation: Lessons, fit: PolicyFit, say: Say) -> PolicyNetwork:
    """The network with the least validation gap, all epochs considered."""
    torch.manual_seed(fit.seed)
    torch.set_num_threads(1)
    centre = lessons.features.mean(axis=0)
    scale = np.maximum(lessons.features.std(axis=0), 1e-2)
    net = _Net(fit.hidden)
    training, held = _Tensors(lessons, centre, scale), _Tensors(validation, centre, scale)
    steps = fit.epochs * (len(training.weight) // fit.batch + 1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=fit.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, fit.rate, total_steps=steps, pct_start=0.1)
    best, kept = np.inf, _exported(net, centre, scale)
    for epoch in range(fit.epochs):
        order = torch.randperm(len(training.weight))
        total = 0.0
        for start in range(0, len(order), fit.batch):
            rows = order[start : start + fit.batch]
            loss = training.gap(net, rows, softness=_softness(epoch / fit.epochs))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
        with torch.no_grad():
            found = held.rounded_gap(net)
        if found < best:
            best, kept = found, _exported(net, centre, scale)
        say(
            f"epoch {epoch + 1}/{fit.epochs}: lessons {100 * total / len(order):.3f} %, validation {100 * found:.3f} %"
        )
    return kept


def _softness(progress: float) -> float:
    """Of the decision to order at all, as a share of the room: sharper as the fit goes on."""
    return 0.25 * max(1 - 1.3 * progress, 0.0) + LEAST_SOFTNESS


class _Tensors:
    def __init__(self, lessons: Lessons, centre: F32, scale: F32) -> None:
        self.x = torch.from_numpy(((lessons.features - centre) / scale).astype(np.float32))
        share = lessons.features[:, LOST_COLUMN] * np.exp(-2 * lessons.features[:, LOT_COLUMN])
        self.state_share = torch.from_numpy(share.astype(np.float32))
        periods, _ = lot_periods(
            lessons.scales[:, 2].astype(np.float64), lessons.scales[:, 0].astype(np.float64)
        )
        self.periods = torch.from_numpy(periods.astype(np.float32))
        self.log_odds = torch.from_numpy(lessons.features[:, 0].copy())
        self.mean, self.spread, self.lot, self.level = torch.from_numpy(lessons.scales).unbind(1)
        self.advantage = torch.from_numpy(lessons.advantage)
        instances = float(lessons.of.max()) + 1
        # Scaled so that the mean over all rows is the mean gap of the instances.
        self.weight = torch.from_numpy(lessons.weight * (len(lessons.weight) / instances))

    def wanted(self, net: _Net, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Units missing, and the room: what models.policy.network.target_of says, less the level."""
        out = net(self.x[rows], self.state_share[rows])
        up_to = self.mean[rows] * self.periods[rows] + self.spread[rows] * (
            out[:, 0] + 0.5 * self.log_odds[rows]
        )
        up_to = up_to + self.lot[rows] * out[:, 1]
        room = self.lot[rows] * torch.nn.functional.softplus(out[:, 2])
        return torch.clamp(up_to, min=0) - self.level[rows], room

    def gap(self, net: _Net, rows: torch.Tensor, softness: float) -> torch.Tensor:
        missing, room = self.wanted(net, rows)
        table = self.advantage[rows]
        lot = self.lot[rows]
        # Costs of lots have several valleys: shaking the order at first lets the deepest be felt.
        missing = missing + (softness - LEAST_SOFTNESS) * 0.8 * lot * torch.randn_like(missing)
        order = _between(table, missing)
        chance = torch.sigmoid((missing - room) / (softness * lot + 0.15))
        chance = torch.where(lot > 0, chance, torch.ones_like(chance))
        # A slope below zero units, so that a level far too low still feels which way is up.
        pull = 1e-3 * torch.clamp(-missing / self.spread[rows] - 2, min=0)
        return ((chance * order + (1 - chance) * table[:, 0] + pull) * self.weight[rows]).mean()

    def rounded_gap(self, net: _Net) -> float:
        rows = torch.arange(len(self.weight))
        missing, room = self.wanted(net, rows)
        order = torch.floor(missing + 0.5).clamp(0, MAX_ORDER)
        order = torch.where((self.lot > 0) & (missing <= room), torch.zeros_like(order), order)
        found = self.advantage.gather(1, order.long()[:, None])[:, 0]
        return float((found * self.weight).mean())


def _between(table: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    inside = units.clamp(0, MAX_ORDER - 1e-3)
    low = inside.floor()
    share = inside - low
    place = low.long()[:, None]
    return table.gather(1, place)[:, 0] * (1 - share) + table.gather(1, place + 1)[:, 0] * share


def _exported(net: _Net, centre: F32, scale: F32) -> PolicyNetwork:
    return PolicyNetwork(
        centre=np.asarray(centre, dtype=np.float32),
        scale=np.asarray(scale, dtype=np.float32),
        of_problem=_arrays(net.of_problem),
        of_state=_arrays(net.of_state),
    )


def _arrays(layers: torch.nn.Sequential) -> Layers:
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    return Layers(
        tuple(layer.weight.detach().numpy().T.copy() for layer in linear),
        tuple(layer.bias.detach().numpy().copy() for layer in linear),
    )
