"""The search for a correction: where it looks first, and the neighbours that it tries, halving its steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Generic, Protocol, TypeVar

from models.policy.correction import Correction
from models.policy.features import problem_of
from models.policy.instance import LOST, Instance

Cost = TypeVar("Cost")

HALVINGS = 4
_START_LOTS, _START_ROOMS = (-0.5, -0.25, 0.0, 0.25, 0.5), (0.3, 0.5, 0.7, 1.0)
"""Of a lot: where the search looks first, because costs with lots have several valleys."""
_START_CAPS = (1.5, 2.5, 3.5)
"""Periods' demand that an order may bring, where units expire: there a cap is a valley of its own."""
_SPREADS, _LOTS, _ROOMS = (-0.5, 0.5, 1.5, 3.0), (0.0, 0.3, 0.7), (0.0, 0.3, 0.6, 0.9)
"""Of targets that are the same in every state: spreads above the mean, lots above that, and rooms as shares of the target."""
_OWED = (0.0, 0.5, 1.0)
"""Of a lead time's demand: what customers are let wait for where they wait cheaper than units expire; with all of it nothing is ordered
that nobody waits for.
"""
_FALLS = (-0.6, -1.2)
"""By which such a target falls as the level rises, where units expire: what tops up is less than what starts anew."""
_DESCENTS = 5
"""Starts from which neighbours are tried."""
_SLOPE = 0.3


@dataclass(frozen=True, slots=True)
class Found(Generic[Cost]):
    """most_units: the largest order that was placed."""

    correction: Correction
    cost: Cost
    most_units: int


class Trials(Protocol[Cost]):
    """room_units: what the network asks to be missing before an order pays."""

    room_units: float

    def found(self, correction: Correction) -> Found[Cost] | None:
        """What it costs; None where it was tried before, costs more work than is left, or meets too much."""
        ...

    def less(self, one: Found[Cost], other: Found[Cost]) -> bool:
        """Whether one costs noticeably less than the other."""
        ...


def searched(
    instance: Instance, trials: Trials[Cost], alone: Found[Cost], *, halvings: int = HALVINGS
) -> Found[Cost]:
    """The best correction found, from the network alone and from targets that are the same in every state.

    A pattern search from the best starts: neighbours until none is better, with ever smaller steps.
    """
    starts = [alone, *_tried(trials, _starts(instance)), *_tried(trials, _constants(instance))]
    best = alone
    for start in _leading(trials, starts):
        found = _descended(instance, trials, start, halvings)
        if trials.less(found, best):
            best = found
    return best


def _tried(trials: Trials[Cost], corrections: Iterator[Correction]) -> Iterator[Found[Cost]]:
    for correction in corrections:
        found = trials.found(correction)
        if found is not None:
            yield found


def _leading(trials: Trials[Cost], starts: list[Found[Cost]]) -> Iterator[Found[Cost]]:
    """The best of the starts, then the best that orders otherwise, and so on."""
    left = starts
    for _ in range(_DESCENTS):
        if not left:
            return
        best = left[0]
        for start in left:
            best = start if trials.less(start, best) else best
        yield best
        left = [start for start in left if _apart(start.correction, best.correction)]


def _apart(one: Correction, other: Correction) -> bool:
    """Of another family, or with another room."""
    constant = (one.up_to_units is None, other.up_to_units is None)
    return (
        constant[0] != constant[1] or one.room_units != other.room_units or one.per_level != other.per_level
    )


def _least(trials: Trials[Cost], corrections: Iterator[Correction], best: Found[Cost]) -> Found[Cost]:
    for correction in corrections:
        found = trials.found(correction)
        if found is not None and trials.less(found, best):
            best = found
    return best


def _descended(instance: Instance, trials: Trials[Cost], best: Found[Cost], halvings: int) -> Found[Cost]:
    deviation = float(problem_of(instance).std_units[0])
    first = step = max(1.0, deviation / 4)
    for _ in range(halvings + 1):
        improved = True
        while improved:
            before = best
            near = _neighbours(instance, best, trials.room_units, step, _SLOPE * step / first)
            best = _least(trials, near, best)
            improved = best is not before
        step /= 2
    return best


def _starts(instance: Instance) -> Iterator[Correction]:
    lot = float(problem_of(instance).lot_units[0])
    if lot > 0:
        for share in _START_LOTS:
            for room in _START_ROOMS:
                yield Correction(target_units=share * lot, room_units=room * lot)
    if lot > 0 and instance.life_periods is not None and instance.unmet == LOST:
        for share in _START_LOTS[::2]:
            for periods in _START_CAPS:
                most = float(max(round(periods * instance.mean), 1))
                yield Correction(target_units=share * lot, room_units=_START_ROOMS[1] * lot, most_units=most)


def _constants(instance: Instance) -> Iterator[Correction]:
    """Targets of some spreads above a period's demand and of shares of a lot above that, and rooms of shares of that target."""
    problem = problem_of(instance)
    mean, spread, lot = (float(of[0]) for of in (problem.mean_units, problem.std_units, problem.lot_units))
    if lot == 0 and instance.life_periods is None:
        return
    tops = {
        max(round(mean + spreads * spread + share * lot), 1) for spreads, share in product(_SPREADS, _LOTS)
    }
    if instance.waits:
        tops |= {-round(share * instance.mean * instance.lead_periods) for share in _OWED}
    for top in sorted(tops):
        for room in _ROOMS if lot > 0 else (0.0,):
            missing = room * (top if top > 0 else lot)
            yield Correction(up_to_units=float(top), room_units=max(missing - 0.5, 0.0))
        if lot > 0 and top > 0 and instance.life_periods is not None:
            for room, slope in product(_ROOMS[:2], _FALLS):
                yield Correction(up_to_units=float(top), room_units=room * top, per_level=slope)


def _neighbours(
    instance: Instance, best: Found[Cost], network_room: float, step: float, slope: float
) -> Iterator[Correction]:
    here = best.correction
    for way in (-1, 1):
        yield replace(here, target_units=here.target_units + way * step)
    if instance.fixed_order:
        room = network_room if here.room_units is None else here.room_units
        for level in (-1, 0, 1):
            for way in (-1, 1):
                yield replace(
                    here,
                    target_units=here.target_units + level * step,
                    room_units=max(room + way * step, 0.0),
                )
    if instance.life_periods is not None:
        for way in (-1, 1):
            yield replace(here, per_last_day=here.per_last_day + way * slope)
            yield replace(here, per_level=here.per_level + way * slope)
            # Turned about what is mostly missing: a slope alone would move every order.
            turned = -way * slope * best.most_units / 2
            yield replace(
                here, per_level=here.per_level + way * slope, target_units=here.target_units + turned
            )
    if instance.unmet == LOST and instance.lead_periods > 0:
        for way in (-1, 1):
            yield replace(here, per_spread=here.per_spread + way * slope)
        ways, most = ((-1,), best.most_units) if here.most_units is None else ((-1, 1), here.most_units)
        for way in ways:
            yield replace(here, most_units=float(max(most + way, 1)))
