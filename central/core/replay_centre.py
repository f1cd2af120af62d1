"""The played centre: its own rule (central.core.restock) on what gateways ask, cut-offs, people, and what goes out."""

from dataclasses import dataclass, field

from central.core.days import day_after, day_of, day_start_ms
from central.core.replay import Terms
from central.core.replay_shop import PlayedShop, PlayedSku
from central.core.replay_words import Answer, People, PlayedOrder
from central.core.replay_world import World
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
from central.core.supplier_calendar import SupplierCalendar
from contract.api.restock import TriggerState
from contract.records import QUANTILE_LEVELS

DAY_MS = 86_400_000
_NEVER_STALE_MS = 10**15


@dataclass(slots=True)
class PlayedCentre:
    """orders: all that were ever raised."""

    shop: PlayedShop
    terms: Terms
    people: People
    world: World
    orders: list[PlayedOrder] = field(default_factory=list)

    def decide(self, index: int, answer: Answer, day: int, now_ms: int) -> None:
        """day: its number in the weeks."""
        sku = self.shop.skus[index]
        opened = sku.open
        before = opened and OpenTrigger(str(index), opened.state, opened.quantity_units, opened.held_until_ms)
        wanted = self._wanted(index, answer, now_ms)
        decision = decide_restock(wanted, self._policy(sku.line.supplier, now_ms), before or None, now_ms)
        if isinstance(decision, Withdraw) and opened is not None:
            opened.state, sku.open = TriggerState.CANCELLED, None
        if isinstance(decision, Hold | Withdraw):
            return
        if opened is None or not decision.revises:
            opened = PlayedOrder(index, day, TriggerState.PROPOSED, 0, 0, now_ms, sku.shelf.units)
            self.orders.append(opened)
        self._raise(sku, opened, decision, now_ms)

    def move_orders(self, now_ms: int) -> None:
        """People's words, cut-offs, ends."""
        for index in self.shop.moving:
            sku = self.shop.skus[index]
            order = sku.open
            if order is None or order.state is TriggerState.ORDERED:
                continue
            if order.decide_ms is not None and order.decide_ms <= now_ms:
                self._say_yes(sku, order, now_ms)
            elif order.held_until_ms is not None and order.held_until_ms <= now_ms:
                self._send_unless_stopped(sku, order, now_ms)
            elif order.state is TriggerState.PROPOSED and order.expires_ms <= now_ms:
                order.state, sku.open = TriggerState.EXPIRED, None

    def _wanted(self, index: int, answer: Answer, now_ms: int) -> Wanted:
        sku = self.shop.skus[index]
        line, on_hand = sku.line, sku.shelf.units
        calendar = self._calendar(sku)
        on_order = self.shop.on_order(index, without_open=True)
        regular = None if calendar is None else calendar.days_until_delivery(now_ms)
        has, has_now = None, None
        if calendar is not None:
            picked, today = calendar.picking_day(now_ms), calendar.local_day(now_ms)
            has, has_now = self.world.depot_has(index, now_ms, picked, today)
        return Wanted(
            sku=line.sku, proposed_units=answer.quantity_units, target_units=max(0.0, answer.target_units),
            on_hand_units=on_hand, on_order_units=on_order, proposed_on_order_units=self.shop.on_order(index),
            pack_units=line.pack_units, min_order_units=line.min_order_units, max_stock_units=line.max_stock_units,
            expected_stock_out_units=0.0, unit_value_cents=sku.value_cents, review_days=line.review_days,
            last_raised_ms=sku.raised_ms, watermark_ms=now_ms, doubt="",
            confidence=confidence_of(on_hand + on_order, answer.cumulative_quantiles, QUANTILE_LEVELS),
            send_ms=None if calendar is None else calendar.send_ms(now_ms), regular_days=regular,
            emergency_days=None if calendar is None else calendar.emergency_lead_days,
            expected_before_regular_units=0.0 if regular is None else sum(answer.mean_units[:regular]),
            available_units=has, available_now_units=has_now, budget_left_cents=self._budget_left(sku.open),
        )  # fmt: skip

    def _policy(self, supplier: str, now_ms: int) -> Policy:
        return Policy(
            self.terms.auto_approve_below_cents, _NEVER_STALE_MS, self.world.switches_for(supplier, now_ms),
            self.terms.auto_approve_from_confidence,
        )  # fmt: skip

    def _raise(self, sku: PlayedSku, order: PlayedOrder, decision: Raise, now_ms: int) -> None:
        sku.open, sku.raised_ms = order, now_ms
        self.shop.moving.add(order.index)
        order.quantity_units, order.value_cents = decision.quantity_units, decision.value_cents
        order.is_emergency, order.on_hand_units = decision.is_emergency, sku.shelf.units
        order.held_until_ms, order.decide_ms, order.changed_ms = None, None, now_ms
        if not decision.approved:
            order.state, order.asked = TriggerState.PROPOSED, True
            order.decide_ms = now_ms + self.people.wait_ms if self.people.say_yes else None
            order.expires_ms = now_ms + self.terms.expiry_ms
            return
        order.state = TriggerState.APPROVED
        calendar = self._calendar(sku)
        if decision.send_ms is not None and decision.send_ms > now_ms and calendar is not None:
            self._hold(order, calendar, decision.send_ms)
        else:
            self._send(order, now_ms)

    def _hold(self, order: PlayedOrder, calendar: SupplierCalendar, send_ms: int) -> None:
        order.held_until_ms, order.expires_ms = send_ms, send_ms + self.terms.expiry_ms
        order.cutoff_ms = send_ms + calendar.freeze_min * 60_000

    def _send_unless_stopped(self, sku: PlayedSku, order: PlayedOrder, now_ms: int) -> None:
        """A kill-switch that was thrown after the approval keeps the order here, until it is off or the order ends."""
        if not self.world.thrown_since(sku.line.supplier, order.changed_ms, now_ms):
            self._send(order, now_ms)
        elif order.expires_ms <= now_ms:
            order.state, sku.open = TriggerState.EXPIRED, None
        elif (calendar := self._calendar(sku)) is not None:
            # Its own is missed: who orders it later, orders it for the next one.
            order.cutoff_ms = calendar.next_cutoff_ms(now_ms)

    def _send(self, order: PlayedOrder, now_ms: int) -> None:
        """Out of the house: the replenishment system orders it at once."""
        sku = self.shop.skus[order.index]
        calendar = self._calendar(sku)
        days = sku.line.lead_time_days
        if order.is_emergency and calendar is not None and calendar.emergency_lead_days is not None:
            days = calendar.emergency_lead_days
        day = day_after(day_of(now_ms, self.shop.zone), days)
        if calendar is not None and not order.is_emergency:
            day = calendar.delivery_day(now_ms if order.cutoff_ms is None else order.cutoff_ms).isoformat()
        order.state, order.held_until_ms = TriggerState.ORDERED, None
        order.told_ms = max(now_ms + 1, day_start_ms(day, self.shop.zone) + self.shop.delivery_ms)
        load = self.world.load_of(order.index, order.created_ms)
        order.arrives_ms = order.told_ms + (load.late_days * DAY_MS if load is not None else 0)
        order.short_units = 0 if load is None else min(load.short_units, order.quantity_units)

    def _say_yes(self, sku: PlayedSku, order: PlayedOrder, now_ms: int) -> None:
        calendar = self._calendar(sku)
        order.state, order.decide_ms, order.changed_ms = TriggerState.APPROVED, None, now_ms
        if calendar is None or order.is_emergency or calendar.send_ms(now_ms) <= now_ms:
            self._send(order, now_ms)
        else:
            self._hold(order, calendar, calendar.send_ms(now_ms))

    def _calendar(self, sku: PlayedSku) -> SupplierCalendar | None:
        return self.terms.calendars.get(sku.line.supplier)

    def _budget_left(self, without: PlayedOrder | None) -> int | None:
        if self.terms.budget_cents is None:
            return None
        spent = sum(
            order.value_cents for order in self.orders
            if order.counts and order.created_ms >= self.shop.day_ms and order is not without
        )  # fmt: skip
        return max(0, self.terms.budget_cents - spent)
