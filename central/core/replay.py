"""Stored weeks played again under another rule: what would have been ordered, missed, wasted and asked of a person.

Both rules, the present and the changed one, run through the same simulation over the same days, so that their
difference is the rule's alone. It orders by base stock from the day's forecast, every review day, beginning with nothing on order: not
by the order graph, calendars, emergency lanes and budgets that a live order goes through. So "as it is" is no copy of what was ordered
then; that is told beside it (central.ledger.made_orders). Demand is what was sold; on a day with a stock-out it is at least what was forecast,
because sales then hide demand. Lost demand is lost.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from central.core.transfers import Z_HIGH

STOCK_OUT_SHARE = 0.05
"""Of the day's open time without stock, from which on its sales do not tell its demand."""
OPEN_MINUTES = 16 * 60
"""Of a shop's day: turns the share of demand that was missed into minutes."""


@dataclass(frozen=True, slots=True)
class PlayedDay:
    """sold_units: net of returns. stock_out_share: of the day. expected_units: what was forecast for it at the time.

    mean_units, high_units: the forecast to order by, of this day and the following ones, mean and 90 % quantile.
    """

    sold_units: int
    stock_out_share: float
    expected_units: float
    mean_units: Sequence[float]
    high_units: Sequence[float]

    @property
    def demand_units(self) -> int:
        if self.stock_out_share < STOCK_OUT_SHARE:
            return max(0, self.sold_units)
        return max(0, self.sold_units, round(self.expected_units))


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides an order. shelf_life_days: None, the goods keep."""

    service_level: float
    lead_time_days: int
    review_days: int
    pack_units: int
    min_order_units: int
    max_stock_units: int | None
    shelf_life_days: int | None
    cost_cents: int
    auto_approve_below_cents: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Sums over the days. asked: orders that wait for a person. stock_unit_days: units on hand at the day's end, summed."""

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    asked: int = 0
    demand_units: int = 0
    missed_units: int = 0
    stock_out_minutes: int = 0
    wasted_units: int = 0
    stock_unit_days: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        # Written out: a chain's replay adds some million of them.
        return Outcome(
            self.orders + other.orders, self.ordered_units + other.ordered_units,
            self.ordered_cents + other.ordered_cents, self.asked + other.asked, self.demand_units + other.demand_units,
            self.missed_units + other.missed_units, self.stock_out_minutes + other.stock_out_minutes,
            self.wasted_units + other.wasted_units, self.stock_unit_days + other.stock_unit_days,
        )  # fmt: skip


FIGURES = tuple(Outcome.__dataclass_fields__)


def play(days: Sequence[PlayedDay], rule: Rule, opening_units: int) -> Outcome:
    """The sum of `play_by_day`."""
    return sum(play_by_day(days, rule, opening_units), Outcome())


def play_by_day(days: Sequence[PlayedDay], rule: Rule, opening_units: int) -> list[Outcome]:
    """One SKU in one store over consecutive days, beginning with `opening_units` fresh on hand and nothing on order."""
    shelf: deque[tuple[int, int]] = deque([(0, opening_units)])  # (day of arrival, units), oldest first
    coming: dict[int, int] = {}
    outcomes: list[Outcome] = []
    for today, day in enumerate(days):
        arrived = coming.pop(today, 0)
        if arrived:
            shelf.append((today, arrived))
        wasted = _throw_away(shelf, today, rule.shelf_life_days)
        demand = day.demand_units
        missed = demand - _take(shelf, demand)
        on_hand = sum(units for _, units in shelf)
        quantity = 0
        if today % rule.review_days == 0 and day.mean_units:
            quantity = order_quantity(day, rule, on_hand, sum(coming.values()))
        if quantity:
            arrives = today + rule.lead_time_days
            coming[arrives] = coming.get(arrives, 0) + quantity
        outcomes.append(
            Outcome(
                orders=int(quantity > 0),
                ordered_units=quantity,
                ordered_cents=quantity * rule.cost_cents,
                asked=int(quantity * rule.cost_cents >= rule.auto_approve_below_cents and quantity > 0),
                demand_units=demand,
                missed_units=missed,
                stock_out_minutes=round(OPEN_MINUTES * missed / demand) if demand else 0,
                wasted_units=wasted,
                stock_unit_days=on_hand,
            )
        )
    return outcomes


def order_quantity(day: PlayedDay, rule: Rule, on_hand: int, on_order: int) -> int:
    """Up to the quantile of the demand until the order after this one arrives; whole packs, minimum, room."""
    window = rule.lead_time_days + rule.review_days
    mean, sd = _window(day, window)
    target = mean + NormalDist().inv_cdf(rule.service_level) * sd
    if rule.shelf_life_days is not None:
        target = min(target, max(mean, _window(day, rule.shelf_life_days)[0]))
    position = on_hand + on_order
    need = math.ceil(target - position - 1e-9)
    if need <= 0:
        return 0
    packs = math.ceil(max(need, rule.min_order_units) / rule.pack_units)
    if rule.max_stock_units is not None:
        packs = min(packs, max(0, (rule.max_stock_units - position) // rule.pack_units))
    quantity = packs * rule.pack_units
    return quantity if quantity >= rule.min_order_units else 0


def changed(rule: Rule, changes: dict[str, object]) -> Rule:
    """The rule with some fields set anew. Raises ValueError for one that it does not have or that cannot be."""
    unknown = changes.keys() - Rule.__dataclass_fields__.keys()
    if unknown:
        raise ValueError(
            f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(Rule.__dataclass_fields__)}"
        )
    made = replace(rule, **changes)  # type: ignore[arg-type]
    if not 0.5 <= made.service_level < 1:
        raise ValueError(f"service_level {made.service_level} must be at least 0.5 and below 1")
    for name in ("review_days", "pack_units"):
        if getattr(made, name) < 1:
            raise ValueError(f"{name} {getattr(made, name)} must be at least 1")
    if made.lead_time_days < 0:
        raise ValueError(f"lead_time_days {made.lead_time_days} must not be negative")
    return made


def _window(day: PlayedDay, days: int) -> tuple[float, float]:
    """Mean and standard deviation of the demand of `days` days, taken as independent; the last forecast day repeats."""
    mean = variance = 0.0
    for ahead in range(days):
        place = min(ahead, len(day.mean_units) - 1)
        mean += day.mean_units[place]
        variance += (max(0.0, day.high_units[place] - day.mean_units[place]) / Z_HIGH) ** 2
    return mean, math.sqrt(variance)


def _throw_away(shelf: deque[tuple[int, int]], today: int, shelf_life_days: int | None) -> int:
    if shelf_life_days is None:
        return 0
    wasted = 0
    while shelf and today - shelf[0][0] >= shelf_life_days:
        wasted += shelf.popleft()[1]
    return wasted


def _take(shelf: deque[tuple[int, int]], units: int) -> int:
    """Takes the oldest first; returns how many there were."""
    taken = 0
    while shelf and taken < units:
        arrived, there = shelf.popleft()
        part = min(there, units - taken)
        taken += part
        if there > part:
            shelf.appendleft((arrived, there - part))
    return taken
