"""From the weight of one cell to units: picks, put-backs, refills, and what no unit count explains.

    weight │■■■■■■┐ ?? ┌──┐            only stable readings count; `base_g` is the last one that was explained
           │      └─??─┘  └──■■■■■■    a change is units = round(delta / unit weight), when what is left over is small
           └──────────────────────►    what does not fit waits (`pending_g`), and is declared unresolved when it stays

Two books: the count carried by changes (`units`), and the absolute one, (gross - tare) / unit weight. Changes telescope from
one stable weight to the next, so a lost reading costs nothing and drift does not add up; the absolute book sets the
count where it is unknown, and corrects it when both differ by whole units for half an hour.

A positive change is a put-back when it is one or two units, comes right after a pick, and is not more than was picked;
otherwise it is a refill. Both look alike to a scale: who comes back after half an hour is counted as a refill, and the
comparison of both books evens it out.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

MIN_NOISE_G = 2.0
"""An HX711 that reports less has averaged well, but its zero still wanders by this much."""
SIGMAS = 3.0
UNIT_SPREAD = 0.03
"""Spread of unit weights within one SKU, as a share: AutoCheckout's stock has a median of 1.3 %, a p90 of 5.5 %."""
UNIT_BIAS = 0.02
"""What a catalogue's unit weight may be wrong by, as a share; it adds up with the units, unlike the spread."""
PRIOR_UNITS, LEARNED_UNITS, MAX_LEARNED_SHARE = 20.0, 200.0, 0.1
"""The catalogue counts as much as 20 units seen; about the last 200 count; nobody learns further than a tenth away."""
MAX_TOLERANCE = 0.45
"""Of a unit weight: from half a unit on, the next count fits as well."""
STEADY_G, DRIFT_G_PER_HOUR, MAX_DRIFT_G = 4.0, 3.0, 25.0
"""What an untouched cell may move: noise at once, creep and temperature over hours. Rate and size are limited, or zero
tracking would eat slow removals."""
HOLD_MS = 3 * 60_000
"""How long an unexplained stable weight may wait for its other half (a hand on the shelf) before it is declared. The cell's
own readings tell that time has passed, the heartbeat's at the latest: by the clock alone, readings that are still on
their way would meet a base that they do not know."""
PUT_BACK_WITHIN_MS = {1: 120_000, 2: 30_000}
"""Units -> how soon after the last pick they still count as put back."""
RECONCILE_AFTER_MS = 30 * 60_000
SWAP_WITHIN_MS = 30 * 60_000
SWAP_SETTLE_MS = 2 * 60_000
CLEAR_FIT = 0.15
"""Of a unit weight: how close to whole units the absolute book must lie to correct the count."""


class ChangeKind(StrEnum):
    PICK = "pick"
    PUT_BACK = "put-back"
    REFILL = "refill"
    UNRESOLVED = "unresolved"
    COUNTED = "counted"
    """The absolute book says how many there are: first sight, a swapped facing, a correction. No goods moved."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """units: always positive for pick, put-back and refill; signed for counted. grams: signed.

    Of an unresolved change, units is what its weight would come to, rounded: an extent, not a count.

    confidence: 0 to 1, how close the weight lies to whole units.
    """

    kind: ChangeKind
    units: int
    grams: float
    at_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class CellFacing:
    """What the cell carries. unit_weight_g None: the SKU has no known weight, so nothing can be counted."""

    sku: str
    unit_weight_g: float | None
    tare_g: float
    capacity_units: int


@dataclass(slots=True)
class CellRow:
    """A cell's state. units None: unknown. swap_until_ms: set while a new facing's goods are being moved in."""

    sku: str | None = None
    from_ms: int = 0
    last_ms: int = 0
    base_g: float | None = None
    base_sd_g: float = MIN_NOISE_G
    base_ms: int = 0
    units: int | None = None
    unstable: bool = False
    fault: str = ""
    pending_g: float | None = None
    pending_ms: int = 0
    foreign_g: float = 0.0
    tare_g: float | None = None
    tare_ms: int = 0
    zero_g: float = 0.0
    open_picks: int = 0
    pick_ms: int = 0
    seen_units: float = 0.0
    seen_g: float = 0.0
    astray_ms: int | None = None
    swap_until_ms: int | None = None
    settle_until_ms: int = 0


def confidence_of(residual_g: float, unit_g: float) -> float:
    return round(max(0.0, 1.0 - 2.0 * abs(residual_g) / unit_g), 3)


def tare_of(cell: CellRow, facing: CellFacing) -> float:
    """The cell's weight when empty: a person's later taring wins over the planogram."""
    stated = facing.tare_g if cell.tare_g is None or cell.tare_ms < cell.from_ms else cell.tare_g
    return stated + cell.zero_g


def unit_of(cell: CellRow, facing: CellFacing) -> float | None:
    """Unit weight in grams: the catalogue's, drawn towards what the units seen here weighed."""
    listed = facing.unit_weight_g
    if listed is None:
        return None
    learned = (listed * PRIOR_UNITS + cell.seen_g) / (PRIOR_UNITS + cell.seen_units)
    return min(max(learned, listed * (1 - MAX_LEARNED_SHARE)), listed * (1 + MAX_LEARNED_SHARE))


def observe(
    cell: CellRow, facing: CellFacing | None, weight_g: float, sd_g: float, at_ms: int, *, stable: bool
) -> list[WeightChange]:
    """What a reading says happened since the last one; changes `cell`. Readings older than the last one say nothing."""
    if at_ms < cell.last_ms:
        return []
    cell.last_ms = at_ms
    cell.unstable = not stable
    if not stable:
        return []
    cell.fault = ""
    noise_g = max(sd_g, MIN_NOISE_G)
    unit_g = unit_of(cell, facing) if facing else None
    if facing is None or unit_g is None:
        _rebase(cell, weight_g, noise_g, at_ms)
        return []
    if cell.swap_until_ms is not None:
        return _observe_swap(cell, facing, unit_g, weight_g, noise_g, at_ms)
    if cell.base_g is None or cell.units is None:
        return _count_absolutely(cell, facing, unit_g, weight_g, noise_g, at_ms)
    return _observe_change(cell, facing, unit_g, weight_g, noise_g, at_ms)


def begin_facing(cell: CellRow, facing: CellFacing | None, from_ms: int, now_ms: int) -> list[WeightChange]:
    """The cell carries something else from `from_ms` on. Moving the goods is neither a sale nor a refill."""
    had_goods = cell.sku is not None
    if cell.pending_g is not None:
        # The newest stable weight; perhaps the new goods are what the old unit weight could not explain.
        cell.base_g, cell.base_ms = cell.pending_g, cell.pending_ms
    cell.sku = facing.sku if facing else None
    cell.from_ms = from_ms
    cell.units, cell.pending_g, cell.foreign_g, cell.open_picks = None, None, 0.0, 0
    cell.astray_ms, cell.zero_g, cell.seen_units, cell.seen_g = None, 0.0, 0.0, 0.0
    cell.swap_until_ms = None
    if facing is None or facing.unit_weight_g is None:
        return []
    if not had_goods or cell.base_g is None:
        if cell.base_g is None:
            return []
        return _count_absolutely(
            cell, facing, facing.unit_weight_g, cell.base_g, cell.base_sd_g, cell.base_ms
        )
    if cell.base_ms >= from_ms and _absolute(cell, facing, facing.unit_weight_g, cell.base_g)[1]:
        # The planogram came late: the goods that lie there now are the new ones already.
        return _count_absolutely(
            cell, facing, facing.unit_weight_g, cell.base_g, cell.base_sd_g, cell.base_ms
        )
    cell.swap_until_ms = max(from_ms, now_ms) + SWAP_WITHIN_MS
    return []


def pending_of(cell: CellRow) -> float:
    """Grams that wait for an explanation."""
    return 0.0 if cell.pending_g is None or cell.base_g is None else cell.pending_g - cell.base_g


def _observe_change(
    cell: CellRow, facing: CellFacing, unit_g: float, weight_g: float, noise_g: float, at_ms: int
) -> list[WeightChange]:
    assert cell.base_g is not None
    delta_g = weight_g - cell.base_g
    hours = max(0.0, (at_ms - cell.base_ms) / 3_600_000)
    noise = SIGMAS * sqrt(noise_g**2 + cell.base_sd_g**2)
    creep_g = min(DRIFT_G_PER_HOUR * hours, MAX_DRIFT_G)
    units = _units_in(delta_g, unit_g, noise, creep_g)
    if units is not None:
        cell.pending_g = None
        changes = (
            [] if units == 0 else [_moved(cell, units, delta_g, delta_g - units * unit_g, unit_g, at_ms)]
        )
        _rebase(cell, weight_g, noise_g, at_ms)
        return changes + _reconciled(cell, facing, unit_g, at_ms)
    if cell.foreign_g and abs(delta_g + cell.foreign_g) <= max(noise + creep_g, STEADY_G):
        # What was put there and declared is gone again.
        change = _unresolved(delta_g, unit_g, at_ms)
        cell.foreign_g, cell.pending_g = 0.0, None
        _rebase(cell, weight_g, noise_g, at_ms)
        return [change]
    return _observe_pending(cell, unit_g, weight_g, noise, at_ms)


def _observe_pending(
    cell: CellRow, unit_g: float, weight_g: float, noise: float, at_ms: int
) -> list[WeightChange]:
    """The weight does not fit the base. Picks beside the unexplained thing still count against `pending_g`."""
    assert cell.base_g is not None
    if cell.pending_g is None:
        cell.pending_g, cell.pending_ms = weight_g, at_ms
        return []
    step_g = weight_g - cell.pending_g
    units = _units_in(step_g, unit_g, noise, 0.0)
    if units is None:
        cell.pending_g, cell.pending_ms = weight_g, at_ms
        return []
    changes = []
    if units != 0:
        changes.append(_moved(cell, units, step_g, step_g - units * unit_g, unit_g, at_ms))
        cell.base_g += units * unit_g
        cell.pending_g = weight_g
    if at_ms - cell.pending_ms >= HOLD_MS:
        changes.append(_declare_unresolved(cell, unit_g, at_ms))
    return changes


def _observe_swap(
    cell: CellRow, facing: CellFacing, unit_g: float, weight_g: float, noise_g: float, at_ms: int
) -> list[WeightChange]:
    """Goods are being exchanged: wait for a weight that differs from the old one and is whole units of the new SKU."""
    assert cell.swap_until_ms is not None
    untouched = cell.base_g is not None and abs(weight_g - cell.base_g) <= max(SIGMAS * noise_g, STEADY_G)
    units, fits = _absolute(cell, facing, unit_g, weight_g)
    if at_ms < cell.swap_until_ms and (untouched or not fits or units < 1):
        return []
    cell.swap_until_ms = None
    cell.settle_until_ms = at_ms + SWAP_SETTLE_MS
    return _count_absolutely(cell, facing, unit_g, weight_g, noise_g, at_ms)


def _units_in(delta_g: float, unit_g: float, noise_g: float, creep_g: float) -> int | None:
    """Whole units in `delta_g`, None when what is left over is too much for noise, creep and uneven units."""
    units = round(delta_g / unit_g)
    if units == 0:
        allowed = max(noise_g, STEADY_G) + creep_g
    else:
        uneven_g = unit_g * max(UNIT_SPREAD * sqrt(abs(units)), UNIT_BIAS * abs(units))
        allowed = max(noise_g, STEADY_G, uneven_g) + creep_g
    return units if abs(delta_g - units * unit_g) <= min(allowed, MAX_TOLERANCE * unit_g) else None


def _moved(
    cell: CellRow, units: int, delta_g: float, residual_g: float, unit_g: float, at_ms: int
) -> WeightChange:
    assert cell.units is not None
    cell.units = max(0, cell.units + units)
    confidence = confidence_of(residual_g, unit_g)
    _learn(cell, units, delta_g)
    if at_ms - cell.pick_ms > max(PUT_BACK_WITHIN_MS.values()):
        cell.open_picks = 0
    if units < 0:
        cell.open_picks, cell.pick_ms = cell.open_picks - units, at_ms
        return WeightChange(ChangeKind.PICK, -units, delta_g, at_ms, confidence)
    if at_ms <= cell.settle_until_ms:
        return WeightChange(ChangeKind.COUNTED, units, delta_g, at_ms, confidence)
    if units <= cell.open_picks and at_ms - cell.pick_ms <= PUT_BACK_WITHIN_MS.get(units, -1):
        cell.open_picks -= units
        return WeightChange(ChangeKind.PUT_BACK, units, delta_g, at_ms, confidence)
    # A refill between pick and put-back leaves the picks open: another customer may still change their mind.
    return WeightChange(ChangeKind.REFILL, units, delta_g, at_ms, confidence)


def _learn(cell: CellRow, units: int, delta_g: float) -> None:
    cell.seen_units = round(cell.seen_units + abs(units), 1)
    cell.seen_g = round(cell.seen_g + abs(delta_g), 1)
    if cell.seen_units > LEARNED_UNITS:
        cell.seen_units, cell.seen_g = cell.seen_units / 2, cell.seen_g / 2


def _count_absolutely(
    cell: CellRow, facing: CellFacing, unit_g: float, weight_g: float, noise_g: float, at_ms: int
) -> list[WeightChange]:
    _rebase(cell, weight_g, noise_g, at_ms)
    units, _ = _absolute(cell, facing, unit_g, weight_g)
    residual_g = weight_g - tare_of(cell, facing) - units * unit_g
    cell.pending_g, cell.astray_ms = None, None
    before = cell.units
    if units < 0 or units > 2 * facing.capacity_units:
        cell.units = None
        return []
    cell.units = units
    return [
        WeightChange(
            ChangeKind.COUNTED, units - (before or 0), residual_g, at_ms, confidence_of(residual_g, unit_g)
        )
    ]


def _absolute(cell: CellRow, facing: CellFacing, unit_g: float, weight_g: float) -> tuple[int, bool]:
    """(units by the absolute book, whether they fit: near whole units and within capacity)."""
    net_g = weight_g - tare_of(cell, facing)
    units = round(net_g / unit_g)
    allowed = min(
        MAX_TOLERANCE * unit_g, MAX_DRIFT_G + UNIT_SPREAD * unit_g * sqrt(abs(units)) + CLEAR_FIT * unit_g
    )
    fits = 0 <= units <= facing.capacity_units * 1.25 + 1 and abs(net_g - units * unit_g) <= allowed
    return units, fits


def _reconciled(cell: CellRow, facing: CellFacing, unit_g: float, at_ms: int) -> list[WeightChange]:
    """The absolute book wins within capacity once both have differed by clear whole units for a while."""
    assert cell.units is not None
    assert cell.base_g is not None
    if cell.units == 0:
        _track_zero(cell, facing, unit_g)
    astray_g = cell.base_g - tare_of(cell, facing) - cell.units * unit_g
    astray = round(astray_g / unit_g)
    absolute = cell.units + astray
    clear = abs(astray_g - astray * unit_g) <= CLEAR_FIT * unit_g
    if astray == 0 or not clear or not 0 <= absolute <= facing.capacity_units or cell.foreign_g:
        cell.astray_ms = None
        return []
    if cell.astray_ms is None:
        cell.astray_ms = at_ms
    if at_ms - cell.astray_ms < RECONCILE_AFTER_MS:
        return []
    cell.units, cell.astray_ms = absolute, None
    return [WeightChange(ChangeKind.COUNTED, astray, astray_g, at_ms, confidence_of(0.0, unit_g))]


def _track_zero(cell: CellRow, facing: CellFacing, unit_g: float) -> None:
    """Only while empty, and only within a third of a unit: zero tracking while loaded eats slow removals."""
    assert cell.base_g is not None
    limit_g = min(unit_g / 3, MAX_DRIFT_G)
    off_g = cell.base_g - (tare_of(cell, facing) - cell.zero_g)
    if abs(off_g) <= limit_g:
        cell.zero_g = round(off_g, 1)


def _declare_unresolved(cell: CellRow, unit_g: float, at_ms: int) -> WeightChange:
    assert cell.base_g is not None
    assert cell.pending_g is not None
    grams = cell.pending_g - cell.base_g
    cell.foreign_g += grams
    _rebase(cell, cell.pending_g, cell.base_sd_g, at_ms)
    cell.pending_g = None
    return _unresolved(grams, unit_g, at_ms)


def _unresolved(grams: float, unit_g: float, at_ms: int) -> WeightChange:
    return WeightChange(ChangeKind.UNRESOLVED, round(abs(grams) / unit_g), grams, at_ms, 0.0)


def _rebase(cell: CellRow, weight_g: float, noise_g: float, at_ms: int) -> None:
    cell.base_g, cell.base_sd_g, cell.base_ms = weight_g, noise_g, at_ms
