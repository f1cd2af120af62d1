"""What moves stock besides sales and shelves: deliveries, counts, write-offs."""

from contract.devices import Adjustment, Delivery, Place, Stocktake
from contract.documents import DeliveriesDocument
from contract.records import Severity, StockFact, StockFactKind
from edge.core.event_time import event_ms
from edge.core.state import EdgeState

UNKNOWN_GOODS = "unknown-goods"


class Goods:
    def __init__(self, state: EdgeState) -> None:
        self._state = state

    def delivery(self, delivery: Delivery, now_ms: int) -> None:
        at_ms = event_ms(delivery, now_ms)
        for line in delivery.lines:
            sku = self._sku(line.gtin, f"delivery {delivery.despatch}", now_ms)
            if sku is None:
                continue
            units, was_noted = self._state.despatches.scanned(
                delivery.despatch, sku, line.quantity_units, at_ms
            )
            self._state.stock.delivered(sku, units)
            self._aged(sku, units, at_ms)
            self._state.tally.add("delivered_units_total", line.quantity_units)
            if was_noted and not units:
                continue  # the dock counted what the note had said: it is in the books
            reason = "" if line.substitutes_gtin is None else f"instead of {line.substitutes_gtin}"
            self._fact(
                StockFactKind.DELIVERY, sku, units, Place.BACK_ROOM, at_ms, now_ms,
                expected_units=line.expected_units, despatch=delivery.despatch,
                reason="counted at the dock, against its note" if was_noted else reason,
            )  # fmt: skip

    def noted(self, document: DeliveriesDocument, now_ms: int) -> None:
        """Loads that the centre knows by their notes: each once, and not at all where the dock has scanned it."""
        for line in document.lines:
            if not self._state.despatches.noted(line.despatch, line.sku, line.quantity_units, line.at_ms):
                continue
            self._state.stock.delivered(line.sku, line.quantity_units)
            self._aged(line.sku, line.quantity_units, line.at_ms)
            self._state.tally.add("noted_units_total", line.quantity_units)
            reason = f"note {line.note}" if line.instead_of is None else f"instead of {line.instead_of}"
            self._fact(
                StockFactKind.DELIVERY, line.sku, line.quantity_units, Place.BACK_ROOM, line.at_ms, now_ms,
                expected_units=line.expected_units, despatch=line.despatch, reason=reason,
            )  # fmt: skip

    def _aged(self, sku: str, units: int, at_ms: int) -> None:
        documents = self._state.documents
        supply = documents.supply_by_sku.get(sku)
        if supply is not None and supply.shelf_life_days is not None and documents.calendar is not None:
            self._state.ages.delivered(sku, documents.calendar.business_day(at_ms), units)

    def stocktake(self, count: Stocktake, now_ms: int) -> None:
        at_ms = event_ms(count, now_ms)
        state = self._state
        for line in count.lines:
            sku = self._sku(line.gtin, "stocktake", now_ms)
            if sku is None:
                continue
            missing = state.stock.counted(
                sku, count.place, line.counted_units,
                state.shelves.on_shelf_units(sku), has_cell=state.shelves.has_cell(sku),
            )  # fmt: skip
            if count.place is Place.SHELF:
                state.shelves.set_counted(sku, line.counted_units)
            kind = StockFactKind.OPENING if count.opening else StockFactKind.STOCKTAKE
            self._fact(kind, sku, line.counted_units, count.place, at_ms, now_ms)
            if missing and not count.opening:
                state.tally.add("shrink_units_total", abs(missing))
                self._fact(StockFactKind.SHRINK, sku, missing, count.place, at_ms, now_ms, reason="stocktake")

    def adjustment(self, adjustment: Adjustment, now_ms: int) -> None:
        sku = self._sku(adjustment.gtin, "adjustment", now_ms)
        if sku is None:
            return
        self._state.stock.adjusted(sku, adjustment.delta_units, adjustment.place)
        self._fact(
            StockFactKind.ADJUSTMENT, sku, adjustment.delta_units, adjustment.place,
            event_ms(adjustment, now_ms), now_ms, reason=adjustment.reason.value,
        )  # fmt: skip

    def shrink(self, sku: str, units: int, now_ms: int) -> None:
        """What the quiet hour's comparison of both books found."""
        self._state.tally.add("shrink_units_total", abs(units))
        self._fact(StockFactKind.SHRINK, sku, units, Place.STORE, now_ms, now_ms, reason="shelf against book")

    def _fact(
        self,
        fact: StockFactKind,
        sku: str,
        units: int,
        place: Place,
        at_ms: int,
        now_ms: int,
        *,
        expected_units: int | None = None,
        despatch: str | None = None,
        reason: str = "",
    ) -> None:
        level = self._state.level(sku)
        self._state.emit(
            StockFact(
                seq=1,
                at_ms=at_ms,
                fact=fact,
                sku=sku,
                units=units,
                place=place,
                on_hand_units=level.on_hand_units,
                on_shelf_units=level.on_shelf_units,
                expected_units=expected_units,
                despatch=despatch,
                reason=reason,
            )
        )
        self._state.touch(sku, at_ms)
        self._state.plans.dirty(sku, now_ms)

    def _sku(self, gtin: str, where: str, now_ms: int) -> str | None:
        """None for goods that the item list does not know: counted and told, never guessed."""
        sku = self._state.documents.sku_of(gtin)
        if sku is None:
            self._state.tally.add("unknown_gtins_total")
            text = f"{where} names GTIN {gtin}, which is not in the item list: add it there and count it"
            self._state.alert(
                UNKNOWN_GOODS, gtin, active=True, text=text, now_ms=now_ms, severity=Severity.WARNING
            )
        return sku
