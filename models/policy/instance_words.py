"""What people call the parts of an instance, said in the words that models.policy.instance knows. Nothing is guessed and nothing passed over."""

from collections.abc import Mapping
from typing import Any

from models.policy.errors import InstanceError

NAMES: dict[str, tuple[str, ...]] = {
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
"""What the file may call a field, first the name that we write."""
_OURS = {alias: name for name, aliases in NAMES.items() for alias in aliases}
_FLAGS = {
    "lost_sales": ("lost", "backorder"), "lost": ("lost", "backorder"),
    "backorder": ("backorder", "lost"), "backorders": ("backorder", "lost"), "backlog": ("backorder", "lost"),
}  # fmt: skip
"""Fields that are true or false, and what each says of unmet demand."""
_BESIDE = ("mean", "mu", "lambda", "lam", "rate", "std", "sd", "sigma", "variance", "var", "cv", "dispersion", "trials", "n", "r", "low", "high", "scale")  # fmt: skip
"""Parameters of a law that may stand beside its name: none is the name of a field."""


def fields_from(described: Mapping[Any, Any]) -> dict[str, Any]:
    """By our names. Raises InstanceError for a field that nobody knows, or one given twice."""
    if set(described) - set(NAMES["name"]) == {"instance"} and isinstance(described["instance"], Mapping):
        described = described["instance"]
    fields: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for key, value in described.items():
        if key in _BESIDE and isinstance(described.get("demand"), str):
            beside[key] = value
            continue
        name, said = _field(str(key), value)
        if name in fields and name != "name":
            raise InstanceError(str(key), "it is given twice, by two names", name)
        fields[name] = said
    if isinstance(fields.get("demand"), str):
        fields["demand"] = {"distribution": fields["demand"], **beside}
    return fields


def _field(key: str, value: Any) -> tuple[str, Any]:
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise InstanceError(key, f"it is {value!r}", "true or false, or unmet_demand: lost or backorder")
        return "unmet_demand", _FLAGS[key][0 if value else 1]
    if key not in _OURS:
        raise InstanceError(key, "no such field", f"one of {', '.join(NAMES)}")
    return _OURS[key], value
