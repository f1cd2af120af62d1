"""A shelf's microcontroller: load cells that settle, wander and chatter, and the readings it sends of them."""

import heapq
from dataclasses import dataclass
from random import Random

from contract.devices import CellReading, Weight
from simulator.catalogue import HOUR_MS, CellPlan
from simulator.devices.roles import Emit

NOISE_SD_G = 1.3
"""Of a stable reading: an HX711 at 10 samples a second, median of a second."""
DRIFT_SD_G, DRIFT_HOURS = 1.5, 6.0
"""Zero wanders with temperature and creep: a mean-reverting walk of that spread and memory."""
SHAKE_MS, SECOND_SHAKE_MS, SETTLED_MS = 300, 900, 1_800
SECOND_SHAKE_SHARE = 0.5
SAMPLES = 10
MAX_AGE_MS = 86_400_000
"""What the contract allows; the simulator's steps are minutes."""
READINGS_A_MESSAGE = 10
"""What one frame of the binary dialect holds."""


@dataclass(slots=True)
class _LoadCell:
    plan: CellPlan
    load_g: float = 0.0
    drift_g: float = 0.0
    drifted_ms: int = 0
    settled_ms: int = 0


class ShelfBoard:
    """places: which of the shop's cells hang on this board, in their order. The board has no clock of its own."""

    def __init__(self, places: dict[int, CellPlan], emit: Emit, rng: Random) -> None:
        self._cells = {place: _LoadCell(plan) for place, plan in places.items()}
        self._emit, self._rng = emit, rng
        self._due: list[tuple[int, int, tuple[CellReading, ...]]] = []
        self._order = 0

    @property
    def next_ms(self) -> int | None:
        return self._due[0][0] if self._due else None

    def touched(self, place: int, before_g: float, after_g: float, at_ms: int) -> None:
        """One or two restless readings, then the settled one: as they would come over the next two seconds."""
        cell = self._cells[place]
        cell.load_g = after_g
        cell.settled_ms = at_ms + SETTLED_MS
        step_g = abs(after_g - before_g)
        swing_g = (before_g + (after_g - before_g) * self._rng.uniform(0.2, 1.1)) + self._rng.gauss(
            0, 20 + 0.15 * step_g
        )
        self._plan(at_ms + SHAKE_MS, self._reading(cell, at_ms, swing_g, 25 + 0.1 * step_g))
        if self._rng.random() < SECOND_SHAKE_SHARE:
            ringing_g = after_g + self._rng.gauss(0, 6 + 0.01 * step_g)
            self._plan(at_ms + SECOND_SHAKE_MS, self._reading(cell, at_ms, ringing_g, 8 + 0.01 * step_g))
        self._plan(at_ms + SETTLED_MS, self._reading(cell, at_ms + SETTLED_MS, after_g, None))

    def read_all(self, loads_g: dict[int, float], at_ms: int) -> None:
        """The heartbeat: every cell as it stands, restless ones left out (their own readings are on the way)."""
        readings: list[CellReading] = []
        for place, cell in self._cells.items():
            cell.load_g = loads_g[place]
            if cell.settled_ms <= at_ms:
                readings.append(self._reading(cell, at_ms, cell.load_g, None))
        for start in range(0, len(readings), READINGS_A_MESSAGE):
            self._plan(at_ms, *readings[start : start + READINGS_A_MESSAGE])

    def release(self, to_ms: int) -> None:
        """Sends the readings that are taken by `to_ms`, as a board does that speaks now: with their age."""
        while self._due and self._due[0][0] <= to_ms:
            at_ms, _, readings = heapq.heappop(self._due)
            age_ms = min(to_ms - at_ms, MAX_AGE_MS)
            self._emit(
                Weight,
                to_ms,
                readings=[reading.model_copy(update={"age_ms": age_ms}) for reading in readings],
            )

    def _plan(self, at_ms: int, *readings: CellReading) -> None:
        self._order += 1
        heapq.heappush(self._due, (at_ms, self._order, readings))

    def _reading(
        self, cell: _LoadCell, at_ms: int, load_g: float, restless_sd_g: float | None
    ) -> CellReading:
        self._drift(cell, at_ms)
        noise_g = self._rng.gauss(0, NOISE_SD_G)
        sd_g = restless_sd_g if restless_sd_g is not None else abs(self._rng.gauss(NOISE_SD_G, 0.3))
        weight_g = round(cell.plan.tare_g + load_g + cell.drift_g + noise_g, 1)
        return CellReading(
            cell=cell.plan.cell,
            weight_g=weight_g,
            stable=restless_sd_g is None,
            sd_g=round(sd_g, 2),
            n=SAMPLES,
        )

    def _drift(self, cell: _LoadCell, at_ms: int) -> None:
        """An Ornstein-Uhlenbeck step, by Euler over at most one memory length."""
        step = min(1.0, max(0, at_ms - cell.drifted_ms) / (DRIFT_HOURS * HOUR_MS))
        cell.drifted_ms = max(at_ms, cell.drifted_ms)
        cell.drift_g += -cell.drift_g * step + DRIFT_SD_G * (2 * step) ** 0.5 * self._rng.gauss(0, 1) * (
            1 - step / 2
        )
