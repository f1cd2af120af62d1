"""What replays of several shops say together: each figure as it is, as it would be, and whether that is better."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from contract.api.replays import Figures, Made, ReplayDay, ReplayView
from hq.words import counted, money, number


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. verdict: better, worse, or "" where a change is neither by itself. made: what it really was, "" where nobody knows."""

    name: str
    now: str
    then: str
    difference: str
    verdict: str
    made: str = ""


def together(views: Sequence[ReplayView]) -> list[ReplayDay]:
    """The shops' days added up, day by day."""
    now: dict[str, list[Figures]] = defaultdict(list)
    then: dict[str, list[Figures]] = defaultdict(list)
    made: dict[str, list[Made]] = defaultdict(list)
    for view in views:
        for day in view.days:
            now[day.day].append(day.now)
            then[day.day].append(day.then)
            made[day.day].append(day.made)
    return [
        ReplayDay(day=day, now=_sum(now[day]), then=_sum(then[day]), made=_made(made[day]))
        for day in sorted(now)
    ]


def _sum(parts: Sequence[Figures]) -> Figures:
    return Figures(**{name: sum(getattr(part, name) for part in parts) for name in Figures.model_fields})


def _made(parts: Sequence[Made]) -> Made:
    return Made(**{name: sum(getattr(part, name) for part in parts) for name in Made.model_fields})


def lines_of(days: Sequence[ReplayDay], currency: str) -> list[Line]:
    """For the table. currency: "" where the shops have several; costs are then left out."""
    now, then = _sum([day.now for day in days]), _sum([day.then for day in days])
    made = _made([day.made for day in days])
    found = [
        _line("Orders", now.orders, then.orders, "order", 0, made.orders),
        _line("Of them emergencies", now.emergencies, then.emergencies, "order", -1, made.emergencies),
        _line("Units ordered", now.ordered_units, then.ordered_units, "unit", 0, made.ordered_units),
        _line("Orders that wait for a person", now.asked, then.asked, "order", -1, made.asked),
        _line("Units missed: wanted, and not there", now.missed_units, then.missed_units, "unit", -1),
        _line("Units wasted", now.wasted_units, then.wasted_units, "unit", -1),
        _line("Stock, units at the day's end", _mean(now, days), _mean(then, days), "unit", 0),
    ]
    minutes = (now.stock_out_minutes, then.stock_out_minutes)
    found.insert(5, _said("Stock-out minutes, all SKUs", minutes, lambda value: f"{number(value)} min", -1))
    if currency:
        cents = (now.ordered_cents, then.ordered_cents)
        cost = _said("Cost of the orders", cents, lambda value: money(value, currency), 0)
        found.insert(3, replace(cost, made=money(made.ordered_cents, currency)))
    return found


def _mean(figures: Figures, days: Sequence[ReplayDay]) -> int:
    return round(figures.stock_unit_days / len(days)) if days else 0


def _line(name: str, now: int, then: int, one: str, good: int, made: int | None = None) -> Line:
    line = _said(name, (now, then), lambda value: counted(round(value), one), good)
    return line if made is None else replace(line, made=counted(made, one))


def _said(name: str, values: tuple[int, int], say: Callable[[int], str], good: int) -> Line:
    """good: 1 when more is better, -1 when less is, 0 when neither."""
    now, then = values
    change = then - now
    share = f" ({100 * change / now:+.0f} %)" if now and change else ""
    sign = "+" if change > 0 else "−" if change < 0 else ""
    difference = f"{sign}{say(abs(change))}{share}" if change else "no change"
    verdict = "" if not change or not good else "better" if change * good > 0 else "worse"
    return Line(name, say(now), say(then), difference.replace("(-", "(−"), verdict)


def sentence(days: Sequence[ReplayDay], skus: int, shops: int) -> str:
    """The result in one sentence."""
    now, then = _sum([day.now for day in days]), _sum([day.then for day in days])
    missed, wasted, orders = (
        then.missed_units - now.missed_units, then.wasted_units - now.wasted_units, then.orders - now.orders,
    )  # fmt: skip
    parts = [
        f"{number(abs(value))} {'more' if value > 0 else 'fewer'} {what}"
        for value, what in ((missed, "units missed"), (wasted, "units wasted"), (orders, "orders"))
        if value
    ]
    over = f"over {counted(len(days), 'day')}, {counted(skus, 'SKU')} in {counted(shops, 'shop')}"
    return f"{', '.join(parts) or 'No difference'} {over}."


def agreed(views: Sequence[ReplayView]) -> str:
    """How far the play as it is agrees with the orders that were really made, and what most of the difference is."""
    made = sum(view.agreement.made for view in views)
    if not made:
        return "No order was really made in these days, so nothing says how true the play is."
    same = sum(view.agreement.same for view in views)
    why = Counter[str]()
    for view in views:
        why.update(view.agreement.only_made)
        why.update(view.agreement.only_played)
    said = f"As it is, the play makes {number(same)} of {counted(made, 'real order')} again, within a day and a pack"
    reasons = ", ".join(f"{text} ({number(count)})" for text, count in why.most_common(3))
    return f"{said}. Where it differs: {reasons}." if reasons else f"{said}."
