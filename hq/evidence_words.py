"""What an order was decided from, in a planner's words: what was there, what was asked for, what would have been missed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC

from hq.words import UNKNOWN, counted, instant_with_year, number, trigger_state

Fact = tuple[str, str]
Stored = Mapping[str, object]


def decided_from(inputs: Stored) -> list[Fact]:
    """The figures of a restock order, what matters most first; of the inputs that are there. Empty for those of another form."""
    wanted = inputs.get("wanted")
    if not isinstance(wanted, Mapping):
        return []
    found = [
        ("On hand then", _units(wanted.get("on_hand_units"))),
        ("On order then", _on_order(wanted)),
        ("Demand to cover", _demand(inputs)),
        ("Asked for by the gateway", _asked(wanted, inputs)),
        ("Target, stock position", _units(wanted.get("target_units"), 1)),
        ("Missed without it", _units(wanted.get("expected_stock_out_units"), 1)),
        ("Missed with it", _units(inputs.get("expected_unmet_units"), 1)),
        ("Expected to expire", _units(inputs.get("expected_waste_units"), 1)),
        ("Pack and limits", _limits(wanted)),
        ("Chance that it is needed", _share(wanted.get("confidence"))),
        ("Open then", _open(inputs.get("open_trigger"))),
        ("Doubt", str(wanted.get("doubt") or "none")),
        ("Decided", _moment(inputs.get("now_ms"))),
    ]
    return [(name, text) for name, text in found if text != UNKNOWN or name == "On hand then"]


def as_stored(value: object) -> str:
    """Any stored value as text."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value, 0 if isinstance(value, int) else 2)
    if isinstance(value, str):
        return value or UNKNOWN
    return json.dumps(value, ensure_ascii=False)


def _number_of(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _units(value: object, decimals: int = 0) -> str:
    known = _number_of(value)
    return UNKNOWN if known is None else f"{number(known, decimals)} {'unit' if known == 1 else 'units'}"


def _share(value: object) -> str:
    known = _number_of(value)
    return UNKNOWN if known is None else f"{100 * known:.0f} %"


def _moment(value: object) -> str:
    known = _number_of(value)
    return UNKNOWN if known is None else f"{instant_with_year(int(known), UTC)} UTC"


def _on_order(wanted: Stored) -> str:
    here, there = wanted.get("on_order_units"), wanted.get("proposed_on_order_units")
    told = f"; the gateway knew of {_units(there)}" if there not in (None, here) else ""
    return _units(here) + told


def _demand(inputs: Stored) -> str:
    """The middle and the central 80 % of what was forecast for the days that the order covers."""
    levels, quantiles = inputs.get("quantile_levels"), inputs.get("cumulative_quantiles")
    days = _number_of(inputs.get("window_days"))
    if not isinstance(levels, Sequence) or not isinstance(quantiles, Sequence) or days is None:
        return UNKNOWN
    of = dict(zip(levels, quantiles, strict=False))
    if not {0.1, 0.5, 0.9} <= of.keys():
        return UNKNOWN
    return (
        f"{counted(int(days), 'day')}: {number(of[0.5])} units as likely more as less; "
        f"{number(of[0.1])} to {number(of[0.9])} in eight of ten"
    )


def _asked(wanted: Stored, inputs: Stored) -> str:
    reasons = inputs.get("gateway_reasons")
    said = "; ".join(str(one) for one in reasons) if isinstance(reasons, list) else ""
    return _units(wanted.get("proposed_units")) + (f": {said}" if said else "")


def _limits(wanted: Stored) -> str:
    parts = [f"packs of {_units(wanted.get('pack_units'))}"]
    for name, text in (("min_order_units", "at least"), ("max_stock_units", "room for")):
        value = _number_of(wanted.get(name))
        if value:
            parts.append(f"{text} {number(value)}")
    return ", ".join(parts)


def _open(value: object) -> str:
    if not isinstance(value, Mapping):
        return UNKNOWN
    state = trigger_state(str(value.get("state"))).word
    return f"{value.get('trigger_id')}: {_units(value.get('quantity_units'))}, {state}"
