"""An inventory problem with one item: what is sold, how it is replenished, what things cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import F64
from models.policy.demand_law import law_from, moments
from models.policy.errors import InstanceError

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


# What the file may call a field, first the name that we write.
_NAMES: dict[str, tuple[str, ...]] = {
    "demand": ("demand", "demand_pmf", "pmf"),
    "lead_time_periods": ("lead_time_periods", "lead_time", "lead_time_days", "lead_periods", "leadtime", "lead", "L"),
    "holding_cost": ("holding_cost", "holding", "h"),
    "shortage_cost": ("shortage_cost", "penalty_cost", "stockout_cost", "lost_sale_cost", "lost_sales_cost", "backorder_cost", "penalty", "p", "b"),
    "fixed_order_cost": ("fixed_order_cost", "fixed_cost", "setup_cost", "setup", "order_cost", "ordering_cost", "K"),
    "unit_cost": ("unit_cost", "purchase_cost", "c"),
    "waste_cost": ("waste_cost", "outdating_cost", "outdate_cost", "wastage_cost", "expiry_cost", "w"),
    "unmet_demand": ("unmet_demand", "unmet", "shortage", "type", "model", "kind"),
    "shelf_life_periods": ("shelf_life_periods", "shelf_life", "shelf_life_days", "lifetime", "life", "m"),
    "issuing": ("issuing", "issuing_policy", "issue", "issuance"),
    "name": ("name", "comment", "description", "optimal_cost", "optimum", "source"),
}  # fmt: skip


def instance_from_file(path: Path) -> Instance:
    """Raises InstanceError for a file that is no JSON or says what cannot be."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InstanceError(
            str(path), f"it is no JSON: {error}", "one object, see docs/replenishment.md"
        ) from error
    return instance_from(described)


def instance_from(described: object) -> Instance:
    """An instance from what a JSON file said. Raises InstanceError that names the field."""
    if not isinstance(described, Mapping):
        raise InstanceError(
            "the whole", f"it is {type(described).__name__}", "one object, see docs/replenishment.md"
        )
    fields = _by_our_names(described)
    life = fields.get("shelf_life_periods")
    life = None if life == float("inf") else life
    if life is not None and str(fields.get("unmet_demand", LOST)).lower().startswith("back"):
        raise InstanceError(
            "unmet_demand", "customers wait for units that expire", "lost, or leave out the shelf life"
        )
    instance = Instance(
        law=_law(fields),
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


def _by_our_names(described: Mapping[Any, Any]) -> dict[str, Any]:
    ours = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
    fields: dict[str, Any] = {}
    for key, value in described.items():
        if key not in ours:
            raise InstanceError(str(key), "no such field", f"one of {', '.join(_NAMES)}")
        if ours[key] in fields and ours[key] != "name":
            raise InstanceError(str(key), "it is given twice, by two names", ours[key])
        fields[ours[key]] = value
    return fields


def _law(fields: dict[str, Any]) -> F64:
    law = law_from(fields.get("demand"))
    if float(law @ np.arange(len(law))) <= 0:
        raise InstanceError("demand", "nothing is ever sold", "a demand with a mean above 0")
    return law


def _whole(fields: dict[str, Any], name: str, least: int, most: int) -> int:
    value = fields.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not least <= value <= most
        or value != int(value)
    ):
        raise InstanceError(name, f"it is {value!r}", f"a whole number, {least} to {most}")
    return int(value)


def _cost(fields: dict[str, Any], name: str, least: float = 0.0, default: float | None = None) -> float:
    value = default if fields.get(name) is None else fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
        raise InstanceError(name, f"it is {value!r}", f"a number {'above' if least else '>='} 0, below 1e9")
    return float(value)


def _word(fields: dict[str, Any], name: str, words: dict[str, tuple[str, ...]]) -> str:
    said = str(fields.get(name) or next(iter(words))).lower().replace("-", "_").replace(" ", "_")
    for word, spellings in words.items():
        if said in spellings:
            return word
    raise InstanceError(name, f"it is {said!r}", " or ".join(words))
