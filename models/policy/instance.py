"""An inventory problem with one item: what is sold, how it is replenished, what things cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import F64
from models.policy.demand_law import Say, law_from, moments
from models.policy.errors import InstanceError
from models.policy.instance_words import NAMES, fields_from
from models.policy.law_words import number_from

LOST, BACKORDER = "lost", "backorder"
FIFO, LIFO = "fifo", "lifo"
MAX_LEAD_PERIODS, MAX_LIFE_PERIODS = 28, 60
MAX_LEAD_TIMES_LIFE = 240
"""Steps of one projection: more would take minutes."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A period: the order of the day is placed, demand comes, costs fall due, what is old expires, supply arrives.

    law: masses of a period's demand, in whole units. lead_periods: an order placed in period t is there when the demand of
    t + lead_periods comes. holding, shortage: a unit and period, left over or unserved. fixed_order: an order that is not
    empty. unit_cost: a unit ordered; waste: a unit that expires, on top of its cost. unmet: LOST or BACKORDER.
    life_periods: demands that a unit can serve once it is there, None: for ever. issuing: FIFO or LIFO by age.
    """

    law: F64
    lead_periods: int
    holding: float
    shortage: float
    fixed_order: float = 0.0
    unit_cost: float = 0.0
    waste: float = 0.0
    unmet: str = LOST
    life_periods: int | None = None
    issuing: str = FIFO

    @property
    def mean(self) -> float:
        return moments(self.law)[0]

    @property
    def waits(self) -> bool:
        """Whether unmet demand does."""
        return self.unmet == BACKORDER

    @property
    def by_position(self) -> bool:
        """Whether one number says the state, on hand and on order less what is waited for: customers wait, and goods keep."""
        return self.waits and self.life_periods is None

    @property
    def lost_cost(self) -> float:
        """What a lost unit costs over a served one: its purchase is saved. Cost = unit_cost * mean + the rest.

        Below 0 where it is cheaper to sell nothing.
        """
        return self.shortage - self.unit_cost if self.unmet == LOST else self.shortage

    @property
    def waste_cost(self) -> float:
        return self.waste + self.unit_cost

    @property
    def base_cost(self) -> float:
        """What every policy pays a period: the purchase of what is wanted."""
        return self.unit_cost * self.mean


def instance_from_file(path: Path, say: Say = lambda _: None) -> Instance:
    """Raises InstanceError for a file that is no JSON or says what cannot be. say: is told what was made to fit."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InstanceError(
            str(path), f"it is no JSON: {error}", "one object, see docs/replenishment.md"
        ) from error
    return instance_from(described, say)


def instance_from(described: object, say: Say = lambda _: None) -> Instance:
    """An instance from what a JSON file said. Raises InstanceError that names the field."""
    if not isinstance(described, Mapping):
        raise InstanceError(
            "the whole", f"it is {type(described).__name__}", "one object, see docs/replenishment.md"
        )
    fields = fields_from(described)
    life = fields.get("shelf_life_periods")
    life = None if life == float("inf") else life
    instance = Instance(
        law=_law(fields, say),
        lead_periods=_whole(fields, "lead_time_periods", 0, MAX_LEAD_PERIODS),
        holding=_cost(fields, "holding_cost", least=1e-9),
        shortage=_cost(fields, "shortage_cost", least=1e-9),
        fixed_order=_cost(fields, "fixed_order_cost", default=0.0),
        unit_cost=_cost(fields, "unit_cost", default=0.0),
        waste=_cost(fields, "waste_cost", default=0.0),
        unmet=_word(fields, "unmet_demand", {
            LOST: ("lost", "lost_sales", "lost_sale", "lostsales"),
            BACKORDER: ("backorder", "backorders", "backordered", "backordering", "backlog", "backlogged", "backlogging"),
        }),
        life_periods=None if life is None else _whole(fields, "shelf_life_periods", 1, MAX_LIFE_PERIODS),
        issuing=_word(fields, "issuing", {FIFO: ("fifo",), LIFO: ("lifo",)}),
    )  # fmt: skip
    if instance.lead_periods * (instance.life_periods or 0) > MAX_LEAD_TIMES_LIFE:
        raise InstanceError(
            "shelf_life_periods",
            f"{instance.life_periods} periods, times a lead time of {instance.lead_periods}, are more than {MAX_LEAD_TIMES_LIFE}",
            "longer periods, or no shelf life where it is that long",
        )
    return instance


def _law(fields: dict[str, Any], say: Say) -> F64:
    if fields.get("demand") is None:
        raise InstanceError(
            "demand", "it is missing", 'an object such as {"distribution": "poisson", "mean": 5}'
        )
    law = law_from(fields["demand"], say)
    if float(law @ np.arange(len(law))) <= 0:
        raise InstanceError("demand", "nothing is ever sold", "a demand with a mean above 0")
    return law


def _whole(fields: dict[str, Any], name: str, least: int, most: int) -> int:
    value = _given(fields, name)
    number = number_from(value)
    if number is None or not least <= number <= most or number != int(number):
        without = ", or leave it out: the goods keep" if name == "shelf_life_periods" else ""
        raise InstanceError(name, f"it is {value!r}", f"a whole number, {least} to {most}{without}")
    return int(number)


def _cost(fields: dict[str, Any], name: str, least: float = 0.0, default: float | None = None) -> float:
    value = default if fields.get(name) is None and default is not None else _given(fields, name)
    number = number_from(value)
    if number is None or not least <= number < 1e9:
        raise InstanceError(name, f"it is {value!r}", f"a number {'above' if least else '>='} 0, below 1e9")
    return number


def _given(fields: dict[str, Any], name: str) -> Any:
    if fields.get(name) is None:
        raise InstanceError(name, "it is missing", f"it (also as {', '.join(NAMES[name][1:])})")
    return fields[name]


def _word(fields: dict[str, Any], name: str, words: dict[str, tuple[str, ...]]) -> str:
    said = str(fields.get(name) or next(iter(words))).lower().replace("-", "_").replace(" ", "_")
    for word, spellings in words.items():
        if said in spellings:
            return word
    raise InstanceError(name, f"it is {said!r}", " or ".join(words))
