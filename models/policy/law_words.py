"""What people call a law of demand, said in the words that models.policy.demand_law knows. Nothing is guessed and nothing passed over."""

import re
from collections.abc import Mapping
from math import isfinite

from models.policy.errors import InstanceError

_OURS = {
    "distribution": ("distribution", "dist", "type", "name", "family", "law"),
    "pmf": ("pmf", "probabilities", "probs", "masses"),
    "values": ("values", "support", "units"),
    "first": ("first", "offset", "min", "start"),
    "samples": ("samples", "observations"),
    "mean": ("mean", "mu", "lambda", "lam", "rate", "value"),
    "std": ("std", "sd", "sigma", "standard_deviation"),
    "variance": ("variance", "var"),
    "cv": ("cv",),
    "dispersion": ("dispersion",),
    "size": ("size", "r"),
    "trials": ("trials", "n"),
    "chance": ("p", "prob"),
    "low": ("low",),
    "high": ("high", "max"),
    "shape": ("shape", "k", "alpha"),
    "scale": ("scale", "theta"),
}
_NAMES = {
    "deterministic": "constant", "fixed": "constant", "degenerate": "constant", "nbinom": "negative_binomial",
    "negbin": "negative_binomial", "negativebinomial": "negative_binomial", "binom": "binomial", "gaussian": "normal",
    "discrete_uniform": "uniform", "pois": "poisson",
}  # fmt: skip
_SECOND = ("cv", "variance", "std", "dispersion", "size")
_TAKES: dict[str, tuple[str, ...]] = {
    "poisson": ("mean",),
    "geometric": ("mean",),
    "constant": ("mean",),
    "uniform": ("mean", "low", "high"),
    "binomial": ("mean", "trials", "chance"),
    "negative_binomial": ("mean", *_SECOND),
    "gamma": ("mean", "cv", "variance", "std", "dispersion", "shape", "scale"),
    "normal": ("mean", "cv", "variance", "std", "dispersion"),
}
MASSES = ("pmf", "values", "first")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def in_our_words(described: Mapping[object, object]) -> dict[str, object]:
    """The description with our names for its fields and for the law; {"pmf": list, "first": units} for masses however they are given.

    Raises InstanceError for a field that nobody knows, one given twice, or one that the law does not have.
    """
    if described and all(_number_like(key) for key in described):
        return _placed(list(described), list(described.values()))
    said = _renamed(described)
    name = str(said.get("distribution", "")).lower().replace("-", "_").replace(" ", "_")
    if "pmf" in said or "values" in said:
        _only(said, (*MASSES, "distribution"), "masses of demand")
        return _masses(said)
    if "samples" in said:
        _only(said, ("samples", "distribution"), "samples of demand")
        return said
    said["distribution"] = name = _NAMES.get(name, name)
    if name in _TAKES:
        _only(said, ("distribution", *_TAKES[name]), name)
        _derived(name, said)
    return said


def _renamed(described: Mapping[object, object]) -> dict[str, object]:
    ours = {alias: name for name, aliases in _OURS.items() for alias in aliases}
    said: dict[str, object] = {}
    for key, value in described.items():
        name = ours.get(str(key))
        if name is None:
            raise InstanceError(f"demand.{key}", "no such field", f"one of {', '.join(_OURS)}")
        if name in said:
            raise InstanceError(f"demand.{key}", "it is given twice, by two names", name)
        said[name] = value
    return said


def _only(said: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    for name in said:
        if name not in known:
            raise InstanceError(f"demand.{name}", f"{what} has no such field", f"one of {', '.join(known)}")


def _masses(said: Mapping[str, object]) -> dict[str, object]:
    pmf = said.get("pmf")
    if isinstance(pmf, Mapping):
        return _placed(list(pmf), list(pmf.values()))
    values = said.get("values")
    if values is not None:
        if not isinstance(values, list) or not isinstance(pmf, list) or len(values) != len(pmf):
            raise InstanceError(
                "demand.values", "they are not as many as the masses", "a list as long as pmf"
            )
        return _placed(values, pmf)
    return {"pmf": pmf, "first": _whole(said.get("first", 0), "demand.first")}


def _placed(units: list[object], masses: list[object]) -> dict[str, object]:
    """Masses by number of units."""
    places = [_whole(value, "demand.pmf") for value in units]
    if len(set(places)) != len(places):
        raise InstanceError("demand.pmf", "a number of units is given twice", "each once")
    table: list[object] = [0.0] * (max(places) + 1)
    for place, mass in zip(places, masses, strict=True):
        table[place] = mass
    return {"pmf": table, "first": 0}


def _whole(value: object, field: str, most: int = 4096) -> int:
    number = float(str(value)) if _number_like(value) else -1.0
    if number != int(number) or not 0 <= number <= most:
        raise InstanceError(field, f"{value!r} units", f"whole units, 0 to {most}")
    return int(number)


def number_from(value: object) -> float | None:
    """A number, or text that plainly is one ("2", "0.5", "1e3"); None for anything else: true, "two", "2 days", "1,5"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value.strip()):
        return None
    return float(value)


def _number_like(value: object) -> bool:
    number = number_from(value)
    return number is not None and isfinite(number)


def _derived(name: str, said: dict[str, object]) -> None:
    """The mean, and the variance, where other parameters say them without doubt."""
    number = {key: float(str(value)) for key, value in said.items() if _number_like(value)}
    if name == "binomial" and "mean" not in said and {"trials", "chance"} <= number.keys():
        said["mean"] = number["trials"] * number["chance"]
        del said["chance"]
    if name == "gamma" and "mean" not in said and {"shape", "scale"} <= number.keys():
        said["mean"], said["variance"] = (
            number["shape"] * number["scale"],
            number["shape"] * number["scale"] ** 2,
        )
        del said["shape"], said["scale"]
    if name == "uniform" and "mean" not in said and {"low", "high"} <= number.keys():
        low, high = _whole(said["low"], "demand.low"), _whole(said["high"], "demand.high")
        if high < low:
            raise InstanceError("demand.high", f"it is {high}, below {low}", "a number of units from low on")
        said.update({"pmf": [1 / (high - low + 1)] * (high - low + 1), "first": low})
    if name == "negative_binomial" and {"mean", "size"} <= number.keys() and number["size"] > 0:
        said["variance"] = number["mean"] + number["mean"] ** 2 / number["size"]
        del said["size"]
    if "mean" not in said and "pmf" not in said:
        raise InstanceError("demand.mean", "it is missing", f"the mean of the {name} law, in units a period")
