"""What a set clock means for what is going on: every length of time stays what it was.

The times of what happened before are moved along with the clock; what the centre and the planogram fix in UTC is not. Records that
are out already keep the times they were given.
"""

from typing import TYPE_CHECKING

from contract.records import Severity
from edge.core.marks import Marks
from edge.core.weight import CellRow
from edge.core.windows import Windows

if TYPE_CHECKING:
    from edge.core.state import EdgeState

CLOCK_SET = "clock-set"
BEHIND_MS = 2000


def shift_times(state: "EdgeState", step_ms: int, now_ms: int) -> None:
    """The clock was set by `step_ms` and says `now_ms`. Nothing that has happened lies in the future afterwards."""

    def moved(at_ms: int) -> int:
        return min(at_ms + step_ms, now_ms) if at_ms else 0

    for key, cell in state.shelves.rows.by_key.items():
        _forget_times(cell, step_ms)
        state.shelves.rows.touch(key)
    for sku, empty in state.stock_outs.rows.by_key.items():
        empty.since_ms, empty.counted_to_ms = moved(empty.since_ms), moved(empty.counted_to_ms)
        state.stock_outs.rows.touch(sku)
    for device, row in state.devices.rows.by_key.items():
        row.last_heard_ms = moved(row.last_heard_ms)
        state.devices.rows.touch(device)
    for sku, level in state.levels.rows.by_key.items():
        level.told_ms = moved(level.told_ms)
        state.levels.rows.touch(sku)
    for sku, plan in state.plans.rows.by_key.items():
        plan.asked_ms = moved(plan.asked_ms)
        plan.dirty_ms = None if plan.dirty_ms is None else moved(plan.dirty_ms)
        state.plans.rows.touch(sku)
    _shift_windows(state.windows, step_ms, now_ms)
    _shift_marks(state.marks, step_ms, now_ms)
    state.tally.add("clock_steps_total")
    text = f"the gateway's clock was set by {step_ms / 1000:+.0f} s; times before it are estimates"
    for active in (True, False):
        state.alert(CLOCK_SET, "gateway", active=active, text=text, now_ms=now_ms, severity=Severity.INFO)


def _forget_times(cell: CellRow, step_ms: int) -> None:
    """A cell's times are its device's where that has a clock, and ours where not; which, nobody noted.

    So the next reading counts whatever its time, from the weight and units that stand, and what waited begins to wait anew.
    """
    cell.last_ms = cell.pick_ms = cell.settle_until_ms = 0
    cell.open_picks = 0
    cell.pending_g, cell.astray_ms = None, None
    if cell.swap_until_ms is not None:
        cell.swap_until_ms += step_ms


def step_of_start(marks: Marks, names: tuple[str, ...], now_ms: int) -> int:
    """By how much the clock is behind what was last saved, in ms, negative; 0 when it is not.

    A clock without a battery begins where it stopped, or in 1970. How long the gateway was off is unknown then.
    """
    last_ms = max(marks.at(name) for name in names)
    return min(0, now_ms - last_ms) if last_ms - now_ms > BEHIND_MS else 0


def _shift_windows(windows: Windows, step_ms: int, now_ms: int) -> None:
    moving = list(windows.rows.by_key.items())
    for key, _ in moving:
        windows.rows.drop(key)
    for _, window in moving:
        start_ms = window.start_ms + step_ms
        windows.put_moved(window, start_ms if start_ms <= now_ms else now_ms - now_ms % window.span_ms)


def _shift_marks(marks: Marks, step_ms: int, now_ms: int) -> None:
    for name, value in list(marks.rows.by_key.items()):
        if name.endswith("_ms") and value:
            marks.set(name, min(value + step_ms, now_ms))
