"""All cells of the shop: which facing each carries, what its readings say, and how many units lie on the shelf."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.devices import Calibration, CellReading, Fault
from contract.lean_weight import LeanReading
from edge.core.documents import Documents
from edge.core.lean import FacingRow
from edge.core.planogram import cell_key
from edge.core.rows import Row, Rows
from edge.core.weight import CellFacing, CellRow, WeightChange, begin_facing, observe, pending_of
from edge.core.weight_steady import keeps_still

MAX_CELLS = 25_000
CELL_SILENT_AFTER_MS = 3 * 3_600_000
MIN_FOREIGN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CellChange:
    cell: str
    sku: str
    change: WeightChange


@dataclass(frozen=True, slots=True)
class FacingChange:
    """The cell's SKU changed by plan; None is nothing."""

    cell: str
    before: str | None
    after: str | None


class Shelves:
    def __init__(self, documents: Documents) -> None:
        self.rows: Rows[CellRow] = Rows("cell", TypeAdapter(CellRow))
        self._documents = documents
        self._facings: dict[str, CellFacing] = {}
        self._cells_by_sku: dict[str, list[str]] = {}

    def replan(self, now_ms: int) -> tuple[list[FacingChange], list[CellChange]]:
        """Brings the facings to those in effect now. Nothing happens where nothing differs."""
        in_effect = self._documents.planogram.facings_at(now_ms)
        facings: list[FacingChange] = []
        counted: list[CellChange] = []
        self._facings.clear()
        self._cells_by_sku.clear()
        for key in sorted(in_effect.keys() | self.rows.by_key.keys()):
            planned = in_effect.get(key)
            facing = self._facing_from(planned)
            if facing is not None:
                self._facings[key] = facing
                self._cells_by_sku.setdefault(facing.sku, []).append(key)
            cell = self.rows.get(key)
            if cell is None:
                cell = CellRow()
                self.rows.put(key, cell)
            after = facing.sku if facing else None
            if after == cell.sku:
                continue
            before = cell.sku
            facings.append(FacingChange(key, before, after))
            changes = begin_facing(cell, facing, planned.from_ms if planned else now_ms, now_ms)
            counted.extend(CellChange(key, facing.sku, change) for change in changes if facing)
            self._save(key)
        return facings, counted

    def keeps_still(self, key: str, reading: CellReading | LeanReading, at_ms: int) -> bool:
        """Whether the reading moves nothing and was taken in as such; False: `reading` has to look at it."""
        cell, facing = self.rows.by_key.get(key), self._facings.get(key)
        if cell is None or facing is None or not reading.stable:
            return False
        if not keeps_still(cell, facing, reading.weight_g, reading.sd_g, at_ms - reading.age_ms):
            return False
        self.rows.touch(key)
        return True

    def reading(self, device: str, reading: CellReading | LeanReading, at_ms: int) -> list[CellChange] | None:
        """Changes that a reading shows, None when there are too many cells."""
        key = cell_key(device, reading.cell)
        cell = self.rows.get(key)
        if cell is None:
            if len(self.rows.by_key) >= MAX_CELLS:
                return None
            cell = CellRow()
            self.rows.put(key, cell)
        facing = self._facings.get(key)
        changes = observe(
            cell, facing, reading.weight_g, reading.sd_g, at_ms - reading.age_ms, stable=reading.stable
        )
        self._save(key)
        return [CellChange(key, facing.sku, change) for change in changes if facing]

    def fault(self, fault: Fault) -> list[str]:
        """The cells that a fault blinds, until each shows a stable weight again."""
        prefix = f"{fault.device}/"
        keys = (
            [cell_key(fault.device, fault.cell)]
            if fault.cell
            else [key for key in self.rows.by_key if key.startswith(prefix)]
        )
        known = [key for key in keys if key in self.rows.by_key]
        for key in known:
            self.rows.by_key[key].fault = fault.code.value
            self._save(key)
        return known

    def calibrate(self, calibration: Calibration, at_ms: int) -> None:
        """A person tared the cell: the next stable weight is a new beginning, no goods moved."""
        key = cell_key(calibration.device, calibration.cell)
        cell = self.rows.get(key)
        if cell is None:
            return
        cell.tare_g, cell.tare_ms, cell.zero_g = calibration.offset_g, at_ms, 0.0
        cell.base_g, cell.pending_g, cell.foreign_g, cell.astray_ms = None, None, 0.0, None
        self._save(key)

    def skus(self) -> list[str]:
        return list(self._cells_by_sku)

    def facing_of(self, key: str) -> CellFacing | None:
        """What the cell carries now."""
        return self._facings.get(key)

    def has_cell(self, sku: str) -> bool:
        return sku in self._cells_by_sku

    def on_shelf_units(self, sku: str) -> int | None:
        """Units on all of the SKU's facings, None when one of them is unknown."""
        total = 0
        for key in self._cells_by_sku.get(sku, ()):
            cell = self.rows.by_key[key]
            if cell.units is None or cell.fault:
                return None
            total += cell.units
        return total

    def set_counted(self, sku: str, units: int) -> None:
        """A person counted the shelf: the only facing of the SKU takes the number; of several none can be told."""
        keys = self._cells_by_sku.get(sku, [])
        if len(keys) == 1:
            cell = self.rows.by_key[keys[0]]
            cell.units, cell.astray_ms = units, None
            self._save(keys[0])

    def doubt(self, sku: str, now_ms: int) -> str:
        """Why the shelf count should not be trusted, "" when nothing speaks against it."""
        for key in self._cells_by_sku.get(sku, ()):
            cell = self.rows.by_key[key]
            if cell.fault:
                return f"cell {key} reports {cell.fault}"
            if now_ms - cell.last_ms > CELL_SILENT_AFTER_MS:
                return f"cell {key} is silent"
            if cell.units is None:
                return f"cell {key} has no clear count"
            unit_g = self._facings[key].unit_weight_g
            foreign_g = cell.foreign_g + pending_of(cell)
            if unit_g is not None and abs(foreign_g) > MIN_FOREIGN_SHARE * unit_g:
                return f"cell {key} holds {foreign_g:.0f} g that no unit explains"
        return ""

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def restore(self, key: str, text: str) -> None:
        self.rows.restore(key, text)

    def rebuild(self, planned_ms: int) -> None:
        """After a restore: the look-ups as `replan` made them at `planned_ms`."""
        self._facings.clear()
        self._cells_by_sku.clear()
        for key, planned in sorted(self._documents.planogram.facings_at(planned_ms).items()):
            facing = self._facing_from(planned)
            if facing is not None:
                self._facings[key] = facing
                self._cells_by_sku.setdefault(facing.sku, []).append(key)

    def _facing_from(self, planned: FacingRow | None) -> CellFacing | None:
        if planned is None or planned.sku is None:
            return None
        item = self._documents.item_by_sku.get(planned.sku)
        return CellFacing(
            planned.sku, item.unit_weight_g if item else None, planned.tare_g, planned.capacity_units
        )

    def _save(self, key: str) -> None:
        self.rows.touch(key)
