"""What the shelves say: readings, faults, tarings and facings, as stock, windows and facts."""

from contract.devices import Calibration, Fault, Place, Weight
from contract.lean_weight import LeanWeight
from contract.records import StockFact, StockFactKind
from edge.core.event_time import event_ms
from edge.core.rules.local_rules import LocalRules
from edge.core.shelf import CellChange, FacingChange
from edge.core.state import PLANNED, EdgeState
from edge.core.weight import ChangeKind

CELL_FAULT = "cell-fault"


class Sensing:
    def __init__(self, state: EdgeState, rules: LocalRules) -> None:
        self._state, self._rules = state, rules

    def weight(self, weight: Weight | LeanWeight, now_ms: int) -> None:
        state = self._state
        at_ms = event_ms(weight, now_ms)
        for reading in weight.readings:
            key = f"{weight.device}/{reading.cell}"
            if state.shelves.keeps_still(key, reading, at_ms):
                continue
            cell = state.shelves.rows.get(key)
            was_blind = cell is not None and (bool(cell.fault) or cell.units is None)
            changes = state.shelves.reading(weight.device, reading, at_ms)
            if changes is None:
                state.tally.add("cells_refused_total")
                continue
            self._take(changes, now_ms)
            if was_blind and cell is not None and not cell.fault:
                state.alert(CELL_FAULT, key, active=False, text=f"cell {key} weighs again", now_ms=now_ms)
                if cell.sku is not None:
                    self._seen(cell.sku, at_ms, now_ms)

    def fault(self, fault: Fault, now_ms: int) -> None:
        state = self._state
        state.tally.add("faults_total")
        for key in state.shelves.fault(fault):
            text = f"cell {key} reports {fault.code.value} {fault.text}".strip()
            state.alert(CELL_FAULT, key, active=True, text=text, now_ms=now_ms)
            sku = state.shelves.rows.by_key[key].sku
            if sku is not None:
                self._seen(sku, event_ms(fault, now_ms), now_ms)

    def calibration(self, calibration: Calibration, now_ms: int) -> None:
        self._state.shelves.calibrate(calibration, event_ms(calibration, now_ms))

    def replan(self, now_ms: int) -> None:
        """Facings that came into effect."""
        state = self._state
        facings, counted = state.shelves.replan(now_ms)
        state.marks.set(PLANNED, now_ms)
        for facing in facings:
            self._facing(facing, now_ms)
        self._take(counted, now_ms)

    def _facing(self, facing: FacingChange, now_ms: int) -> None:
        state = self._state
        for sku in (facing.before, facing.after):
            if sku is None:
                continue
            self._seen(sku, now_ms, now_ms)
            if facing.before is None:
                continue  # the first facing of a cell replaces nothing
            other = f"{facing.before} -> {facing.after or 'nothing'}"
            level = state.level(sku)
            state.emit(
                StockFact(
                    seq=1,
                    at_ms=now_ms,
                    fact=StockFactKind.FACING,
                    sku=sku,
                    units=0,
                    place=Place.SHELF,
                    on_hand_units=level.on_hand_units,
                    on_shelf_units=level.on_shelf_units,
                    reason=f"cell {facing.cell}: {other}",
                )
            )

    def _take(self, changes: list[CellChange], now_ms: int) -> None:
        for change in changes:
            self._count(change, now_ms)
            self._seen(change.sku, change.change.at_ms, now_ms)

    def _count(self, cell_change: CellChange, now_ms: int) -> None:
        state, change, sku = self._state, cell_change.change, cell_change.sku
        if change.kind is ChangeKind.PICK:
            state.windows.add(sku, change.at_ms, picked_units=change.units)
            state.stock.moved(sku, change.at_ms)
            state.tally.add("picks_counted_units", change.units)
            self._rules.picked(sku, change.units, change.at_ms, now_ms)
        elif change.kind is ChangeKind.PUT_BACK:
            state.windows.add(sku, change.at_ms, put_back_units=change.units)
            state.stock.moved(sku, change.at_ms)
            state.tally.add("put_back_units", change.units)
            self._rules.settled(sku, change.units, now_ms)
        elif change.kind is ChangeKind.REFILL:
            state.windows.add(sku, change.at_ms, refilled_units=change.units)
            state.stock.refilled(sku, change.units)
            state.tally.add("refilled_units", change.units)
        elif change.kind is ChangeKind.UNRESOLVED:
            grams = round(abs(change.grams))
            state.windows.add(sku, change.at_ms, unresolved_g=grams)
            state.tally.add("unresolved_total")
            state.tally.add("unresolved_g", grams)
            state.tally.add("unresolved_units", change.units)
        else:
            state.tally.add("counted_total")
            state.tally.add("counted_units", abs(change.units))

    def _seen(self, sku: str, at_ms: int, now_ms: int) -> None:
        self._state.stock.shelf_counted(sku, self._state.shelves.on_shelf_units(sku))
        self._state.touch(sku, at_ms)
        self._state.plans.dirty(sku, now_ms)
