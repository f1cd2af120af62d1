"""One store's days played hour by hour under some terms: what gateways would ask for, what the centre would make of it, what would come.

    morning ──► expired goods out, SKUs asked ──► each hour: lorries, customers, cut-offs, those asked who must be ──► evening

The centre's own decisions (replay_centre) run on the shop's goods (replay_shop); the quantity is asked for: `begin_day` and `hour` give asks
back, `answered` takes the answers. Demand that finds nothing is lost.
"""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from central.core.replay import Outcome, Terms
from central.core.replay_centre import PlayedCentre
from central.core.replay_shelf import PlayedShelf
from central.core.replay_shop import PlayedShop
from central.core.replay_words import Answer, Ask, Coming, People, PlayedHour, PlayedOrder
from central.core.replay_world import World

HOUR_MS = 3_600_000
ASK_EVERY_H = 3
"""Gateways ask each quarter of an hour; so often would take a replay ten times as long, and decide the same for the same cut-off."""
_SUMS = ("demand_units", "missed_units", "stock_out_minutes", "wasted_units", "stock_unit_days")


class Player:
    """Days come in order, and the hours of a day."""

    def __init__(
        self, terms: Terms, skus: Sequence[tuple[str, int | None, PlayedShelf]], coming: Sequence[Coming], people: People,
        zone: ZoneInfo, delivery_ms: int, world: World | None = None,
    ) -> None:  # fmt: skip
        """skus: (SKU, worth of a unit in cents, opening stock). delivery_ms: after midnight, when lorries come. world: None, nothing happens."""
        self._terms, self._number = terms, -1
        self._shop = PlayedShop(terms, skus, coming, zone, delivery_ms)
        self._centre = PlayedCentre(self._shop, terms, people, world or World())
        self._wanted: set[int] = set()
        self._sums: list[dict[str, int]] = []

    @property
    def orders(self) -> list[PlayedOrder]:
        return self._centre.orders

    @property
    def on_hand_units(self) -> int:
        """Of all SKUs, now."""
        return sum(sku.shelf.units for sku in self._shop.skus)

    def windows_days(self, today: date, start_ms: int) -> list[float]:
        """Of each SKU: from this morning until the order after the one placed now arrives."""
        self._shop.begin_day(today, start_ms)
        return [sum(self._shop.reach_of(sku.line, start_ms, 1.0)) for sku in self._shop.skus]

    def begin_day(self, today: date, start_ms: int, enough_units: Sequence[float]) -> list[Ask]:
        """The morning: what expired is thrown away, and every SKU is asked about that has less than enough on hand and on order.

        enough_units: of each SKU, what surely covers its window; until its stock falls below that it is not asked about.
        """
        self._number += 1
        self._wanted.clear()
        self._shop.begin_day(today, start_ms)
        self._sums.append(dict.fromkeys(_SUMS, 0))
        self._sums[-1]["wasted_units"] += self._shop.throw_away()
        self._centre.move_orders(start_ms)
        wanted = []
        for index, sku in enumerate(self._shop.skus):
            low = enough_units[index] - self._shop.on_order(index)
            if sku.shelf.units < low:
                wanted.append(index)
            else:
                sku.ask_below, sku.asked_in_vain = low, False
        return [self._shop.ask(index, start_ms, 1.0) for index in wanted]

    def hour(self, hour: PlayedHour) -> list[Ask]:
        """Lorries, customers, cut-offs, people; the asks are of the hour's end."""
        end_ms = self._shop.now_ms = hour.start_ms + HOUR_MS - 1
        sums, were_empty = self._sums[-1], len(self._shop.empty)
        wanted = self._shop.arrive()
        for index, units in hour.sales:
            sku, there = self._shop.skus[index], self._shop.sell(index, units)
            sums["demand_units"] += units
            sums["missed_units"] += units - there
            if there and (
                sku.asked_in_vain or (sku.ask_below is not None and sku.shelf.units < sku.ask_below)
            ):
                wanted.add(index)
        for index, units in hour.found:
            self._shop.find(index, units)
            wanted.add(index)
        # A shelf that emptied within the hour was so for half of it.
        sums["stock_out_minutes"] += round(30 * hour.open_share * (were_empty + len(self._shop.empty)))
        self._centre.move_orders(end_ms)
        self._wanted |= wanted
        if not self._is_time(end_ms):
            return []
        asked, self._wanted = sorted(self._wanted), set()
        return [self._shop.ask(index, end_ms, hour.share_left) for index in asked]

    def answered(self, asks: Sequence[Ask], answers: Sequence[Answer], now_ms: int) -> None:
        for ask, answer in zip(asks, answers, strict=True):
            sku = self._shop.skus[ask.index]
            quantity = answer.quantity_units
            sku.asked_in_vain = quantity > 0
            low = answer.target_units - answer.least_missing_units - self._shop.on_order(ask.index)
            sku.ask_below = None if quantity else min(low, float(sku.shelf.units))
            if quantity > 0 and (quantity, self._number) != sku.proposed:
                sku.proposed = (quantity, self._number)
                self._centre.decide(ask.index, answer, self._number, now_ms)

    def end_day(self) -> None:
        self._sums[-1]["stock_unit_days"] += self.on_hand_units

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

    def _is_time(self, end_ms: int) -> bool:
        """Each ASK_EVERY_H hours, and in the last hour before a supplier takes what is held: what is asked for later waits a day."""
        if ((end_ms - self._shop.day_ms) // HOUR_MS + 1) % ASK_EVERY_H == 0:
            return True
        return any(one.send_ms(end_ms) - end_ms <= HOUR_MS for one in self._terms.calendars.values())
