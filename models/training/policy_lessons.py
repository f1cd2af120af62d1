"""Lessons for the replenishment network: random problems solved exactly, and what each order would cost in each state.

A lesson is a state of a random instance with the advantage A(q) of ordering q: how much dearer the long run is than with the
best order, as a share of the instance's optimal cost. By the performance difference identity (Kakade & Langford 2002) the
long-run gap of a policy is the mean of A(its order) over the states that it meets, so the mean lesson is the gap itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import F32, F64
from models.policy.aged_lattice import summed_bounds, summed_size
from models.policy.demand_law import MAX_UNITS, law_from, moments
from models.policy.exact import long_run_shares, optimal_cost
from models.policy.features import features_of, problem_of
from models.policy.instance import BACKORDER, FIFO, LIFO, LOST, Instance
from models.policy.lattice import AgedLattice, Bounds, bounds_of, lattice_of, most_waiting
from models.policy.projection import outlook_of

MAX_ORDER = 192
"""Widest row of advantages that is kept."""
STATES_A_LESSON = 192
MAX_WORK = 12_000_000
"""Multiplications of one sweep: some milliseconds; there are about a hundred sweeps."""
MAX_WIDE_WORK = 16_000_000
"""The same of a wide mix."""
MAX_SWEEPS = 250
_FREE_PERIODS = 0.8
"""Where demand waits, a fixed cost that would pay for fewer periods than this is left out."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """n rows. features: (n, len(NAMES)). scales: (n, 5): mean, spread, lot and projected level, units; units from a column of
    advantage to the next, 1 but for long orders.

    advantage: (n, MAX_ORDER + 1), share of the optimal cost, rising without end past what was computed. weight: (n,), of an
    instance's rows 1 in sum. of: (n,), the instance's number.
    """

    features: F32
    scales: F32
    advantage: F32
    weight: F32
    of: F32


KINDS = ("lost", "lost_lot", "aged", "wait_lot")


@dataclass(frozen=True, slots=True)
class Mix:
    """instances: so many. shares: of KINDS, 1 in sum. aged_lot_share: of those whose units expire, how many have a fixed cost too.

    wide: from further limits: fixed costs of up to 14 periods' demand, lives up to 7, waste up to 400 times holding.
    """

    instances: int = 15_000
    shares: tuple[float, ...] = (0.22, 0.3, 0.32, 0.16)
    aged_lot_share: float = 0.3
    wide: bool = False


def random_instance(random: np.random.Generator, mix: Mix | None = None) -> Instance:
    """A problem like those of shops and of books, none of them in particular."""
    mix = mix or Mix()
    kind = random.choice(KINDS, p=list(mix.shares))
    if mix.wide:
        return _wide_instance(random, str(kind), mix.aged_lot_share)
    holding = 1.0
    odds = float(np.exp(random.uniform(np.log(1.0), np.log(150.0))))
    if kind == "aged":
        odds = float(np.exp(random.uniform(np.log(0.5), np.log(100.0))))
        life = int(random.integers(1, 6))
        lead = int(random.integers(1, 4))
        law = _random_law(random, 0.7, 9 if life + lead < 4 else 5)
        periods = (
            float(np.exp(random.uniform(np.log(0.3), np.log(2.5))))
            if random.random() < mix.aged_lot_share
            else 0.0
        )
        return Instance(
            law, lead, holding, odds, holding * moments(law)[0] * periods**2 / 2, waste=float(random.choice([0.0, random.uniform(0, 6), random.uniform(2, 25)])),
            unmet=LOST, life_periods=life, issuing=str(random.choice([FIFO, LIFO])),
        )  # fmt: skip
    lead = int(random.choice([0, 1, 2, 3, 4, 5, 6], p=[0.06, 0.2, 0.24, 0.2, 0.18, 0.07, 0.05]))
    if kind == "lost":
        high = (60, 40, 25, 14, 8, 3, 2)[lead]
        return Instance(_random_law(random, 0.4, high), lead, holding, odds)
    law = _random_law(random, 0.5, 90 if kind == "wait_lot" else (40, 30, 14, 5, 2, 1, 1)[lead])
    mean = moments(law)[0]
    # Half of them where an order pays for one period or two: there costs have several valleys.
    least, most = (0.4, 7.0) if random.random() < 0.5 else (0.5, 2.5)
    periods = float(np.exp(random.uniform(np.log(least), np.log(most))))
    fixed = holding * mean * periods**2 / 2
    return Instance(law, lead, holding, odds, fixed, unmet=LOST if kind == "lost_lot" else BACKORDER)


def _wide_instance(random: np.random.Generator, kind: str, aged_lot_share: float) -> Instance:
    odds = _between(random, 0.5, 800.0)
    if kind == "aged":
        life = int(random.choice(7, p=[0.08, 0.2, 0.2, 0.22, 0.12, 0.1, 0.08])) + 1
        lead = int(random.choice(4, p=[0.2, 0.4, 0.25, 0.15]))
        law = _random_law(random, 0.4, 14 if life + lead < 4 else 7)
        periods = _between(random, 0.3, 9.0) if random.random() < aged_lot_share else 0.0
        waste = float(
            random.choice([0.0, random.uniform(0, 6), _between(random, 4, 400)], p=[0.15, 0.25, 0.6])
        )
        return Instance(
            law, lead, 1.0, odds, moments(law)[0] * periods**2 / 2, waste=waste, unmet=LOST, life_periods=life,
            issuing=str(random.choice([FIFO, LIFO])),
        )  # fmt: skip
    if kind == "lost":
        lead = int(random.integers(0, 9))
        return Instance(_random_law(random, 0.3, (150, 70, 18, 9, 5, 3, 2, 1.2, 0.8)[lead]), lead, 1.0, odds)
    lead = int(random.choice(9 if kind == "wait_lot" else 5))
    periods = _between(random, 0.4, 14.0) if random.random() < 0.6 else _between(random, 2.0, 14.0)
    law = _random_law(random, 0.4, 60 if kind == "wait_lot" else (40, 25, 9, 4, 2)[lead])
    free = kind == "wait_lot" and periods < _FREE_PERIODS
    fixed = 0.0 if free else moments(law)[0] * periods**2 / 2
    return Instance(law, lead, 1.0, odds, fixed, unmet=LOST if kind == "lost_lot" else BACKORDER)


def _between(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _random_law(random: np.random.Generator, low: float, high: float) -> F64:
    mean = float(np.exp(random.uniform(np.log(low), np.log(max(high, low * 1.2)))))
    name = random.choice(["poisson", "geometric", "negative_binomial", "gamma", "uniform", "binomial", "lumpy"],
                         p=[0.22, 0.17, 0.19, 0.14, 0.08, 0.08, 0.12])  # fmt: skip
    if name == "negative_binomial":
        return law_from(
            {
                "distribution": "negative_binomial",
                "mean": mean,
                "dispersion": float(random.uniform(0.05, 1.5)),
            }
        )
    if name == "gamma":
        return law_from({"distribution": "gamma", "mean": mean, "cv": float(random.uniform(0.25, 1.2))})
    if name == "binomial":
        return law_from(
            {
                "distribution": "binomial",
                "mean": mean,
                "trials": int(np.ceil(mean * random.uniform(1.2, 4))) + 1,
            }
        )
    if name == "lumpy":
        points = int(min(2 * mean + 2, MAX_UNITS))
        masses = random.dirichlet(np.full(points + 1, random.uniform(0.3, 1.5)))
        return (
            law_from({"pmf": masses.tolist()})
            if masses[0] < 0.98
            else law_from({"distribution": "poisson", "mean": mean})
        )
    if name == "uniform":
        mean = round(2 * mean) / 2
    return law_from({"distribution": str(name), "mean": mean})


def lessons_of(
    instance: Instance, number: int, random: np.random.Generator, mix: Mix | None = None
) -> Lessons | None:
    """None when the instance is too large to solve in about a second, or too easy to teach anything."""
    bounds = bounds_of(instance)
    bounds = Bounds(bounds.position_units + 2, min(bounds.order_units + 2, bounds.position_units + 2))
    summed = mix is not None and mix.wide
    if _work(instance, bounds, summed=summed) > (MAX_WIDE_WORK if summed else MAX_WORK):
        return None
    each_age = instance.life_periods is not None and not summed
    lattice = AgedLattice(instance, bounds) if each_age else lattice_of(instance, bounds, free_beyond=True)
    if lattice is None or len(lattice.states) < 3:
        return None
    best = optimal_cost(instance, lattice, tolerance=3e-4, sweeps=MAX_SWEEPS)
    if best.high - best.low > 3e-3 * best.high:
        return None
    n = len(lattice.states)
    after = lattice.expected(best.value)
    after += np.where(np.arange(lattice.n_orders) > 0, instance.fixed_order, 0.0)
    advantage = (after - after.min(axis=1, keepdims=True)) / (best.cost - instance.base_cost)
    chances = _near(best.orders, lattice.n_orders, lot=instance.fixed_order > 0)
    shares = long_run_shares(lattice, chances, tolerance=1e-3, sweeps=150)
    drawn = random.choice(n, size=STATES_A_LESSON, p=shares)
    rows, counts = np.unique(drawn, return_counts=True)
    outlook = outlook_of(instance, lattice.states[rows])
    problem = problem_of(instance)
    wide = np.full((len(rows), MAX_ORDER + 1), np.nan)
    step = 1 if mix is None or not mix.wide else max(-(-(lattice.n_orders - 1) // MAX_ORDER), 1)
    known = advantage[rows, ::step][:, : MAX_ORDER + 1]
    kept = known.shape[1]
    wide[:, :kept] = known
    for column in range(kept, MAX_ORDER + 1):
        wide[:, column] = wide[:, column - 1] + np.maximum(wide[:, kept - 1] - wide[:, kept - 2], 0.01)
    one = np.ones(len(rows))
    scales = np.stack(
        [
            problem.mean_units * one,
            problem.std_units * one,
            problem.lot_units * one,
            outlook.level_units,
            step * one,
        ],
        axis=1,
    )
    return Lessons(
        features=features_of(problem, outlook),
        scales=scales.astype(np.float32),
        advantage=np.minimum(wide, 30).astype(np.float32),
        weight=(counts / counts.sum()).astype(np.float32),
        of=np.full(len(rows), number, dtype=np.float32),
    )


def _work(instance: Instance, bounds: Bounds, *, summed: bool = False) -> float:
    n_orders, top = float(bounds.order_units + 1), float(bounds.position_units + 1)
    if instance.unmet == BACKORDER:
        return (top + most_waiting(instance)) ** 2 * 20
    if instance.life_periods is not None and summed:
        most, _ = summed_bounds(instance, bounds.position_units, bounds.order_units)
        states = summed_size(instance, bounds.position_units, bounds.order_units)
        return 40 * states * min(most + 1, len(instance.law))
    if instance.life_periods is not None:
        return 40 * n_orders ** (instance.life_periods + instance.lead_periods - 1) * len(instance.law)
    return top**2 * n_orders ** max(instance.lead_periods, 1)


def _near(orders: F64 | object, n_orders: int, *, lot: bool) -> F64:
    """The best order mostly, one unit more or less at times: a learner strays a little too."""
    best = np.asarray(orders)
    chances = np.zeros((len(best), n_orders))
    rows = np.arange(len(best))
    for step, chance in ((-1, 0.15), (0, 0.7), (1, 0.15)):
        there = np.clip(best + step, 0, n_orders - 1)
        there = np.where((best == 0) & lot, 0, there)
        np.add.at(chances, (rows, there), chance)
    return chances


def collected(numbers: range, seed: int, mix: Mix) -> Iterator[Lessons]:
    """The lessons of the instances of these numbers, each from draws of its own (seed, number): those too large are drawn anew."""
    for number in numbers:
        random = np.random.default_rng([seed, number])
        lessons = None
        while lessons is None:
            lessons = lessons_of(random_instance(random, mix), number, random, mix)
        yield lessons


def joined(parts: list[Lessons]) -> Lessons:
    """One after another, their instances' numbers kept."""
    return Lessons(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("features", "scales", "advantage", "weight", "of")
        )
    )
