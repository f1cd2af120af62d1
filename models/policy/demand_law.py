"""Laws of one period's demand in whole units: masses from a name and its moments, or as given."""

from collections.abc import Callable, Mapping
from math import exp, lgamma, log

import numpy as np
import numpy.typing as npt

from models.arrays import F64
from models.policy.errors import InstanceError
from models.policy.law_words import in_our_words, number_from

MAX_UNITS = 4096
"""The longest law: beyond it, count in cases."""
_TAIL = 1e-12
_NEAR_ONE = 1e-4
_ROUNDED = 1e-3
"""How far from 1 masses that are given may sum, as rounded ones do, or ones cut off; they are scaled."""
_TOLD = 1e-6
"""From how far on that is said."""
Say = Callable[[str], None]
NAMED = ("poisson", "geometric", "negative_binomial", "binomial", "uniform", "gamma", "normal", "constant")


def law_from(described: object, say: Say = lambda _: None) -> F64:
    """Masses of 0, 1, 2 … units, sum 1.

    described: a list of masses, or of [units, mass], {"pmf": [...], "first": 0}, {"values": [...], "pmf": [...]}, {"samples": [...]}, or {"distribution": one of NAMED, "mean": …, and "cv" or "variance" or
    "dispersion" where the law has a second parameter}. gamma and normal are rounded to whole units, below 0 to 0.
    say: is told when masses were scaled. Raises InstanceError that names the field.
    """
    if isinstance(described, list) and described and isinstance(described[0], list | tuple):
        values, masses = zip(*map(_pair, described), strict=True)
        described = {"values": list(values), "pmf": list(masses)}
    if isinstance(described, list):
        return _from_masses(described, say)
    if not isinstance(described, Mapping):
        raise InstanceError(
            "demand", f"it is {described!r}", 'an object such as {"distribution": "poisson", "mean": 5}'
        )
    said = in_our_words(described)
    if "pmf" in said:
        return np.concatenate([np.zeros(int(str(said.get("first", 0)))), _from_masses(said["pmf"], say)])
    if "samples" in said:
        return _from_samples(said["samples"])
    name = str(said["distribution"])
    if not name:
        raise InstanceError(
            "demand.distribution", "it is missing", f"one of {', '.join(NAMED)}, or give a pmf"
        )
    if name not in NAMED:
        raise InstanceError(
            "demand.distribution", f"it is {name!r}", f"one of {', '.join(NAMED)}, or give a pmf"
        )
    return _named(name, said)


def _pair(entry: object) -> tuple[object, object]:
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        raise InstanceError("demand.pmf", f"{entry!r} is no pair", "a list of masses, or of [units, mass]")
    return entry[0], entry[1]


def moments(law: F64) -> tuple[float, float, float]:
    """Mean, standard deviation and skewness (0 when all mass is on one point)."""
    units = np.arange(len(law))
    mean = float(law @ units)
    variance = float(law @ (units - mean) ** 2)
    deviation = variance**0.5
    skewness = float(law @ (units - mean) ** 3) / deviation**3 if deviation > 1e-9 else 0.0
    return mean, deviation, skewness


def convolved(law: F64, times: int) -> F64:
    """The law of the sum over `times` periods; times 0 is no demand at all."""
    total = np.ones(1)
    for _ in range(times):
        total = np.convolve(total, law)
        total = _trimmed(total)
    return total


def quantile_units(law: F64, level: float) -> int:
    """The smallest number of units whose distribution function reaches the level."""
    return int(np.searchsorted(np.cumsum(law), level - 1e-12))


def _from_masses(given: object, say: Say) -> F64:
    masses = _numbers(given, "demand.pmf")
    off = abs(float(masses.sum()) - 1)
    if off < _ROUNDED and off > _TOLD:
        say(f"demand: masses sum to {masses.sum():.6g} and were scaled to 1")
    if (masses < 0).any() or not off < _ROUNDED:
        raise InstanceError("demand.pmf", f"its sum is {masses.sum():.8g}, its least mass {masses.min():.3g}",
                            "masses >= 0 of 0, 1, 2 … units that sum to 1")  # fmt: skip
    return _checked(masses / masses.sum())


def _from_samples(given: object) -> F64:
    samples = _numbers(given, "demand.samples")
    if (samples < 0).any() or (samples > MAX_UNITS).any():
        raise InstanceError(
            "demand.samples",
            f"they reach from {samples.min()} to {samples.max()}",
            f"units, 0 to {MAX_UNITS}",
        )
    counts = np.bincount(np.rint(samples).astype(np.int64)).astype(np.float64)
    return _checked(counts / counts.sum())


def _numbers(given: object, field: str) -> F64:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InstanceError(field, f"{error}", "a list of numbers") from error
    if values.ndim != 1 or not 1 <= len(values) <= 1_000_000 or not np.isfinite(values).all():
        raise InstanceError(field, f"shape {values.shape}, or not finite", "a list of finite numbers")
    return values


def _named(name: str, described: Mapping[str, object]) -> F64:
    mean = _number(described, "mean", least=0.0)
    if mean > MAX_UNITS / 2:
        raise InstanceError("demand.mean", f"it is {mean}", f"at most {MAX_UNITS // 2}: count in cases")
    units = np.arange(MAX_UNITS + 1)
    if name == "constant" and mean != round(mean):
        raise InstanceError("demand.mean", f"it is {mean}", "whole units, or a pmf of the two around it")
    if name == "constant" or mean == 0:
        return _checked((units == round(mean)).astype(np.float64))
    if name == "uniform":
        high = round(2 * mean)
        if abs(high - 2 * mean) > _NEAR_ONE:
            raise InstanceError("demand.mean", f"it is {mean}", "a multiple of a half, or low and high")
        return _checked((units <= high) / (high + 1))
    if name == "poisson":
        return _checked(np.exp(_log_poisson(units, mean)))
    if name == "geometric":
        return _checked(np.exp(units * log(mean / (1 + mean)) - log(1 + mean)))
    if name == "binomial":
        return _binomial(units, mean, _number(described, "trials", least=1.0))
    variance = _variance(name, described, mean)
    if name == "negative_binomial":
        if variance <= mean * (1 + 1e-9):
            return _checked(np.exp(_log_poisson(units, mean)))
        return _checked(_negative_binomial(units, mean, variance))
    edges = np.concatenate([[-np.inf], units + 0.5])
    heights = _gamma_cdf(edges, mean, variance) if name == "gamma" else _normal_cdf(edges, mean, variance)
    return _checked(np.diff(heights))


def _variance(name: str, described: Mapping[str, object], mean: float) -> float:
    if "variance" in described:
        return _number(described, "variance", least=1e-9)
    if "cv" in described:
        return (_number(described, "cv", least=1e-4) * mean) ** 2
    if "std" in described:
        return _number(described, "std", least=1e-4) ** 2
    if "dispersion" in described:
        return mean + _number(described, "dispersion", least=0.0) * mean**2
    raise InstanceError(
        "demand.cv", "it is missing", f"cv, variance, std or dispersion, which {name} needs beside its mean"
    )


def _number(described: Mapping[str, object], field: str, least: float) -> float:
    value = described.get(field)
    number = number_from(value)
    if number is None or not least <= number < 1e9:
        raise InstanceError(f"demand.{field}", f"it is {value!r}", f"a number >= {least:g}, below 1e9")
    return number


def _log_poisson(units: npt.NDArray[np.int64], mean: float) -> F64:
    factorials = np.concatenate([[0.0], np.cumsum(np.log(units[1:]))])
    return np.asarray(units * log(mean) - mean - factorials)


def _negative_binomial(units: npt.NDArray[np.int64], mean: float, variance: float) -> F64:
    size = mean**2 / (variance - mean)
    steps = np.log((size + units[:-1]) / (units[1:]) * mean / (size + mean))
    first = size * log(size / (size + mean))
    return np.asarray(np.exp(first + np.concatenate([[0.0], np.cumsum(steps)])))


def _binomial(units: npt.NDArray[np.int64], mean: float, trials: float) -> F64:
    count = int(trials)
    if mean > count:
        raise InstanceError("demand.trials", f"{count} are fewer than the mean {mean}", "trials >= mean")
    share = mean / count
    if share >= 1:
        return _checked((units == count).astype(np.float64))
    out = np.zeros(len(units))
    for k in range(min(count, MAX_UNITS) + 1):
        out[k] = exp(
            lgamma(count + 1)
            - lgamma(k + 1)
            - lgamma(count - k + 1)
            + k * log(share)
            + (count - k) * log(1 - share)
        )
    return _checked(out)


def _gamma_cdf(edges: F64, mean: float, variance: float) -> F64:
    """The regularised incomplete gamma function by its density summed in fine steps: 200 a unit, midpoint rule."""
    shape, scale = mean**2 / variance, variance / mean
    top = min(float(edges[-1]), mean + 60 * variance**0.5 + 20)
    count = int(max(top * 200, 2000))
    # Steps in t**(1/shape) for small shapes would be finer near 0; the substitution t = top * u**power does it.
    power = max(1.0, 3 / shape)
    u = (np.arange(count) + 0.5) / count
    t = top * u**power
    log_density = (shape - 1) * np.log(t) - t / scale - lgamma(shape) - shape * log(scale)
    weights = np.exp(log_density) * top * power * u ** (power - 1) / count
    heights = np.concatenate([[0.0], np.cumsum(weights)])
    ends = top * (np.arange(count + 1) / count) ** power
    found = np.interp(np.maximum(edges, 0), ends, heights / heights[-1])
    found[0] = 0.0
    return np.asarray(found)


def _normal_cdf(edges: F64, mean: float, variance: float) -> F64:
    from statistics import NormalDist  # noqa: PLC0415

    law = NormalDist(mean, variance**0.5)
    return np.array([0.0, *(law.cdf(float(edge)) for edge in edges[1:])])


def _checked(masses: F64) -> F64:
    total = float(masses.sum())
    if total < 1 - _NEAR_ONE:
        raise InstanceError(
            "demand",
            f"{1 - total:.3g} of its mass lies beyond {MAX_UNITS} units",
            "a law within it: count in cases",
        )
    return _trimmed(masses / total)


def _trimmed(masses: F64) -> F64:
    """Without the far tail, whose mass goes to the last point kept."""
    keep = max(int(np.searchsorted(np.cumsum(masses), 1 - _TAIL)) + 1, 1)
    kept = masses[:keep].copy()
    kept[-1] += masses[keep:].sum()
    return np.asarray(kept / kept.sum())
