"""What to train the replenishment network on and how, from a file."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from models.policy.errors import TrainingConfigError
from models.training.policy_fit import PolicyFit
from models.training.policy_lessons import KINDS, Mix

SHIPPED_CONFIG = Path(__file__).parent / "policy.toml"
VALIDATION_SHARE = 13
"""One instance in so many is kept out of the fit."""


@dataclass(frozen=True, slots=True)
class PolicyTraining:
    """seed: of every draw. lessons: mixes of problems, one after the other. fit: its seed is the same."""

    seed: int
    lessons: tuple[Mix, ...]
    fit: PolicyFit

    @property
    def instances(self) -> int:
        return sum(mix.instances for mix in self.lessons)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def training_from_file(path: Path) -> PolicyTraining:
    """Raises TrainingConfigError that names the field."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingConfigError(
            str(path), f"{error}", "a TOML file such as models/training/policy.toml"
        ) from error
    _only(said, {"seed", "lessons", "fit"}, "")
    seed = _number(said, "seed", whole=True)
    mixes = said.get("lessons")
    if not isinstance(mixes, list) or not mixes:
        raise TrainingConfigError("lessons", f"it is {mixes!r}", "one [[lessons]] or more")
    fit = said.get("fit", {})
    _only(fit, {field.name for field in fields(PolicyFit)} - {"seed"}, "fit.")
    training = PolicyTraining(int(seed), tuple(map(_mix, mixes)), _fit(fit, int(seed)))
    if training.instances < VALIDATION_SHARE:
        raise TrainingConfigError(
            "lessons.instances",
            f"they are {training.instances} in all",
            f"{VALIDATION_SHARE} or more: one in so many validates",
        )
    return training


def _fit(said: dict[str, Any], seed: int) -> PolicyFit:
    usual = PolicyFit()
    given = asdict(usual) | said
    return PolicyFit(
        epochs=int(_number(given, "epochs", "fit.", whole=True)),
        hidden=int(_number(given, "hidden", "fit.", whole=True)),
        batch=int(_number(given, "batch", "fit.", whole=True)),
        rate=_number(given, "rate", "fit."),
        weight_decay=_number(given, "weight_decay", "fit."),
        plain_weight=_number(given, "plain_weight", "fit."),
        seed=seed,
    )


def _mix(said: dict[str, Any]) -> Mix:
    _only(said, {field.name for field in fields(Mix)}, "lessons.")
    shares = said.get("shares", list(Mix().shares))
    if (
        not isinstance(shares, list)
        or len(shares) != len(KINDS)
        or abs(sum(shares) - 1) > 1e-6
        or min(shares) < 0
    ):
        raise TrainingConfigError(
            "lessons.shares", f"it is {shares!r}", f"{len(KINDS)} shares >= 0 that sum to 1"
        )
    return Mix(
        int(_number(said, "instances", "lessons.", whole=True)),
        tuple(float(share) for share in shares),
        _number(said, "aged_lot_share", "lessons.") if "aged_lot_share" in said else Mix().aged_lot_share,
        _yes(said, "wide", "lessons."),
    )


def _only(said: dict[str, Any], known: set[str], where: str) -> None:
    for name in said:
        if name not in known:
            raise TrainingConfigError(f"{where}{name}", "no such field", f"one of {', '.join(sorted(known))}")


def _yes(said: dict[str, Any], name: str, where: str) -> bool:
    value = said.get(name, False)
    if not isinstance(value, bool):
        raise TrainingConfigError(f"{where}{name}", f"it is {value!r}", "true or false")
    return value


def _number(said: dict[str, Any], name: str, where: str = "", *, whole: bool = False) -> float:
    value = said.get(name)
    kinds = int if whole else int | float
    if (
        isinstance(value, bool)
        or not isinstance(value, kinds)
        or value < 0
        or (whole and name != "seed" and value < 1)
    ):
        what = "a whole number, 1 or more" if whole else "a number, 0 or more"
        raise TrainingConfigError(f"{where}{name}", f"it is {value!r}", what)
    return float(value) if not whole else value
