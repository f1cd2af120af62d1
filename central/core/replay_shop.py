"""The played shop: of each SKU what is on the shelf, what is open or on its way, and what a gateway would ask about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from central.core.days import day_of, day_start_ms
from central.core.order_reach import reach_days, until
from central.core.replay import Terms
from central.core.replay_shelf import PlayedShelf
from central.core.replay_words import APPROVED, Ask, Coming, PlayedOrder
from contract.api.restock import TriggerState
from contract.documents import SupplyLine


@dataclass(slots=True)
class PlayedSku:
    """value_cents: of a unit. ask_below: units on hand under which it is asked about. proposed: (units, day) of the newest proposal."""

    line: SupplyLine
    value_cents: int | None
    shelf: PlayedShelf
    open: PlayedOrder | None = None
    coming: list[Coming] = field(default_factory=list)
    raised_ms: int | None = None
    ask_below: float | None = None
    asked_in_vain: bool = False
    proposed: tuple[int, int] = (0, -1)


class PlayedShop:
    """delivery_ms: after midnight, when lorries come. today, day_ms (its midnight), now_ms: where the play is."""

    def __init__(
        self, terms: Terms, skus: Sequence[tuple[str, int | None, PlayedShelf]], coming: Iterable[Coming], zone: ZoneInfo,
        delivery_ms: int,
    ) -> None:  # fmt: skip
        """skus: (SKU, worth of a unit in cents, opening stock)."""
        self.zone, self.delivery_ms = zone, delivery_ms
        self.skus = [PlayedSku(terms.lines[sku], value, shelf) for sku, value, shelf in skus]
        for one in coming:
            self.skus[one.index].coming.append(one)
        self._terms = terms
        self._reach: dict[tuple[str, int, int, int], tuple[float, float]] = {}
        self.today, self.day_ms, self.now_ms = date.min, 0, 0
        self.moving = {index for index, sku in enumerate(self.skus) if sku.coming}
        """SKUs of which something is open or on its way."""
        self.empty = {index for index, sku in enumerate(self.skus) if sku.shelf.units <= 0}

    def begin_day(self, today: date, start_ms: int) -> None:
        self.today, self.day_ms, self.now_ms = today, start_ms, start_ms
        self._reach.clear()

    # ---- goods -----------------------------------------------------------------------------------------------

    def throw_away(self) -> int:
        """What expired by this morning; returns how many units."""
        wasted = 0
        for index, sku in enumerate(self.skus):
            gone = sku.shelf.throw_away(self.today.toordinal())
            if gone:
                wasted += gone
                self._look(index)
        return wasted

    def sell(self, index: int, units: int) -> int:
        """Returns how many there were."""
        there = self.skus[index].shelf.take(units)
        self._look(index)
        return there

    def find(self, index: int, units: int) -> None:
        """units: that turned up (above 0) or were gone."""
        if units > 0:
            self.skus[index].shelf.arrive(self.today.toordinal(), units)
        else:
            self.skus[index].shelf.take(-units)
        self._look(index)

    def arrive(self) -> set[int]:
        """Takes in the loads that are there by now; returns of which SKUs."""
        arrived = set()
        day = self.today.toordinal()
        for index in list(self.moving):
            sku = self.skus[index]
            order = sku.open
            if order is not None and order.state is TriggerState.ORDERED and order.arrives_ms <= self.now_ms:
                sku.shelf.arrive(day, order.quantity_units - order.short_units)
                order.state, sku.open = TriggerState.RECEIVED, None
                arrived.add(index)
            due = [one for one in sku.coming if one.arrives_ms <= self.now_ms] if sku.coming else []
            for one in due:
                sku.shelf.arrive(day, one.units)
                sku.coming.remove(one)
                arrived.add(index)
            if sku.open is None and not sku.coming:
                self.moving.discard(index)
        for index in arrived:
            self._look(index)
        return arrived

    def _look(self, index: int) -> None:
        if self.skus[index].shelf.units > 0:
            self.empty.discard(index)
        else:
            self.empty.add(index)

    # ---- orders ----------------------------------------------------------------------------------------------

    def on_order(self, index: int, *, without_open: bool = False) -> int:
        sku = self.skus[index]
        units = sum(one.units for one in sku.coming if one.ordered_ms <= self.now_ms)
        if sku.open is not None and not without_open and sku.open.state in APPROVED:
            units += sku.open.quantity_units
        return units

    def reach_of(self, line: SupplyLine, now_ms: int, share_left: float) -> tuple[float, float]:
        """Days until an order of now arrives, and from then to the arrival of the next one."""
        calendar = self._terms.calendars.get(line.supplier)
        of = (line.supplier, now_ms, line.lead_time_days, line.review_days)
        found = self._reach.get(of)
        if found is None:
            found = self._reach[of] = reach_days(
                calendar, line.lead_time_days, line.review_days, now_ms=now_ms, today=self.today, share_left=share_left
            )  # fmt: skip
        return found

    def ask(self, index: int, now_ms: int, share_left: float) -> Ask:
        sku = self.skus[index]
        lead, cover = self.reach_of(sku.line, now_ms, share_left)
        arrivals = []
        if sku.open is not None and sku.open.state in APPROVED:
            arrivals.append((self._arrives(sku.open), sku.open.quantity_units))
        arrivals += [(one.arrives_ms, one.units) for one in sku.coming if one.ordered_ms <= now_ms]
        return Ask(
            index, sku.line, sku.shelf.aged(self.today.toordinal(), share_left),
            tuple((self._days_until(at_ms, share_left), float(units)) for at_ms, units in arrivals),
            lead, cover, share_left,
        )  # fmt: skip

    def _arrives(self, order: PlayedOrder) -> int:
        """When it will be there, as far as anybody says now: nobody says beforehand that it will be late."""
        if order.state is TriggerState.ORDERED or order.cutoff_ms is None:
            return order.told_ms
        calendar = self._terms.calendars[self.skus[order.index].line.supplier]
        return day_start_ms(calendar.delivery_day(order.cutoff_ms).isoformat(), self.zone) + self.delivery_ms

    def _days_until(self, at_ms: int, share_left: float) -> float:
        """What is due today or late comes before the day ends."""
        return max(share_left, until(date.fromisoformat(day_of(at_ms, self.zone)), self.today, share_left))
