"""What time alone brings about: windows close, facings and prices change, days turn, silence shows, health is told."""

from contract.records import HealthRecord, Severity, SkuWindow
from edge.core.goods import Goods
from edge.core.rules.local_rules import LocalRules
from edge.core.sensing import Sensing
from edge.core.state import PLANNED, EdgeState
from edge.core.till import BAD_COUPON, MISMATCH, UNKNOWN_GTIN
from edge.core.windows import LATENESS_MS

HEALTH_EVERY_MS = 30 * 60_000
SILENCE_EVERY_MS = 5 * 60_000
RECONCILE_EVERY_MS = 3_600_000
HEALTH, SILENCE, DAY, RECONCILED = "health_ms", "silence_ms", "day", "reconciled_ms"
SILENT, EMPTY = "silent-device", "empty-facing"
NEVER_MS = 2**62


class Clockwork:
    def __init__(
        self, state: EdgeState, sensing: Sensing, goods: Goods, rules: LocalRules, version: str
    ) -> None:
        self._state, self._sensing, self._goods, self._version = state, sensing, goods, version
        self._rules = rules
        self._next_plan_ms = 0
        self.bundle = ""

    def plan_again(self) -> None:
        """The documents changed: what is in effect is looked up anew at the next tick."""
        self._next_plan_ms = 0

    def go_on(self) -> None:
        """After a restore: what is in effect is known, what comes next is looked up."""
        if self._state.marks.at(PLANNED):
            self._find_next_plan(self._state.marks.at(PLANNED))

    def tick(self, now_ms: int) -> None:
        state = self._state
        if now_ms >= self._next_plan_ms:
            self._plan(now_ms)
        self._stock_outs(now_ms)
        self._rules.tick(now_ms)
        self._close_windows(now_ms)
        self._day(now_ms)
        if now_ms - state.marks.at(SILENCE) >= SILENCE_EVERY_MS:
            state.marks.set(SILENCE, now_ms)
            self._silence(now_ms)
            self._rules.look(now_ms)
        if now_ms - state.marks.at(RECONCILED) >= RECONCILE_EVERY_MS:
            state.marks.set(RECONCILED, now_ms)
            self._reconcile(now_ms)
        if now_ms - state.marks.at(HEALTH) >= HEALTH_EVERY_MS:
            state.marks.set(HEALTH, now_ms)
            self._health(now_ms)

    def next_due_ms(self) -> int:
        """Until when `tick` has nothing to do unless a message comes."""
        state = self._state
        window_ms = state.windows.next_close_ms()
        dues = (
            self._next_plan_ms,
            state.stock_outs.next_due_ms(),
            None if window_ms is None else window_ms + LATENESS_MS,
            state.marks.at(SILENCE) + SILENCE_EVERY_MS,
            state.marks.at(RECONCILED) + RECONCILE_EVERY_MS,
            state.marks.at(HEALTH) + HEALTH_EVERY_MS,
            self._rules.next_due_ms(),
            state.config_trial.due_ms(),
        )
        return min(due for due in dues if due is not None)

    def _plan(self, now_ms: int) -> None:
        self._sensing.replan(now_ms)
        self._state.labels.plan(now_ms)
        self._find_next_plan(now_ms)

    def _find_next_plan(self, now_ms: int) -> None:
        documents = self._state.documents
        changes = (documents.planogram.next_change_ms(now_ms), documents.next_price_ms(now_ms))
        self._next_plan_ms = min((change for change in changes if change is not None), default=NEVER_MS)

    def _stock_outs(self, now_ms: int) -> None:
        state = self._state
        calendar = state.documents.calendar
        for piece in state.stock_outs.advance(now_ms, calendar):
            state.windows.add_stock_out(piece.sku, piece.from_ms, piece.to_ms - piece.from_ms, piece.open_ms)
            assert calendar is not None  # without one there is no opening time, hence no piece
            state.was_empty(piece, calendar)
            since_ms = state.stock_outs.since_ms(piece.sku)
            after_ms = state.documents.rules.empty_facing.after_min * 60_000
            if since_ms is not None and now_ms - since_ms < after_ms:
                continue
            text = f"{state.documents.title(piece.sku)}: the facing is empty"
            state.alert(EMPTY, piece.sku, active=True, text=text, now_ms=now_ms)

    def _close_windows(self, now_ms: int) -> None:
        state = self._state
        for window in state.windows.close(now_ms - LATENESS_MS):
            level = state.level(window.sku)
            state.emit(
                SkuWindow(
                    seq=1,
                    at_ms=window.start_ms,
                    sku=window.sku,
                    span_ms=window.span_ms,
                    picked_units=window.picked_units,
                    put_back_units=window.put_back_units,
                    refilled_units=window.refilled_units,
                    unresolved_g=window.unresolved_g,
                    on_hand_units=level.on_hand_units,
                    on_shelf_units=level.on_shelf_units,
                    stock_out_ms=window.stock_out_ms,
                )
            )

    def _day(self, now_ms: int) -> None:
        state = self._state
        if state.documents.calendar is None:
            return
        today = state.documents.calendar.business_day(now_ms)
        if state.marks.at(DAY) == today.toordinal():
            return
        state.marks.set(DAY, today.toordinal())
        state.demand.forget_before(today)
        supply = state.documents.supply_by_sku
        state.ages.forget(
            {
                sku
                for sku in state.ages.rows.by_key
                if sku not in supply or supply[sku].shelf_life_days is None
            }
        )
        state.hours.end_days(
            today, {sku: state.documents.item_by_sku[sku].category for sku in state.documents.managed_skus()}
        )
        state.sales.forget_before(today)
        for sku in state.documents.managed_skus():
            if sku in state.documents.supply_by_sku or sku in state.plans.rows.by_key:
                state.plans.dirty(sku, now_ms)
        for code in (MISMATCH, UNKNOWN_GTIN, BAD_COUPON):
            for subject in state.alerts.subjects(code):
                state.alert(
                    code, subject, active=False, text="a new day began", now_ms=now_ms, severity=Severity.INFO
                )

    def _silence(self, now_ms: int) -> None:
        state = self._state
        silent = set(state.devices.silent(now_ms))
        for device in sorted(silent | set(state.alerts.subjects(SILENT))):
            heard = state.devices.rows.by_key[device].last_heard_ms
            text = (
                f"device {device} was last heard {(now_ms - heard) // 60_000} minutes ago"
                if device in silent
                else f"device {device} is back"
            )
            state.alert(SILENT, device, active=device in silent, text=text, now_ms=now_ms)

    def _reconcile(self, now_ms: int) -> None:
        state = self._state
        for sku in sorted(state.shelves.skus()):
            on_shelf = state.shelves.on_shelf_units(sku)
            if on_shelf is None or state.shelves.doubt(sku, now_ms):
                continue
            before = state.level(sku)
            shrink = state.stock.reconcile(sku, on_shelf, now_ms)
            if shrink:
                self._goods.shrink(sku, shrink, now_ms)
            if state.level(sku) != before:
                state.touch(sku, now_ms)

    def _health(self, now_ms: int) -> None:
        state = self._state
        silent = set(state.devices.silent(now_ms))
        known = sorted(state.devices.rows.by_key)
        state.emit(
            HealthRecord(
                seq=1,
                at_ms=now_ms,
                version=self._version,
                bundle=self.bundle,
                watermark_ms=state.devices.watermark_ms(now_ms),
                counters=dict(state.tally.counters),
                devices_online=[device for device in known if device not in silent][:500],
                devices_offline=[device for device in known if device in silent][:500],
            )
        )
