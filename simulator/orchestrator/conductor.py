"""Leads a demo through its days: moves the clock, lets the shops follow, waits until all is passed on, keeps appointments."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.clock import ClockOwner
from simulator.catalogue import HOUR_MS, ShopFile
from simulator.orchestrator.centre_admin import CentreAdmin
from simulator.orchestrator.chain_setup import (
    REFRESH_CELLS_MS,
    PriceChange,
    price_changes,
    put_prices,
    put_swapped_planogram,
)
from simulator.orchestrator.chaos import Reaper
from simulator.orchestrator.courier import Courier
from simulator.orchestrator.pace import next_stop_ms
from simulator.orchestrator.quiet import Quiet
from simulator.orchestrator.shop_link import ShopLink

AFTER_THE_END_MS = HOUR_MS
"""The last day closes at its midnight; the hour after it lets windows close and the books be read."""
WATCH_ROUND_S = 0.15
TELL_SWAP_AHEAD_MS = 8 * HOUR_MS


@dataclass(slots=True)
class Appointment:
    at_ms: int
    keep: Callable[[], None]


@dataclass(slots=True)
class Tally:
    """Of the shops' answers so far."""

    receipts: int = 0
    units: int = 0
    stock_outs: int = 0
    lost_sales_units: int = 0


@dataclass(slots=True)
class Latencies:
    """Real seconds from the last message sent in a step until a group of stages was quiet."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seen_quiet_s: dict[str, float]) -> None:
        for label, seconds in seen_quiet_s.items():
            self.seconds.setdefault(label, []).append(seconds)

    def summary_ms(self) -> dict[str, dict[str, float]]:
        return {label: _summary_ms(values) for label, values in self.seconds.items() if values}


class Conductor:
    """on_progress: called often, with the business time. Owns the clock."""

    def __init__(
        self,
        *,
        clock: ClockOwner,
        shops: dict[str, ShopLink],
        files: dict[str, ShopFile],
        courier: Courier,
        quiet: Quiet,
        admin: CentreAdmin,
        reaper: Reaper,
        refresh_members: Callable[[], None],
        on_progress: Callable[[int], None],
    ) -> None:
        self._clock, self._shops, self._files = clock, shops, files
        self._courier, self._quiet, self._admin, self._reaper = courier, quiet, admin, reaper
        self._refresh_members, self._on_progress = refresh_members, on_progress
        self.tally, self.latencies = Tally(), Latencies()
        first = next(iter(files.values()))
        self.start_ms = self.now_ms = first.start_ms
        self.end_ms = first.end_ms + AFTER_THE_END_MS
        self._next_event_ms: int | None = first.start_ms
        self._new_prices: dict[str, dict[str, int]] = {shop: {} for shop in shops}
        self._appointments = sorted(self._planned(), key=lambda appointment: appointment.at_ms)

    def run_stepped(self, until_ms: int) -> None:
        """As fast as everybody follows: the clock stands, moves when all is quiet, and stands again."""
        while self.now_ms < until_ms:
            ahead = tuple(appointment.at_ms for appointment in self._appointments)
            self._step(next_stop_ms(self.now_ms, self._next_event_ms, ahead, until_ms))

    def run_scaled(self, until_ms: int, scale: float) -> None:
        """At `scale` business milliseconds a real one, for watching."""
        self._clock.run_from(self.now_ms, scale)
        while self.now_ms < until_ms:
            time.sleep(WATCH_ROUND_S)
            self._advance(min(self._clock.now_ms(), until_ms))
            self._after_step()
        self._step(until_ms)

    def _step(self, to_ms: int) -> None:
        self._clock.stand_at(to_ms)
        kills = self._reaper.total
        self._reaper.begin_step(self.tally.receipts)
        self._advance(to_ms)
        seen_quiet_s = self._quiet.wait(to_ms)
        if self._reaper.total == kills:
            self.latencies.add(seen_quiet_s)
        self._after_step()

    def _advance(self, to_ms: int) -> None:
        for shop, link in self._shops.items():
            command: dict[str, Any] = {"cmd": "advance", "to_ms": to_ms, **self._courier.parcel(shop)}
            if self._new_prices[shop]:
                command["prices"] = self._new_prices[shop]
                self._new_prices[shop] = {}
            link.send(command)
        self._reaper.while_sending()
        answers = [link.answer() for link in self._shops.values()]
        self.now_ms = to_ms
        for name in ("receipts", "units", "stock_outs", "lost_sales_units"):
            setattr(self.tally, name, sum(int(answer[name]) for answer in answers))
        upcoming = [answer["next_ms"] for answer in answers if answer["next_ms"] is not None]
        self._next_event_ms = min(upcoming, default=None)

    def _after_step(self) -> None:
        self._courier.fetch()
        while self._appointments and self._appointments[0].at_ms <= self.now_ms:
            self._appointments.pop(0).keep()
        self._on_progress(self.now_ms)

    def _planned(self) -> Sequence[Appointment]:
        planned = []
        for shop, file in self._files.items():
            told: list[PriceChange] = []
            for change in price_changes(file):
                planned.append(Appointment(change.tell_ms, self._teller(shop, file, told, change)))
                planned.append(Appointment(change.at_ms, self._marker(shop, change)))
            if file.swap is not None:
                planned.append(Appointment(file.swap.at_ms - TELL_SWAP_AHEAD_MS, self._swap_teller(file)))
        first = next(iter(self._files.values()))
        planned.extend(
            Appointment(at_ms, self._refresh_members)
            for at_ms in range(first.start_ms + REFRESH_CELLS_MS, first.end_ms, REFRESH_CELLS_MS)
        )
        return planned

    def _teller(
        self, shop: str, file: ShopFile, told: list[PriceChange], change: PriceChange
    ) -> Callable[[], None]:
        del shop

        def tell() -> None:
            told.append(change)
            put_prices(self._admin, file, told)

        return tell

    def _marker(self, shop: str, change: PriceChange) -> Callable[[], None]:
        return lambda: self._new_prices[shop].update(change.price_cents)

    def _swap_teller(self, file: ShopFile) -> Callable[[], None]:
        return lambda: put_swapped_planogram(self._admin, file)


def _summary_ms(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * 1000, 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))] * 1000, 1),
        "max": round(ordered[-1] * 1000, 1),
        "steps": len(ordered),
    }
