"""Instances as somebody else would send them: descriptions drawn from a seed, further out than any lesson, most too large to look up."""

from collections.abc import Iterator

import numpy as np

SEED = 77_031
CLASSES = (
    "long lead times",
    "large demand",
    "dear orders",
    "extreme prices",
    "backorders",
    "short lives",
)
_LAWS = ("poisson", "geometric", "negative_binomial", "gamma", "normal", "binomial", "uniform", "two points", "shifted", "lumpy", "always the same")  # fmt: skip

Described = dict[str, object]


def outside(each: int, seed: int = SEED) -> Iterator[tuple[str, Described]]:
    """`each` instances of every class, class after class; the first so many of a class are the same for every `each`."""
    for place, kind in enumerate(CLASSES):
        random = np.random.default_rng([seed, place])
        for _ in range(each):
            yield kind, _drawn(kind, random)


def _drawn(kind: str, random: np.random.Generator) -> Described:
    price = _whole(random, 2, 60)
    if kind == "long lead times":
        return {"demand": _law(random, 0.4, 4), "L": int(random.integers(5, 13)), "h": 1, "p": price}
    if kind == "large demand":
        mean = float(np.rint(_between(random, 60, 400)))
        fixed = {"K": _fixed(random, mean, 0.5, 8)} if random.random() < 0.5 else {}
        lead = int(random.integers(0, 5))
        return {"demand": _law(random, mean, mean), "lead_time": lead, "h": 1, "p": price, **fixed}
    if kind == "dear orders":
        demand = _law(random, 0.5, 8)
        return {
            "demand": demand, "lead_time_periods": int(random.integers(0, 4)), "holding_cost": 1, "shortage_cost": price,
            "fixed_order_cost": _fixed(random, _mean(demand), 3, 25),
        }  # fmt: skip
    if kind == "extreme prices":
        demand = _law(random, 0.3, 15)
        holding = float(random.choice([0.01, 0.1, 1, 20]))
        odds = _between(random, 0.1, 0.8) if random.random() < 0.4 else _between(random, 150, 3000)
        fixed = {"K": _fixed(random, _mean(demand), 0.3, 3) * holding} if random.random() < 0.4 else {}
        return {
            "demand_pmf" if isinstance(demand, list) else "demand": demand, "lead_time_days": int(random.integers(0, 4)),
            "h": holding, "p": float(np.round(odds * holding, 4)), **fixed,
        }  # fmt: skip
    if kind == "backorders":
        demand = _law(random, 0.3, 150)
        fixed = {"K": _fixed(random, _mean(demand), 0.3, 20)} if random.random() < 0.8 else {}
        lead = int(random.integers(0, 13))
        return {"demand": demand, "leadtime": lead, "h": 1, "b": price, "unmet": "backorder", **fixed}
    demand = _law(random, 0.4, 6)
    fixed = {"K": _fixed(random, _mean(demand), 0.3, 8)} if random.random() < 0.5 else {}
    return {
        "demand": demand, "lead_time": int(random.integers(0, 5)), "h": 1, "p": price, "c": int(random.integers(0, 3)),
        "w": float(np.rint(_between(random, 1, 300))) if random.random() < 0.7 else 0,
        "m": int(random.integers(1, 8)), "issuing": str(random.choice(["fifo", "lifo"])), **fixed,
    }  # fmt: skip


def _between(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _whole(random: np.random.Generator, low: float, high: float) -> int:
    return int(np.rint(_between(random, low, high)))


def _fixed(random: np.random.Generator, mean: float, low: float, high: float) -> float:
    """That pays for so many periods' demand."""
    return float(np.round(mean * _between(random, low, high) ** 2 / 2, 2))


def _mean(demand: object) -> float:
    if isinstance(demand, list):
        return float(np.arange(len(demand)) @ np.array(demand))
    assert isinstance(demand, dict)
    return float(demand["mean"])


def _law(random: np.random.Generator, low: float, high: float) -> object:
    """A name with moments, or masses: of two points, shifted away from 0, jagged, or one."""
    mean = float(np.round(_between(random, low, high), 1))
    name = str(random.choice(_LAWS))
    if name == "always the same":
        return _masses({max(round(mean), 1): 1.0})
    if name == "two points":
        return _masses({round(mean / 2): 0.8, max(round(3 * mean), 1): 0.2})
    if name == "shifted":
        first = round(mean * 0.7) + 1
        return _masses({first + step: chance for step, chance in enumerate((0.4, 0.3, 0.2, 0.1))})
    if name == "lumpy":
        jagged = random.dirichlet(np.full(int(2 * mean) + 2, 0.4))
        return [float(mass) for mass in np.round(jagged / jagged.sum(), 9)]
    if name == "uniform":
        return {"distribution": name, "mean": max(round(2 * mean), 1) / 2}
    seconds: dict[str, dict[str, object]] = {
        "negative_binomial": {"dispersion": float(np.round(random.uniform(0.1, 2), 2))},
        "gamma": {"cv": float(np.round(random.uniform(0.2, 1.5), 2))},
        "normal": {"std": float(np.round(random.uniform(0.1, 0.4) * mean, 3))},
        "binomial": {"trials": int(np.ceil(mean * 1.5)) + 1},
    }  # fmt: skip
    return {"distribution": name, "mean": mean, **seconds.get(name, {})}


def _masses(chances: dict[int, float]) -> list[float]:
    masses = [0.0] * (max(chances) + 1)
    for units, chance in chances.items():
        masses[units] += chance
    return masses
