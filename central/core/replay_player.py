"""One store's days played hour by hour under some terms: what gateways would ask for, what the centre would make of it, what would come.

    morning ──► expired goods out, SKUs asked ──► each hour: lorries, customers, cut-offs, those asked who must be ──► evening

The centre's own decisions (central.core.restock, supplier_calendar) run; the quantity is asked for: `begin_day` and `hour` give asks back,
`answered` takes the answers. Demand that finds nothing is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from central.core.days import day_after, day_of, day_start_ms
from central.core.order_reach import reach_days, until
from central.core.replay import Outcome, Terms
from central.core.replay_shelf import PlayedShelf
from central.core.replay_words import APPROVED, Answer, Ask, Coming, People, PlayedHour, PlayedOrder
from central.core.restock import (
    Hold,
    OpenTrigger,
    Policy,
    Raise,
    Wanted,
    Withdraw,
    confidence_of,
    decide_restock,
)
from contract.api.restock import TriggerState
from contract.documents import SupplyLine
from contract.records import QUANTILE_LEVELS

HOUR_MS = 3_600_000
ASK_EVERY_H = 3
"""Gateways ask each quarter of an hour; so often would take a replay ten times as long, and decide the same for the same cut-off."""
_NEVER_STALE_MS = 10**15


@dataclass(slots=True)
class _Sku:
    line: SupplyLine
    value_cents: int | None
    shelf: PlayedShelf
    open: PlayedOrder | None = None
    coming: list[Coming] = field(default_factory=list)
    raised_ms: int | None = None
    ask_below: float | None = None
    asked_in_vain: bool = False
    proposed: tuple[int, int] = (0, -1)


class Player:
    """Days come in order, and the hours of a day."""

    def __init__(
        self, terms: Terms, skus: Sequence[tuple[str, int | None, PlayedShelf]], coming: Sequence[Coming], people: People,
        zone: ZoneInfo, delivery_ms: int,
    ) -> None:  # fmt: skip
        """skus: (SKU, worth of a unit in cents, opening stock). delivery_ms: after midnight, when lorries come."""
        self._terms, self._people, self._zone, self._delivery_ms = terms, people, zone, delivery_ms
        self._skus = [_Sku(terms.lines[sku], value, shelf) for sku, value, shelf in skus]
        for one in coming:
            self._skus[one.index].coming.append(one)
        self._policy = Policy(
            terms.auto_approve_below_cents, _NEVER_STALE_MS,
            auto_approve_from_confidence=terms.auto_approve_from_confidence,
        )  # fmt: skip
        self._reach: dict[tuple[str, int, int, int], tuple[float, float]] = {}
        self._today, self._day_ms, self._number, self._now_ms = date.min, 0, -1, 0
        self._wanted: set[int] = set()
        self._moving = {one.index for one in coming}
        """SKUs of which something is open or on its way."""
        self._empty = {index for index, sku in enumerate(self._skus) if sku.shelf.units <= 0}
        self._sums: list[dict[str, int]] = []
        self.orders: list[PlayedOrder] = []

    # ---- the day's course ------------------------------------------------------------------------------------

    def windows_days(self, today: date, start_ms: int) -> list[float]:
        """Of each SKU: from this morning until the order after the one placed now arrives."""
        self._today, self._day_ms = today, start_ms
        self._reach.clear()
        return [sum(self._reach_of(sku.line, start_ms, 1.0)) for sku in self._skus]

    def begin_day(self, today: date, start_ms: int, enough_units: Sequence[float]) -> list[Ask]:
        """The morning: what expired is thrown away, and every SKU is asked about that has less than enough on hand and on order.

        enough_units: of each SKU, what surely covers its window; until its stock falls below that it is not asked about.
        """
        self._today, self._day_ms, self._number = today, start_ms, self._number + 1
        self._reach.clear()
        self._wanted.clear()
        names = ("demand_units", "missed_units", "stock_out_minutes", "wasted_units", "stock_unit_days")
        self._sums.append(dict.fromkeys(names, 0))
        self._now_ms = start_ms
        for index, sku in enumerate(self._skus):
            wasted = sku.shelf.throw_away(today.toordinal())
            if wasted:
                self._sums[-1]["wasted_units"] += wasted
                self._look(index)
        self._move_orders(start_ms)
        wanted = []
        for index, sku in enumerate(self._skus):
            low = enough_units[index] - self._on_order(index)
            if sku.shelf.units < low:
                wanted.append(index)
            else:
                sku.ask_below, sku.asked_in_vain = low, False
        return [self._ask(index, start_ms, 1.0) for index in wanted]

    def hour(self, hour: PlayedHour) -> list[Ask]:
        """Lorries, customers, cut-offs, people; the asks are of the hour's end."""
        end_ms = self._now_ms = hour.start_ms + HOUR_MS - 1
        sums, were_empty = self._sums[-1], len(self._empty)
        wanted = self._arrive(end_ms)
        for index, units in hour.sales:
            sku = self._skus[index]
            there = sku.shelf.take(units)
            self._look(index)
            sums["demand_units"] += units
            sums["missed_units"] += units - there
            if there and (
                sku.asked_in_vain or (sku.ask_below is not None and sku.shelf.units < sku.ask_below)
            ):
                wanted.add(index)
        for index, units in hour.found:
            self._find(index, units)
            wanted.add(index)
        # A shelf that emptied within the hour was so for half of it.
        sums["stock_out_minutes"] += round(30 * hour.open_share * (were_empty + len(self._empty)))
        self._move_orders(end_ms)
        self._wanted |= wanted
        if not self._is_time(end_ms):
            return []
        asked, self._wanted = sorted(self._wanted), set()
        return [self._ask(index, end_ms, hour.share_left) for index in asked]

    def _is_time(self, end_ms: int) -> bool:
        """Each ASK_EVERY_H hours, and in the last hour before a supplier takes what is held: what is asked for later waits a day."""
        if ((end_ms - self._day_ms) // HOUR_MS + 1) % ASK_EVERY_H == 0:
            return True
        return any(one.send_ms(end_ms) - end_ms <= HOUR_MS for one in self._terms.calendars.values())

    def end_day(self) -> None:
        self._sums[-1]["stock_unit_days"] += sum(sku.shelf.units for sku in self._skus)

    def answered(self, asks: Sequence[Ask], answers: Sequence[Answer], now_ms: int) -> None:
        for ask, answer in zip(asks, answers, strict=True):
            sku = self._skus[ask.index]
            quantity = answer.quantity_units
            sku.asked_in_vain = quantity > 0
            on_order = self._on_order(ask.index)
            low = answer.target_units - answer.least_missing_units - on_order
            sku.ask_below = None if quantity else min(low, float(sku.shelf.units))
            if quantity > 0 and (quantity, self._number) != sku.proposed:
                sku.proposed = (quantity, self._number)
                self._decide(ask.index, answer, now_ms)

    def outcomes(self) -> list[Outcome]:
        """One a day, of the days that are over."""
        found = [Outcome(**sums) for sums in self._sums]
        for order in self.orders:
            found[order.day] += Outcome(
                orders=int(order.counts), ordered_units=order.quantity_units * order.counts,
                ordered_cents=order.value_cents * order.counts, asked=int(order.asked),
                emergencies=int(order.counts and order.is_emergency),
            )  # fmt: skip
        return found

    # ---- what the centre does --------------------------------------------------------------------------------

    def _decide(self, index: int, answer: Answer, now_ms: int) -> None:
        sku, opened = self._skus[index], self._skus[index].open
        line, on_hand = sku.line, sku.shelf.units
        calendar = self._terms.calendars.get(line.supplier)
        on_order = self._on_order(index, without_open=True)
        regular = None if calendar is None else calendar.days_until_delivery(now_ms)
        wanted = Wanted(
            sku=line.sku, proposed_units=answer.quantity_units, target_units=max(0.0, answer.target_units),
            on_hand_units=on_hand, on_order_units=on_order, proposed_on_order_units=self._on_order(index),
            pack_units=line.pack_units, min_order_units=line.min_order_units, max_stock_units=line.max_stock_units,
            expected_stock_out_units=0.0, unit_value_cents=sku.value_cents, review_days=line.review_days,
            last_raised_ms=sku.raised_ms, watermark_ms=now_ms, doubt="",
            confidence=confidence_of(on_hand + on_order, answer.cumulative_quantiles, QUANTILE_LEVELS),
            send_ms=None if calendar is None else calendar.send_ms(now_ms), regular_days=regular,
            emergency_days=None if calendar is None else calendar.emergency_lead_days,
            expected_before_regular_units=0.0 if regular is None else sum(answer.mean_units[:regular]),
            budget_left_cents=self._budget_left(opened),
        )  # fmt: skip
        before = opened and OpenTrigger(str(index), opened.state, opened.quantity_units, opened.held_until_ms)
        decision = decide_restock(wanted, self._policy, before or None, now_ms)
        if isinstance(decision, Withdraw) and opened is not None:
            opened.state, sku.open = TriggerState.CANCELLED, None
        if isinstance(decision, Hold | Withdraw):
            return
        if opened is None or not decision.revises:
            opened = PlayedOrder(index, self._number, TriggerState.PROPOSED, 0, 0, now_ms, on_hand)
            self.orders.append(opened)
        self._raise(sku, opened, decision, now_ms)

    def _raise(self, sku: _Sku, order: PlayedOrder, decision: Raise, now_ms: int) -> None:
        calendar = self._terms.calendars.get(sku.line.supplier)
        sku.open, sku.raised_ms = order, now_ms
        self._moving.add(order.index)
        order.quantity_units, order.value_cents = decision.quantity_units, decision.value_cents
        order.is_emergency, order.on_hand_units = decision.is_emergency, sku.shelf.units
        order.held_until_ms, order.decide_ms = None, None
        if not decision.approved:
            order.state, order.asked = TriggerState.PROPOSED, True
            order.decide_ms = now_ms + self._people.wait_ms if self._people.say_yes else None
            order.expires_ms = now_ms + self._terms.expiry_ms
            return
        order.state = TriggerState.APPROVED
        if decision.send_ms is not None and decision.send_ms > now_ms and calendar is not None:
            order.held_until_ms = decision.send_ms
            order.cutoff_ms = decision.send_ms + calendar.freeze_min * 60_000
        else:
            self._send(order, now_ms)

    def _send(self, order: PlayedOrder, now_ms: int) -> None:
        """Out of the house: the replenishment system orders it at once."""
        line = self._skus[order.index].line
        calendar = self._terms.calendars.get(line.supplier)
        days = line.lead_time_days
        if order.is_emergency and calendar is not None and calendar.emergency_lead_days is not None:
            days = calendar.emergency_lead_days
        day = day_after(day_of(now_ms, self._zone), days)
        if calendar is not None and not order.is_emergency:
            day = calendar.delivery_day(now_ms if order.cutoff_ms is None else order.cutoff_ms).isoformat()
        order.state, order.held_until_ms = TriggerState.ORDERED, None
        order.arrives_ms = max(now_ms + 1, day_start_ms(day, self._zone) + self._delivery_ms)

    def _move_orders(self, now_ms: int) -> None:
        """People's words, cut-offs, ends."""
        for index in self._moving:
            sku = self._skus[index]
            order = sku.open
            if order is None or order.state is TriggerState.ORDERED:
                continue
            if order.decide_ms is not None and order.decide_ms <= now_ms:
                self._say_yes(sku, order, now_ms)
            elif order.state is TriggerState.PROPOSED and order.expires_ms <= now_ms:
                order.state, sku.open = TriggerState.EXPIRED, None
            elif order.held_until_ms is not None and order.held_until_ms <= now_ms:
                self._send(order, now_ms)

    def _say_yes(self, sku: _Sku, order: PlayedOrder, now_ms: int) -> None:
        calendar = self._terms.calendars.get(sku.line.supplier)
        order.state, order.decide_ms = TriggerState.APPROVED, None
        if calendar is None or order.is_emergency or calendar.send_ms(now_ms) <= now_ms:
            self._send(order, now_ms)
        else:
            order.held_until_ms = calendar.send_ms(now_ms)
            order.cutoff_ms = order.held_until_ms + calendar.freeze_min * 60_000

    def _arrive(self, now_ms: int) -> set[int]:
        arrived = set()
        day = self._today.toordinal()
        for index in list(self._moving):
            sku = self._skus[index]
            order = sku.open
            if order is not None and order.state is TriggerState.ORDERED and order.arrives_ms <= now_ms:
                sku.shelf.arrive(day, order.quantity_units)
                order.state, sku.open = TriggerState.RECEIVED, None
                arrived.add(index)
            due = [one for one in sku.coming if one.arrives_ms <= now_ms] if sku.coming else []
            for one in due:
                sku.shelf.arrive(day, one.units)
                sku.coming.remove(one)
                arrived.add(index)
            if sku.open is None and not sku.coming:
                self._moving.discard(index)
        for index in arrived:
            self._look(index)
        return arrived

    def _find(self, index: int, units: int) -> None:
        if units > 0:
            self._skus[index].shelf.arrive(self._today.toordinal(), units)
        else:
            self._skus[index].shelf.take(-units)
        self._look(index)

    def _look(self, index: int) -> None:
        if self._skus[index].shelf.units > 0:
            self._empty.discard(index)
        else:
            self._empty.add(index)

    # ---- what gateways would ask -----------------------------------------------------------------------------

    def _ask(self, index: int, now_ms: int, share_left: float) -> Ask:
        sku = self._skus[index]
        lead, cover = self._reach_of(sku.line, now_ms, share_left)
        arrivals = []
        if sku.open is not None and sku.open.state in APPROVED:
            arrivals.append((self._arrives(sku.open), sku.open.quantity_units))
        arrivals += [(one.arrives_ms, one.units) for one in sku.coming if one.ordered_ms <= now_ms]
        return Ask(
            index, sku.line, sku.shelf.aged(self._today.toordinal(), share_left),
            tuple((self._days_until(at_ms, share_left), float(units)) for at_ms, units in arrivals),
            lead, cover, share_left,
        )  # fmt: skip

    def _reach_of(self, line: SupplyLine, now_ms: int, share_left: float) -> tuple[float, float]:
        calendar = self._terms.calendars.get(line.supplier)
        of = (line.supplier, now_ms, line.lead_time_days, line.review_days)
        found = self._reach.get(of)
        if found is None:
            found = self._reach[of] = reach_days(
                calendar, line.lead_time_days, line.review_days, now_ms=now_ms, today=self._today, share_left=share_left
            )  # fmt: skip
        return found

    def _arrives(self, order: PlayedOrder) -> int:
        """When it will be there, as far as anybody says now."""
        if order.state is TriggerState.ORDERED or order.cutoff_ms is None:
            return order.arrives_ms
        calendar = self._terms.calendars[self._skus[order.index].line.supplier]
        return (
            day_start_ms(calendar.delivery_day(order.cutoff_ms).isoformat(), self._zone) + self._delivery_ms
        )

    def _days_until(self, at_ms: int, share_left: float) -> float:
        """What is due today or late comes before the day ends."""
        return max(share_left, until(date.fromisoformat(day_of(at_ms, self._zone)), self._today, share_left))

    def _on_order(self, index: int, *, without_open: bool = False) -> int:
        sku = self._skus[index]
        units = sum(one.units for one in sku.coming if one.ordered_ms <= self._now_ms)
        if sku.open is not None and not without_open and sku.open.state in APPROVED:
            units += sku.open.quantity_units
        return units

    def _budget_left(self, without: PlayedOrder | None) -> int | None:
        if self._terms.budget_cents is None:
            return None
        spent = sum(
            order.value_cents for order in self.orders if order.counts and order.created_ms >= self._day_ms and order is not without
        )  # fmt: skip
        return max(0, self._terms.budget_cents - spent)
