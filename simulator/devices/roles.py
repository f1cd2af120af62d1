"""What each kind of device does with what happens around it; the wire is somebody else's."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from contract.devices import (
    Adjustment,
    DayClose,
    Delivery,
    DeviceEvent,
    EslAck,
    EslResult,
    EslStatus,
    PriceCommand,
    Receipt,
    Stocktake,
)
from contract.errors import MalformedMessageError
from simulator.catalogue import DAY_MS, local_day
from simulator.shop_protocol import ClosedDay, Totals
from simulator.world_events import DeliveryTaken, GoodsWrittenOff, ReceiptRung, StockCounted

STATUS_EVERY_DAYS = 3
FIRST_FAILURE_SHARE = 0.03
"""Of price commands that would redraw a label: no answer at the first try, as radio labels do."""
BATTERY_FULL_MV, BATTERY_MV_A_DAY = 3_000, 1.2


class Emit(Protocol):
    """Gives an event of the device to its journal and wire."""

    def __call__(self, cls: type[DeviceEvent], at_ms: int, **fields: Any) -> None: ...


@dataclass(slots=True)
class _Sums:
    receipts: int = 0
    lines: int = 0
    units: int = 0
    cents: int = 0

    def add(self, lines: int, units: int, cents: int) -> None:
        self.receipts += 1
        self.lines += lines
        self.units += units
        self.cents += cents


class Till:
    """Numbers receipts, counts for itself, and closes its business day at midnight."""

    def __init__(self, register_id: str, emit: Emit) -> None:
        self._register, self._emit = register_id, emit
        self._today = _Sums()
        self._all = _Sums()
        self.day_closes: list[ClosedDay] = []

    @property
    def totals(self) -> Totals:
        total = self._all
        return Totals(receipts=total.receipts, lines=total.lines, units=total.units, cents=total.cents)

    def ring(self, rung: ReceiptRung) -> None:
        cents = sum(line.extended_cents for line in rung.lines)
        units = sum(line.sold_units for line in rung.lines)
        for sums in (self._today, self._all):
            sums.add(len(rung.lines), units, cents)
        self._emit(
            Receipt,
            rung.at_ms,
            register_id=self._register,
            business_date=local_day(rung.at_ms),
            sequence=self._today.receipts,
            lines=list(rung.lines),
            total_cents=cents,
            member=rung.member,
        )

    def close_day(self, business_date: str, at_ms: int) -> None:
        today, self._today = self._today, _Sums()
        totals = {
            "receipts": today.receipts,
            "lines": today.lines,
            "units": today.units,
            "cents": today.cents,
        }
        self.day_closes.append(ClosedDay(register_id=self._register, business_date=business_date, **totals))
        self._emit(DayClose, at_ms, register_id=self._register, business_date=business_date, **totals)


class Dock:
    """The handheld at the back door: deliveries, counts, write-offs."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def take_delivery(self, taken: DeliveryTaken) -> None:
        self._emit(Delivery, taken.at_ms, despatch=taken.despatch, lines=list(taken.lines))

    def count(self, counted: StockCounted) -> None:
        self._emit(
            Stocktake, counted.at_ms, place=counted.place, opening=counted.opening, lines=list(counted.lines)
        )

    def write_off(self, gone: GoodsWrittenOff) -> None:
        self._emit(
            Adjustment, gone.at_ms, gtin=gone.gtin, delta_units=gone.delta_units, place=gone.place, reason=gone.reason
        )  # fmt: skip


class EslBase:
    """The radio base of the shelf labels: draws prices, remembers what each label shows, checks in."""

    def __init__(self, tags: tuple[str, ...], emit: Emit, now_ms: Callable[[], int], rng: Random) -> None:
        self._tags, self._emit, self._now_ms, self._rng = tags, emit, now_ms, rng
        self.shown: dict[str, PriceCommand] = {}
        self.failures = 0
        self.bad_commands = 0
        self._start_ms = now_ms()

    def obey(self, name: str, body: bytes) -> None:
        if name != "price":
            return
        try:
            command = PriceCommand.from_json(body, "price command")
        except MalformedMessageError:
            self.bad_commands += 1
            return
        result, text = self._draw(command)
        shown = self.shown.get(command.tag)
        self._emit(
            EslAck,
            self._now_ms(),
            tag=command.tag,
            command_id=command.command_id,
            content_hash=shown.content_hash if shown is not None else "",
            result=result,
            text=text,
        )

    def check_in(self, at_ms: int) -> None:
        """Called hourly: each label reports once in STATUS_EVERY_DAYS, spread over the hours."""
        hours = STATUS_EVERY_DAYS * 24
        slot = (at_ms // 3_600_000) % hours
        for number, tag in enumerate(self._tags):
            if number * hours // len(self._tags) == slot:
                shown = self.shown.get(tag)
                age_days = (at_ms - self._start_ms) / DAY_MS
                # Some label chips cannot measure their battery: None is not empty.
                battery_mv = (
                    None
                    if number % 20 == 19
                    else round(BATTERY_FULL_MV - BATTERY_MV_A_DAY * age_days - number)
                )
                self._emit(
                    EslStatus,
                    at_ms,
                    tag=tag,
                    battery_mv=battery_mv,
                    rssi_dbm=self._rng.randint(-88, -52),
                    content_hash=shown.content_hash if shown is not None else "",
                )

    def _draw(self, command: PriceCommand) -> tuple[EslResult, str]:
        if command.tag not in self._tags:
            return EslResult.FAILED, "unknown label: it never checked in here"
        shown = self.shown.get(command.tag)
        if shown is not None and shown.content_hash == command.content_hash:
            return EslResult.UNCHANGED, ""
        if self._rng.random() < FIRST_FAILURE_SHARE:
            self.failures += 1
            return EslResult.FAILED, "the label did not answer"
        self.shown[command.tag] = command
        return EslResult.DISPLAYED, ""
