"""What the centre and the shop hear of a SKU's level: its changes, stock-outs that begin and end, stock that runs low."""

from contract.devices import Place
from contract.records import StockFact, StockFactKind
from edge.core.alerts import in_band
from edge.core.clockwork import EMPTY
from edge.core.state import EdgeState
from edge.core.stock import Level

LOW_STOCK = "low-stock"


class LevelNews:
    """due_ms: when a level that may not be told yet may be; None when none waits."""

    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self.due_ms: int | None = None

    def tell(self, now_ms: int) -> None:
        """Levels that changed, stock-outs that began or ended. A level that may not be told yet stays touched."""
        state = self._state
        later: dict[str, int] = {}
        due_ms: int | None = None
        for sku, at_ms in sorted(state.touched.items()):
            level = state.level(sku)
            self._track_empty(sku, level, at_ms or now_ms, now_ms)
            self._track_low(sku, level, now_ms)
            state.plans.stock_is(sku, level.on_hand_units)
            if not state.levels.is_news(sku, level):
                continue
            may_ms = state.levels.may_tell_ms(sku, level)
            if now_ms < may_ms:
                later[sku] = at_ms
                due_ms = may_ms if due_ms is None else min(due_ms, may_ms)
                continue
            self._tell_one(sku, level, now_ms)
        state.touched = later
        self.due_ms = due_ms

    def _tell_one(self, sku: str, level: Level, now_ms: int) -> None:
        if not self._state.documents.is_managed(sku):
            return
        self._state.levels.told(sku, level, now_ms)
        on_hand = level.on_hand_units
        self._state.emit(
            StockFact(
                seq=1,
                at_ms=now_ms,
                fact=StockFactKind.LEVEL,
                sku=sku,
                units=on_hand if on_hand is not None else 0,
                place=Place.STORE,
                on_hand_units=on_hand,
                on_shelf_units=level.on_shelf_units,
                reason="" if on_hand is not None else "unknown",
            )
        )

    def _track_empty(self, sku: str, level: Level, at_ms: int, now_ms: int) -> None:
        state = self._state
        if level.on_shelf_units == 0:
            state.stock_outs.set_empty(sku, at_ms)
            return
        calendar = state.documents.calendar
        for piece in state.stock_outs.set_filled(sku, at_ms, calendar):
            state.windows.add_stock_out(piece.sku, piece.from_ms, piece.to_ms - piece.from_ms, piece.open_ms)
            if calendar is not None:
                state.was_empty(piece, calendar)
        state.alert(
            EMPTY,
            sku,
            active=False,
            text=f"{self._state.documents.title(sku)} has goods again",
            now_ms=now_ms,
        )

    def _track_low(self, sku: str, level: Level, now_ms: int) -> None:
        """Low: not more than `raise_days` of demand are left; cleared above `clear_days`."""
        mean = self._state.plans.daily_mean(sku)
        on_hand = level.on_hand_units
        if mean is None or on_hand is None:
            return
        was = self._state.alerts.is_open(LOW_STOCK, sku)
        rule = self._state.documents.rules.low_stock
        low = in_band(on_hand, rule.raise_days * mean, rule.clear_days * mean + 1, was_active=was)
        title = self._state.documents.title(sku)
        text = f"{title}: {on_hand} {'unit' if on_hand == 1 else 'units'} left, {mean:.1f} sell a day"
        self._state.alert(LOW_STOCK, sku, active=low, text=text, now_ms=now_ms)
