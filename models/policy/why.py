"""Why an order is what it is: its evidence in words, one fact a line, and as a picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.api.restock import Evidence, TriggerView
from contract.api.stores import SkuView
from models.errors import ModelsError
from models.policy.told_days import ToldDay, drawn, in_words

_WIDTH, _LEFT, _RIGHT = 700, 60, 640
_CHANCES = (0.5, 0.95)


class OtherRuleError(ModelsError):
    """The operator must act: the evidence is of another release's rule."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What stands behind one order. evidence: None where no order is open; trigger is the last one then, None if there was none.

    known_days: what the shop's calendar says of each of the SKU's coming days; None: the shop has no calendar.
    """

    sku: SkuView
    trigger: TriggerView | None
    evidence: Evidence | None
    known_days: tuple[ToldDay, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An order's inputs by name, as they were when it was decided. max_units, unmet_units, waste_units: None where nothing was said.

    lead_units, cover_units: mean demand until the order arrives and from then until the next one does; None where the models
    that made it had no order graph.
    """

    target_units: float
    on_hand_units: float | None
    on_order_units: float
    pack_units: float
    min_units: float
    max_units: float | None
    window_days: int
    service_level: float
    levels: list[float]
    quantiles: list[float]
    reasons: list[str]
    decided_ms: int
    unmet_units: float | None = None
    waste_units: float | None = None
    lead_units: float | None = None
    cover_units: float | None = None

    @property
    def median_units(self) -> float:
        return self.quantiles[min(range(len(self.levels)), key=lambda place: abs(self.levels[place] - 0.5))]

    @property
    def need_units(self) -> float:
        return self.target_units - (self.on_hand_units or 0.0) - self.on_order_units


def decision_of(evidence: Evidence) -> Decision:
    """Raises OtherRuleError where the evidence's inputs are of another rule."""
    inputs: dict[str, Any] = dict(evidence.inputs)
    try:
        wanted = inputs["wanted"]
        question = inputs.get("question") or {}
        return Decision(
            target_units=float(wanted["target_units"]),
            on_hand_units=_number(wanted["on_hand_units"]),
            on_order_units=float(wanted["on_order_units"]),
            pack_units=float(wanted["pack_units"]),
            min_units=float(wanted.get("min_order_units") or 0),
            max_units=_number(wanted.get("max_stock_units")),
            window_days=int(inputs["window_days"]),
            service_level=float(inputs["service_level"]),
            levels=[float(level) for level in inputs["quantile_levels"]],
            quantiles=[float(units) for units in inputs["cumulative_quantiles"]],
            reasons=[str(reason) for reason in inputs.get("gateway_reasons", [])],
            decided_ms=int(inputs["now_ms"]),
            unmet_units=_number(inputs.get("expected_unmet_units")),
            waste_units=_number(inputs.get("expected_waste_units")),
            lead_units=sum(map(float, question["lead_mean_units"])) if question else None,
            cover_units=_number(question.get("cover_mean_units")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OtherRuleError(
            f"the evidence of {evidence.trigger} is of another rule ({evidence.rule}): {error!r}; ask with the release that made it"
        ) from error


def as_words(found: Explained) -> list[str]:
    """From what is there now to what was decided, and from what."""
    return [_line(name, text) for name, text in _facts(found)]


def _line(name: str, text: str) -> str:
    return f"{name:<16}{text}" if name else text


def _facts(found: Explained) -> Iterator[tuple[str, str]]:
    sku, trigger = found.sku, found.trigger
    yield "", f"{sku.name} ({sku.sku}) in {sku.store}"
    yield "now", f"{_units(sku.on_hand_units)} on hand, {sku.on_order_units} on order"
    if sku.forecast_7_days_units is not None:
        yield "forecast", f"{sku.forecast_7_days_units:.1f} units in the next 7 days"
    if found.known_days is not None:
        yield "days ahead", in_words(found.known_days)
    if found.evidence is None or trigger is None:
        covered = "stock and orders under way cover the target, or a person said no"
        unknown = "nobody knows what is there; a count or a delivery would tell"
        yield "order", f"none is open: {unknown if sku.on_hand_units is None else covered}"
        if trigger is not None:
            yield (
                "the last",
                f"{trigger.quantity_units} units, {trigger.state} {_moment(trigger.changed_ms)}: {trigger.why}",
            )
        return
    yield (
        "order",
        f"{found.evidence.quantity_units} units ({trigger.kind}, {trigger.state}), {trigger.trigger}",
    )
    if "transfer" in found.evidence.inputs:
        yield "decided", f"{_moment(trigger.created_ms)}: {trigger.why}"
    else:
        yield from _decision_facts(decision_of(found.evidence), trigger)
    yield "checked", _agreement(found.evidence)
    if trigger.doubt:
        yield "doubt", trigger.doubt


def _decision_facts(made: Decision, trigger: TriggerView) -> Iterator[tuple[str, str]]:
    yield "decided", f"{_moment(made.decided_ms)}: {trigger.why}"
    yield "then", f"{_units(made.on_hand_units)} on hand, {made.on_order_units:g} on order"
    yield (
        "demand",
        f"{made.window_days} days of lead time and review: half the time at most {made.median_units:g} units",
    )
    if made.lead_units is not None and made.cover_units is not None:
        until, after = made.lead_units, made.cover_units
        yield (
            "asked",
            f"{until:.1f} units on average until the order arrives, {after:.1f} from then until the next one can",
        )
    yield "target", f"{_round(made.target_units)} units, for a service of {made.service_level:.1%}"
    short = f"{_round(made.target_units)} - {made.on_hand_units or 0:g} on hand - {made.on_order_units:g} on order"
    yield "need", f"{short} = {_round(made.need_units)} units"
    yield "bounds", ", ".join(_bounds(made))
    for reason in made.reasons:
        yield "because", reason
    if made.unmet_units is not None and made.waste_units is not None:
        yield (
            "expected",
            f"{made.unmet_units:.2f} units unserved and {made.waste_units:.2f} wasted, the order included",
        )


def _bounds(made: Decision) -> Iterator[str]:
    yield f"packs of {made.pack_units:g}"
    if made.min_units > 0:
        yield f"at least {made.min_units:g} units"
    if made.max_units is None:
        yield "no limit of room"
    else:
        room = made.max_units - (made.on_hand_units or 0.0) - made.on_order_units
        yield f"room for {made.max_units:g} units, {max(room, 0.0):g} of it free"


def as_picture(found: Explained) -> str:
    """An SVG: what was there and what is ordered, the chance that demand stays below so much, the target, the reasons, and the days ahead."""
    if found.evidence is None or "transfer" in found.evidence.inputs:
        facts = [_line(name, text) for name, text in _facts(found) if name != "days ahead"]
        parts = [f'<text x="20" y="{70 + 20 * row}">{_safe(line)}</text>' for row, line in enumerate(facts)]
        return _with_days(found, parts, found.sku.name, 100 + 20 * len(parts))
    made, ordered = decision_of(found.evidence), float(found.evidence.quantity_units)
    there = (made.on_hand_units or 0.0) + made.on_order_units
    top = max(made.target_units, there + ordered, made.quantiles[-1], 1.0) * 1.08
    parts = [*_stock_bar(made, ordered, top), *_demand_line(made, top), *_marks(made, top)]
    for row, reason in enumerate(made.reasons):
        parts.append(f'<text x="{_LEFT}" y="{352 + 18 * row}">because {_safe(reason)}</text>')
    title = f"{found.sku.name}, {found.sku.store}, {_moment(made.decided_ms)}"
    return _with_days(found, parts, title, 365 + 18 * len(made.reasons))


def _with_days(found: Explained, parts: list[str], title: str, height: int) -> str:
    """The page, with what the calendar says of the days ahead at its end."""
    if found.known_days is None:
        return _page(parts, title, height)
    days, more = drawn(found.known_days, height)
    return _page([*parts, *days], title, height + more)


def _marks(made: Decision, top: float) -> Iterator[str]:
    """The target, and the room where it is near."""
    x = _place(made.target_units, top)
    yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="50" y2="290" stroke="#222" stroke-dasharray="5 4"/>'
    yield f'<text x="{x:.1f}" y="327" text-anchor="middle">target {_round(made.target_units)}</text>'
    if made.max_units is not None and made.max_units <= top:
        x = _place(made.max_units, top)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="50" y2="290" stroke="#c98a1b" stroke-dasharray="2 3"/>'
        yield f'<text x="{x:.1f}" y="46" text-anchor="middle" fill="#c98a1b">room {made.max_units:g}</text>'


def _stock_bar(made: Decision, ordered: float, top: float) -> Iterator[str]:
    left = 0.0
    for units, colour, label in (
        (made.on_hand_units or 0.0, "#2f6690", "on hand"), (made.on_order_units, "#81a4cd", "on order"), (ordered, "#0b6e4f", "order"),
    ):  # fmt: skip
        if units <= 0:
            continue
        start, end = _place(left, top), _place(left + units, top)
        yield f'<rect x="{start:.1f}" y="60" width="{end - start:.1f}" height="34" fill="{colour}"/>'
        yield f'<text x="{start + 4:.1f}" y="82" fill="white">{label} {units:g}</text>'
        left += units


def _demand_line(made: Decision, top: float) -> Iterator[str]:
    points = " ".join(
        f"{_place(units, top):.1f},{290 - 160 * level:.1f}"
        for level, units in zip(made.levels, made.quantiles, strict=True)
    )
    for chance in _CHANCES:
        y = 290 - 160 * chance
        yield f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{chance:.0%}</text>'
    yield f'<polyline points="{points}" fill="none" stroke="#b23a48" stroke-width="2"/>'
    yield f'<text x="{_LEFT}" y="118" fill="#b23a48">chance that demand of {made.window_days} days stays below</text>'
    yield f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="290" y2="290" stroke="#999"/>'
    step = _round_step(top)
    for tick in range(0, int(top) + 1, step):
        yield f'<text x="{_place(tick, top):.1f}" y="308" text-anchor="middle" fill="#555">{tick}</text>'


def _round_step(top: float) -> int:
    """The least of 1, 2, 5, 10 … that gives eight ticks or fewer."""
    steps = (digit * int(10**power) for power in range(9) for digit in (1, 2, 5))
    return next(step for step in steps if top / step <= 8)


def _place(units: float, top: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * max(units, 0.0) / top


def _agreement(evidence: Evidence) -> str:
    if evidence.agrees:
        return f"computed again from its inputs it is the same ({evidence.rule}, {evidence.bundle})"
    return evidence.note or f"computed again it is {evidence.recomputed_quantity_units}"


def _page(parts: list[str], title: str, height: int) -> str:
    size = f'width="{_WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    name = f'<text x="{_LEFT}" y="28" font-size="15" font-weight="bold">{_safe(title)}</text>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', name, *parts, "</svg>"]) + "\n"


def _units(units: float | None) -> str:
    return "an unknown number" if units is None else f"{units:g} units"


def _round(units: float) -> str:
    return f"{round(units, 1):g}"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
