"""Instances that no lesson holds: drawn by rules of their own, from a seed, small enough to be solved exactly."""

from collections.abc import Iterator

import numpy as np

from models.arrays import F64
from models.policy.demand_law import law_from, moments
from models.policy.instance import BACKORDER, FIFO, LIFO, LOST, Instance
from models.policy.lattice import bounds_of

SEED = 20_261
MOST_STATE_ORDERS = 400_000
"""Pairs of state and order: a second or two for the exact cost of one policy."""
KINDS = (
    "lost sales",
    "lost sales, fixed cost",
    "backorders, fixed cost",
    "perishable FIFO",
    "perishable LIFO",
    "perishable, fixed cost",
)


def held_out(each: int, seed: int = SEED) -> Iterator[tuple[str, Instance]]:
    """`each` instances of every kind, kind after kind; the first so many of a kind are the same for every `each`."""
    for place, kind in enumerate(KINDS):
        random = np.random.default_rng([seed, place])
        found = 0
        while found < each:
            instance = _drawn(kind, random)
            if _state_orders(instance) <= MOST_STATE_ORDERS:
                found += 1
                yield kind, instance


def described(instance: Instance) -> str:
    """In a few words, for the worst of a row."""
    mean, deviation, _ = moments(instance.law)
    parts = [
        f"mean {mean:.2g} sd {deviation:.2g}",
        f"L {instance.lead_periods}",
        f"p {instance.shortage:.3g}",
    ]
    if instance.fixed_order:
        parts.append(f"K {instance.fixed_order:.3g}")
    if instance.life_periods is not None:
        parts.append(f"life {instance.life_periods} w {instance.waste:.2g} {instance.issuing}")
    return ", ".join(parts)


def _drawn(kind: str, random: np.random.Generator) -> Instance:
    shortage = float(np.round(np.exp(random.uniform(np.log(2), np.log(60))), 1))
    if kind == "lost sales":
        lead = int(random.integers(1, 7))
        return Instance(_law(random, (12, 8, 6, 5, 3, 2)[lead - 1]), lead, 1.0, shortage)
    if kind == "lost sales, fixed cost":
        lead = int(random.integers(0, 5))
        return Instance(
            _law(random, (20, 12, 8, 4, 2)[lead]), lead, 1.0, shortage, _whole_cost(random, 2, 60)
        )
    if kind == "backorders, fixed cost":
        return Instance(
            _law(random, 50),
            int(random.integers(0, 5)),
            1.0,
            shortage,
            _whole_cost(random, 2, 150),
            unmet=BACKORDER,
        )
    life = int(random.integers(2, 6))
    lead = int(random.integers(1, 3 if life < 4 else 2))
    fixed = _whole_cost(random, 2, 20) if kind.endswith("fixed cost") else 0.0
    issuing = str(random.choice([FIFO, LIFO])) if fixed else kind.rsplit(" ", 1)[1].lower()
    return Instance(
        _law(random, 8 if life + lead < 5 else 4), lead, 1.0, shortage, fixed, unit_cost=float(random.integers(0, min(4, int(shortage)))),
        waste=float(random.integers(0, 13)), unmet=LOST, life_periods=life, issuing=issuing,
    )  # fmt: skip


def _whole_cost(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.rint(np.exp(random.uniform(np.log(low), np.log(high)))))


def _law(random: np.random.Generator, high: float) -> F64:
    mean = float(np.round(np.exp(random.uniform(np.log(1.0), np.log(high))), 1))
    name = str(
        random.choice(["poisson", "geometric", "negative_binomial", "gamma", "uniform", "binomial", "pmf"])
    )
    seconds: dict[str, dict[str, object]] = {
        "negative_binomial": {"dispersion": float(random.uniform(0.1, 1.0))},
        "gamma": {"cv": float(random.choice([0.3, 0.5, 0.8]))},
        "binomial": {"trials": int(np.ceil(2.5 * mean))},
    }  # fmt: skip
    if name == "pmf":
        # A regular trade and, one period in some, a crowd: two Poisson laws.
        calm, crowd = (law_from({"distribution": "poisson", "mean": mean * part}) for part in (0.6, 2.2))
        wide = np.zeros(max(len(calm), len(crowd)))
        wide[: len(calm)] += 0.75 * calm
        wide[: len(crowd)] += 0.25 * crowd
        return law_from(wide.tolist())
    if name == "uniform":
        mean = max(round(2 * mean), 2) / 2
    return law_from({"distribution": name, "mean": mean, **seconds.get(name, {})})


def _state_orders(instance: Instance) -> float:
    bounds = bounds_of(instance)
    orders = float(bounds.order_units + 1)
    if instance.unmet == BACKORDER:
        return orders**2
    if instance.life_periods is not None:
        return orders ** (instance.life_periods + instance.lead_periods)
    return (bounds.position_units + 1) * orders ** max(instance.lead_periods, 1)
