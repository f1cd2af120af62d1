"""One shop's devices around its world: what happens reaches the device that notices it."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from random import Random

from contract.devices import Birth, Heartbeat
from firmware_bridge.core.hello import Hello
from simulator.catalogue import CELLS_PER_SHELF, DEVICES, ESL_BASE, DeviceSpec, ShopFile
from simulator.devices.journal import Journal
from simulator.devices.mqtt_wire import MqttWire
from simulator.devices.roles import Dock, EslBase, Till
from simulator.devices.serial_wire import SerialWire
from simulator.devices.shelf import ShelfBoard
from simulator.shop_protocol import Advance, CellState, CellTotals, ShopReport
from simulator.world import World
from simulator.world_events import (
    CellsRead,
    CellTouched,
    DayEnded,
    DeliveryTaken,
    GoodsWrittenOff,
    ReceiptRung,
    StockCounted,
    WorldEvent,
)

FIRMWARE = "sim-1.0"
MAX_KEPT_READINGS = 4096
"""A shelf's microcontroller has kilobytes, not megabytes: about two days of readings, then the oldest go. Weights heal."""

Wire = SerialWire | MqttWire


class ShopFloor:
    """ports: folder for the symbolic links of the serial devices. Nothing is opened before `open`."""

    def __init__(
        self, shop: ShopFile, seed: int, ports: Path, broker_host: str, broker_port: int, broker_protocol: int
    ) -> None:
        self.shop = shop
        self.world = World(shop, seed)
        self._seed = seed
        self._ports = ports
        self._broker = (broker_host, broker_port, broker_protocol)
        self.wires: dict[str, Wire] = {}
        self._tills: dict[str, Till] = {}
        self._shelves: list[ShelfBoard] = []
        for spec in DEVICES:
            self._fit(spec)
        self._dock = Dock(self.wires["dock"].journal.add)
        tags = tuple(cell.tag for cell in shop.cells)
        esl_journal = self.wires[ESL_BASE].journal
        self._esl = EslBase(tags, esl_journal.add, lambda: self.world.now_ms, self._rng(ESL_BASE))

    @property
    def serial_wires(self) -> Iterator[SerialWire]:
        return (wire for wire in self.wires.values() if isinstance(wire, SerialWire))

    @property
    def pending(self) -> int:
        return sum(wire.pending for wire in self.wires.values())

    def open(self, now_ms: int) -> None:
        for wire in self.wires.values():
            if isinstance(wire, SerialWire):
                wire.open(now_ms, self._esl.obey if wire.device == ESL_BASE else None)
            else:
                wire.open(now_ms)

    def close(self) -> None:
        for wire in self.wires.values():
            wire.close()

    def advance(self, command: Advance, now_ms: int) -> dict[str, int | None]:
        """Does what the command asks; gives the numbers of the answer. now_ms: real, for the links."""
        self.world.give_coupons(command.coupons)
        self.world.set_prices(command.prices)
        self.world.deliver(command.despatches)
        for event in self.world.advance(command.to_ms):
            self._notice(event)
        for shelf in self._shelves:
            shelf.release(command.to_ms)
        for wire in self.wires.values():
            wire.pump(now_ms)
        totals = [till.totals for till in self._tills.values()]
        return {
            "done_ms": command.to_ms,
            "pending": self.pending,
            "receipts": sum(total.receipts for total in totals),
            "units": sum(total.units for total in totals),
            "lost_sales_units": self.world.tally.lost_sales_units,
            "stock_outs": self.world.stock.stock_outs,
            "next_ms": self._next_ms(),
        }

    def report(self) -> ShopReport:
        stock, tally = self.world.stock, self.world.tally
        return ShopReport(
            shop=self.shop.shop,
            now_ms=self.world.now_ms,
            tills={name: till.totals for name, till in self._tills.items()},
            day_closes=[closed for till in self._tills.values() for closed in till.day_closes],
            cells=CellTotals(
                units_taken=stock.units_taken,
                put_back_units=stock.put_back_units,
                refilled_units=stock.refilled_units,
            ),
            stock=[
                CellState(
                    device=cell.plan.device,
                    cell=cell.plan.cell,
                    sku=cell.sku,
                    shelf_units=cell.units,
                    back_room_units=stock.back_room[cell.sku],
                )
                for cell in stock.cells
            ],
            lost_sales_units=tally.lost_sales_units,
            lost_baskets=tally.lost_baskets,
            stock_outs=stock.stock_outs,
            stolen_units=tally.stolen_units,
            damaged_units=tally.damaged_units,
            returned_units=tally.returned_units,
            voided_units=tally.voided_units,
            redemptions=tally.redemptions,
            reversals=tally.reversals,
            deliveries=tally.deliveries,
            devices={name: wire.transmissions for name, wire in self.wires.items()},
            pending=self.pending,
        )

    # --- fitting out ---------------------------------------------------------------------------------------

    def _fit(self, spec: DeviceSpec) -> None:
        shelf = spec.kind == "shelf"
        journal = Journal(
            spec.device,
            f"b-{secrets.token_hex(6)}",  # new at every start, whatever the seed: the gateway may remember another run
            self.shop.start_ms,
            has_clock=not shelf,
            max_kept=MAX_KEPT_READINGS if shelf else 100_000,
        )
        rng = self._rng(f"wire {spec.device}")
        if spec.wire == "mqtt":
            self.wires[spec.device] = MqttWire(*self._broker, journal)
        else:
            hello = Hello(spec.kind, spec.uid, journal.boot_id, FIRMWARE, "pty", "power-on")
            self.wires[spec.device] = SerialWire(
                self._ports / spec.device,
                hello,
                journal,
                rng,
                first_greeting=secrets.randbelow(65536),
            )
        emit = journal.add
        emit(
            Birth,
            self.shop.start_ms,
            kind=spec.kind,
            firmware=FIRMWARE,
            hardware="pty" if spec.wire == "serial" else "",
            uid=spec.uid,
            reset_reason="power-on",
        )
        if spec.kind == "till":
            self._tills[spec.device] = Till(spec.device, emit)
        elif shelf:
            places = {place: plan for place, plan in enumerate(self.shop.cells) if plan.device == spec.device}
            self._shelves.append(ShelfBoard(places, emit, self._rng(spec.device)))

    def _rng(self, purpose: str) -> Random:
        return Random(f"{self._seed}/{self.shop.shop}/{purpose}")  # noqa: S311 - a simulation must repeat itself

    # --- what happens --------------------------------------------------------------------------------------

    def _notice(self, event: WorldEvent) -> None:
        match event:
            case CellTouched():
                shelf = self._shelves[event.place // CELLS_PER_SHELF]
                shelf.touched(event.place, event.before_g, event.after_g, event.at_ms)
            case CellsRead():
                self._heartbeat(event)
            case ReceiptRung():
                self._tills[event.till].ring(event)
            case DayEnded():
                for till in self._tills.values():
                    till.close_day(event.business_date, event.at_ms)
            case DeliveryTaken():
                self._dock.take_delivery(event)
            case StockCounted():
                self._dock.count(event)
            case GoodsWrittenOff():
                self._dock.write_off(event)

    def _heartbeat(self, event: CellsRead) -> None:
        loads_g = dict(enumerate(event.loads_g))
        for shelf in self._shelves:
            shelf.read_all(loads_g, event.at_ms)
        self._esl.check_in(event.at_ms)
        uptime_ms = max(0, event.at_ms - self.shop.start_ms)
        for wire in self.wires.values():
            counters = {"sent": wire.journal.events_made, "resent": wire.journal.resends}
            if not wire.device.startswith("shelf"):
                wire.journal.add(Heartbeat, event.at_ms, uptime_ms=uptime_ms, counters=counters)

    def _next_ms(self) -> int | None:
        times = [self.world.next_ms, *(shelf.next_ms for shelf in self._shelves)]
        known = [time for time in times if time is not None]
        return min(known) if known else None
