"""What a replay of stored weeks is made of: the figures that it gives, day by day, and what may be changed in a rule."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from central.core.supplier_calendar import SupplierCalendar
from contract.documents import SupplyLine


@dataclass(frozen=True, slots=True)
class Outcome:
    """Sums over the days. An order counts on the day on which it was first decided, with what went out of it in the end.

    asked: orders that waited for a person. stock_out_minutes: open time with an empty shelf, all SKUs. stock_unit_days: units on hand
    at the day's end, summed.
    """

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    emergencies: int = 0
    asked: int = 0
    demand_units: int = 0
    missed_units: int = 0
    stock_out_minutes: int = 0
    wasted_units: int = 0
    stock_unit_days: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(**{name: getattr(self, name) + getattr(other, name) for name in FIGURES})


FIGURES = tuple(Outcome.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what the centre decides in one play. budget_cents: of a day, None: no budget.

    A supplier that has no calendar delivers by the line's lead time, and takes orders at any time.
    """

    lines: Mapping[str, SupplyLine]
    calendars: Mapping[str, SupplierCalendar]
    auto_approve_below_cents: int
    auto_approve_from_confidence: float = 0.0
    budget_cents: int | None = None
    expiry_ms: int = 48 * 3_600_000


OF_LINE = (
    "service_level", "lead_time_days", "review_days", "pack_units", "min_order_units", "max_stock_units",
    "presentation_units",
)  # fmt: skip
OF_CALENDAR = ("order_weekdays", "cutoff_minute", "delivery_weekdays", "emergency_lead_days")
OF_CENTRE = ("auto_approve_below_cents", "auto_approve_from_confidence", "budget_cents")
_BOUNDS: dict[str, tuple[float, float]] = {
    "service_level": (0.5, 0.999), "lead_time_days": (0, 21), "review_days": (1, 7), "pack_units": (1, 10_000),
    "min_order_units": (0, 100_000), "max_stock_units": (1, 1_000_000), "presentation_units": (0, 10_000),
    "cutoff_minute": (0, 1439), "emergency_lead_days": (0, 21), "auto_approve_below_cents": (0, 10**9),
    "auto_approve_from_confidence": (0, 1), "budget_cents": (0, 10**9),
}  # fmt: skip


def changed(terms: Terms, changes: Mapping[str, object]) -> Terms:
    """The terms with some set anew: of every line, of every calendar, of the centre. A lead time is the calendars' as well.

    Raises ValueError for a change that does not exist, is out of bounds, or is of a calendar where no supplier has one.
    """
    known = (*OF_LINE, *OF_CALENDAR, *OF_CENTRE)
    unknown = changes.keys() - set(known)
    if unknown:
        raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    for name, value in changes.items():
        _check(name, value)
    of_line = {name: changes[name] for name in OF_LINE if name in changes}
    of_calendar = {name: _days_of(changes[name]) for name in OF_CALENDAR if name in changes}
    if of_calendar and not terms.calendars:
        raise ValueError(f"{', '.join(of_calendar)}: no supplier of this store has a calendar to be changed")
    if "lead_time_days" in changes:
        of_calendar["lead_time_days"] = changes["lead_time_days"]
    of_centre = {name: changes[name] for name in OF_CENTRE if name in changes}
    return replace(
        terms,
        lines={sku: line.model_copy(update=of_line) for sku, line in terms.lines.items()},
        calendars={name: replace(one, **of_calendar) for name, one in terms.calendars.items()},  # type: ignore[arg-type]
        **of_centre,  # type: ignore[arg-type]
    )


def _check(name: str, value: object) -> None:
    if name in ("order_weekdays", "delivery_weekdays"):
        days = _days_of(value)
        if not isinstance(days, frozenset) or not days or not days <= set(range(7)):
            raise ValueError(f"{name} {value} must name weekdays, 0 (Monday) to 6, at least one")
        return
    low, high = _BOUNDS[name]
    if not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} {value} must be from {low:g} to {high:g}")


def _days_of(value: object) -> object:
    """Weekdays as a set; anything else as it is."""
    return frozenset(value) if isinstance(value, list | tuple | set | frozenset) else value
