"""Goods on the cells and in the back room: every unit has its place and its own weight."""

from dataclasses import dataclass, field
from random import Random

from simulator.catalogue import CellPlan, ShopFile

UNIT_WEIGHT_SD = 0.004
"""Between units of one product. Packed goods scatter by about 1 % (AIM3S: median 1.3 %), checkweighed ones by less."""
CATALOGUE_ERROR_SD = 0.003
"""Between a product's true mean and what the catalogue says."""


@dataclass(slots=True)
class ShelfCell:
    """One facing. unit_weights_g: of the units that lie on it. free_ms: before that, a hand is still in it."""

    plan: CellPlan
    sku: str
    capacity_units: int
    unit_weights_g: list[float] = field(default_factory=list)
    free_ms: int = 0

    @property
    def units(self) -> int:
        return len(self.unit_weights_g)

    @property
    def load_g(self) -> float:
        return sum(self.unit_weights_g)


class Stock:
    """The truth that the gateway tries to know. `rng` only decides weights of units."""

    def __init__(self, shop: ShopFile, rng: Random) -> None:
        self._rng = rng
        self._mean_g: dict[str, float] = {}
        self.cells: list[ShelfCell] = []
        self.back_room: dict[str, int] = {}
        self.units_taken = 0
        self.put_back_units = 0
        self.refilled_units = 0
        self.stock_outs = 0
        for plan in shop.cells:
            weight_g = shop.items[plan.sku].unit_weight_g
            self._mean_g[plan.sku] = weight_g * rng.gauss(1.0, CATALOGUE_ERROR_SD)
            cell = ShelfCell(plan, plan.sku, plan.capacity_units)
            self._put(cell, plan.shelf_units)
            self.cells.append(cell)
            self.back_room[plan.sku] = plan.back_room_units
        self._place_of = {cell.sku: place for place, cell in enumerate(self.cells)}

    def place_of(self, sku: str) -> int | None:
        """The cell that carries the goods now, None for goods without one."""
        return self._place_of.get(sku)

    def take(self, place: int, wanted_units: int) -> int:
        """Units taken off the cell, at most what lies there."""
        cell = self.cells[place]
        taken = min(wanted_units, cell.units)
        del cell.unit_weights_g[cell.units - taken :]
        self.units_taken += taken
        if taken and cell.units == 0 and self.back_room[cell.sku] == 0:
            self.stock_outs += 1
        return taken

    def put_back(self, place: int, units: int) -> None:
        self._put(self.cells[place], units)
        self.put_back_units += units

    def refill(self, place: int) -> int:
        """Units moved from the back room until the cell is full or the back room empty."""
        cell = self.cells[place]
        moved = max(0, min(cell.capacity_units - cell.units, self.back_room[cell.sku]))
        self.back_room[cell.sku] -= moved
        self._put(cell, moved)
        self.refilled_units += moved
        return moved

    def receive(self, sku: str, units: int) -> None:
        """Goods for the back room; goods that have no cell anywhere are not followed."""
        if sku in self.back_room:
            self.back_room[sku] += units

    def write_off(self, sku: str, units: int) -> int:
        gone = min(units, self.back_room[sku])
        self.back_room[sku] -= gone
        return gone

    def swap(self, first: int, second: int) -> None:
        """The goods of the two cells change places, with their facings' capacity."""
        one, two = self.cells[first], self.cells[second]
        one.sku, two.sku = two.sku, one.sku
        one.capacity_units, two.capacity_units = two.capacity_units, one.capacity_units
        one.unit_weights_g, two.unit_weights_g = two.unit_weights_g, one.unit_weights_g
        self._place_of[one.sku], self._place_of[two.sku] = first, second

    def total_units(self, sku: str) -> int:
        return self.cells[self._place_of[sku]].units + self.back_room[sku]

    def _put(self, cell: ShelfCell, units: int) -> None:
        mean_g = self._mean_g[cell.sku]
        cell.unit_weights_g += [mean_g * self._rng.gauss(1.0, UNIT_WEIGHT_SD) for _ in range(units)]
