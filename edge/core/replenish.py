"""What to ask the models, when, and what to make of the answer.

A SKU is asked for anew at each business day, and when its sales, stock or supply changed, at most every quarter of an
hour; but at once when the change is the one that asks for an order. The quantity is the model's; whether a person should look first (`doubt`) is decided here.
"""

from dataclasses import dataclass
from datetime import date
from math import ceil
from statistics import median

from pydantic import TypeAdapter

from contract.known_days import KnownDaysView
from contract.order_question import OrderQuestion
from contract.records import MAX_HORIZON_DAYS
from edge.core.calibration import Evidence
from edge.core.lean import SupplyRow
from edge.core.reach import Reach
from edge.core.rows import Row, Rows

ASK_AGAIN_MS = 15 * 60_000
MAX_LINES = 256
"""SKUs asked for at once, so that no answer keeps the shop waiting."""
PRICE_RATIOS = (0.4, 2.5)
"""As models.features.PRICE_RATIOS."""


@dataclass(frozen=True, slots=True)
class SkuInputs:
    """What demand is forecast from. NaN is unknown.

    history: units a day, the last one the day before the job's first day. price_ratio: of each day of the horizon.
    served: share of each day's demand that the shelf could serve, as long as the history; () for all of it.
    known_days: what the calendar says of the history's days and those ahead; shared by all SKUs, None: nothing.
    """

    sku: str
    history: tuple[float, ...]
    price_ratio: tuple[float, ...]
    category_level: float
    served: tuple[float, ...] = ()
    known_days: KnownDaysView | None = None


@dataclass(frozen=True, slots=True)
class ForecastLine:
    """One SKU's question. None is unknown or no limit. supply and reach None: forecast only. daily: the day's first one.

    share_left: what is still to come of today's demand, by the hours at which its category sells; None: the job's.
    """

    inputs: SkuInputs
    supply: SupplyRow | None
    on_hand_units: int | None
    doubt: str
    daily: bool
    reach: Reach | None = None
    share_left: float | None = None

    @property
    def sku(self) -> str:
        return self.inputs.sku

    @property
    def window_days(self) -> int:
        """Until the order after this one can arrive: lead time plus review period, or by the supplier's calendar."""
        if self.reach is None:
            return 1
        return max(1, min(ceil(self.reach.lead_days + self.reach.cover_days), MAX_HORIZON_DAYS))


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """first_day_share: what is still to come of the first day's opening time, 0 to 1.

    calibration: how far the levels of `bundle`'s forecasts are off; for another bundle it says nothing.
    """

    asked_ms: int
    first_day: date
    first_day_share: float
    closed_days: tuple[date, ...]
    horizon_days: int
    lines: tuple[ForecastLine, ...]
    bundle: str = ""
    calibration: Evidence = ()


@dataclass(frozen=True, slots=True)
class ForecastAnswer:
    """One SKU's answer. mean, quantiles: per day; cumulative_quantiles: over the line's window.

    target_units: the stock position that the order makes up for what is missing to; least_missing_units: how much must be
    missing for an order. expected_stock_out_units: if nothing is ordered; expected_unmet_units, expected_waste_units: the
    order included, None: the models do not say. question: what the order graph was asked, of an order.
    """

    sku: str
    mean: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    cumulative_quantiles: tuple[float, ...]
    quantity_units: int
    target_units: float
    expected_stock_out_units: float
    reasons: tuple[str, ...]
    expected_unmet_units: float | None = None
    expected_waste_units: float | None = None
    least_missing_units: float = 0.0
    question: OrderQuestion | None = None


@dataclass(frozen=True, slots=True)
class ForecastDone:
    """doubt: "" or why the models themselves should not be trusted (a baseline stands in). order_graph: sha256, "": none."""

    job: ForecastJob
    answers: tuple[ForecastAnswer, ...]
    bundle: str
    doubt: str
    order_graph: str = ""


@dataclass(slots=True)
class PlanRow:
    """dirty_ms: since when the SKU waits to be asked for, None when it does not.

    proposed_units, proposed_day, proposed_doubt: of the last proposal sent. daily_mean: units a day, of the last forecast.
    ask_below_units: once fewer are on hand, an answer will ask for an order: the SKU does not wait for its turn then.
    was_orderable: the last question knew a supplier.
    """

    dirty_ms: int | None = None
    asked_ms: int = 0
    forecast_day: str = ""
    proposed_units: int = 0
    proposed_day: str = ""
    proposed_doubt: str = ""
    daily_mean: float | None = None
    ask_below_units: float | None = None
    was_orderable: bool = True


class Plans:
    def __init__(self) -> None:
        self.rows: Rows[PlanRow] = Rows("plan", TypeAdapter(PlanRow))
        self._dirty: set[str] = set()
        self._at_once: set[str] = set()

    def stock_is(self, sku: str, on_hand_units: int | None) -> None:
        """A stock that fell below what the last answer wanted is asked for at once, if it is dirty."""
        row = self.rows.get(sku)
        if row is None or row.ask_below_units is None or on_hand_units is None:
            return
        if on_hand_units < row.ask_below_units:
            self._at_once.add(sku)

    def can_order(self, sku: str) -> None:
        """The SKU has a supplier; when the last question knew none, the next one does not wait for its turn."""
        row = self.rows.get(sku)
        if row is not None and not row.was_orderable:
            self._at_once.add(sku)

    def dirty(self, sku: str, now_ms: int) -> None:
        row = self.rows.get(sku)
        if row is None:
            row = PlanRow()
            self.rows.put(sku, row)
        if row.dirty_ms is None:
            row.dirty_ms = now_ms
            self.rows.touch(sku)
            self._dirty.add(sku)

    def due(self, now_ms: int) -> list[str]:
        """SKUs to ask for now, at most MAX_LINES, those that wait longest first."""
        due = [
            sku
            for sku in self._dirty
            if sku in self._at_once or now_ms - self.rows.by_key[sku].asked_ms >= ASK_AGAIN_MS
        ]
        due.sort(key=lambda sku: (self.rows.by_key[sku].dirty_ms or 0, sku))
        return due[:MAX_LINES]

    def next_due_ms(self) -> int | None:
        return min((self.rows.by_key[sku].asked_ms + ASK_AGAIN_MS for sku in self._dirty), default=None)

    def answered(self, sku: str, job: ForecastJob, answer: ForecastAnswer | None) -> PlanRow:
        """The SKU's plan after the answer; None when the models gave none."""
        row = self.rows.by_key[sku]
        row.asked_ms = job.asked_ms
        row.ask_below_units = None
        self._at_once.discard(sku)
        if row.dirty_ms is not None and row.dirty_ms <= job.asked_ms:
            row.dirty_ms = None
            self._dirty.discard(sku)
        if answer is not None and answer.mean:
            row.daily_mean = round(sum(answer.mean[:7]) / len(answer.mean[:7]), 3)
        self.rows.touch(sku)
        return row

    def forget(self, sku: str) -> None:
        """The SKU is no longer managed here."""
        self.rows.drop(sku)
        self._dirty.discard(sku)
        self._at_once.discard(sku)

    def daily_mean(self, sku: str) -> float | None:
        row = self.rows.get(sku)
        return row.daily_mean if row else None

    def waiting(self) -> int:
        return len(self._dirty)

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def restore(self, key: str, text: str) -> None:
        self.rows.restore(key, text)
        if self.rows.by_key[key].dirty_ms is not None:
            self._dirty.add(key)


def is_news(plan: PlanRow, quantity_units: int, day: str, doubt: str) -> bool:
    """Whether a proposal says more than the last one: another quantity, another day, or other doubts."""
    return quantity_units > 0 and (quantity_units, day, doubt) != (
        plan.proposed_units,
        plan.proposed_day,
        plan.proposed_doubt,
    )


def price_ratios(prices: list[int | None], past_days: int) -> tuple[float, ...]:
    """Each later day's price over the mean of the first `past_days`; NaN where one is unknown.

    A past price far from their median is a slip of the pen: as models.features.usual_price, which a test compares.
    """
    known = [price for price in prices[:past_days] if price]
    middle = median(known) if known else 0.0
    past = [price for price in known if PRICE_RATIOS[0] <= price / middle <= PRICE_RATIOS[1]]
    mean = sum(past) / len(past) if past else 0.0
    return tuple(
        price / mean if price is not None and mean > 0 else float("nan") for price in prices[past_days:]
    )
