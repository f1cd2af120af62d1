"""What tills say: receipts and the totals of their days. Sales come from here and from nowhere else."""

from contract.devices import ClockQuality, DayClose, LineKind, Receipt, ReceiptLine
from contract.records import DayCloseRecord, ReceiptRecord, Severity, SoldLine
from edge.core.coupons import CouponVerdict
from edge.core.event_time import UNSET_CLOCK_MS, event_ms
from edge.core.rules.local_rules import LocalRules
from edge.core.state import EdgeState

MAX_GTIN_ALERTS = 50
MISMATCH, UNKNOWN_GTIN, BAD_COUPON = "price-mismatch", "unknown-gtin", "coupon-refused"


class Till:
    def __init__(self, state: EdgeState, rules: LocalRules) -> None:
        self._state, self._rules = state, rules

    def receipt(self, receipt: Receipt, now_ms: int) -> None:
        state = self._state
        if not state.sales.add(receipt.register_id, receipt.business_date, receipt.sequence):
            state.tally.add("receipts_known_total")
            return
        at_ms = event_ms(receipt, now_ms)
        day = receipt.business_date
        state.demand.heard_receipt(day)
        lines = [self._line(line, day, at_ms, now_ms) for line in receipt.lines]
        state.tally.add("receipts_total")
        state.tally.add("receipt_lines_total", len(lines))
        # Constructed without a second validation: every field was validated by the event it comes from.
        state.emit(
            ReceiptRecord.model_construct(
                seq=1,
                at_ms=at_ms,
                register_id=receipt.register_id,
                business_date=day,
                sequence=receipt.sequence,
                clock_quality=_quality(receipt, at_ms),
                total_cents=receipt.total_cents,
                member=receipt.member,
                lines=lines,
            )
        )

    def day_close(self, close: DayClose, now_ms: int) -> None:
        self._state.tally.add("day_closes_total")
        self._state.emit(
            DayCloseRecord(
                seq=1,
                at_ms=event_ms(close, now_ms),
                register_id=close.register_id,
                business_date=close.business_date,
                receipts=close.receipts,
                lines=close.lines,
                units=close.units,
                grams=close.grams,
                cents=close.cents,
            )
        )

    def _line(self, line: ReceiptLine, day: str, at_ms: int, now_ms: int) -> SoldLine:
        state = self._state
        sku = state.documents.sku_of(line.gtin)
        if line.coupon_code is not None:
            self._coupon(line, line.coupon_code, now_ms)
        if sku is None:
            if line.gtin is not None:
                self._unknown_gtin(line.gtin, now_ms)
        elif line.sold_units:
            self._move(sku, line, day, at_ms, now_ms)
        return SoldLine.model_construct(
            kind=line.kind,
            gtin=line.gtin,
            raw_code=line.raw_code,
            quantity_units=line.quantity_units,
            quantity_g=line.quantity_g,
            unit_price_cents=line.unit_price_cents,
            extended_cents=line.extended_cents,
            coupon_code=line.coupon_code,
            sku=sku,
        )

    def _move(self, sku: str, line: ReceiptLine, day: str, at_ms: int, now_ms: int) -> None:
        """A return brings goods back but says nothing about demand; a void takes a sale back."""
        state = self._state
        if line.kind is LineKind.RETURN:
            state.stock.returned(sku, line.quantity_units, at_ms)
        else:
            state.stock.sold(sku, line.sold_units, at_ms)
        if line.kind is LineKind.SALE:
            self._check_price(sku, line, at_ms, now_ms)
            self._rules.settled(sku, line.sold_units, now_ms)
        if not state.documents.is_managed(sku):
            return
        if line.kind is not LineKind.RETURN:
            state.demand.sold(sku, day, line.sold_units)
            if state.documents.calendar is not None:
                state.hours.sold(sku, day, state.documents.calendar.hour_of(at_ms), line.sold_units)
        state.touch(sku, at_ms)
        state.plans.dirty(sku, now_ms)

    def _check_price(self, sku: str, line: ReceiptLine, at_ms: int, now_ms: int) -> None:
        """Raised at the first wrong price, cleared by the day's turn: one alert a SKU and day, not one a line."""
        state = self._state
        listed = state.documents.price_cents(sku, at_ms)
        if listed is None or listed == line.unit_price_cents:
            return
        state.tally.add("price_mismatches_total")
        if sku not in state.documents.planogram.labelled_skus:
            return  # counted; but no label in the shop promises another price
        if state.alerts.is_open(MISMATCH, sku):
            return
        title = state.documents.title(sku)
        label = {
            True: ", and so does its label: look at the till's price",
            False: "; its label does not show that yet",
            None: "",
        }[state.labels.shows_list_price(sku)]
        charged, wanted = state.documents.money(line.unit_price_cents), state.documents.money(listed)
        text = f"till charged {charged} for {title}, the price list says {wanted}{label}"
        state.alert(MISMATCH, sku, active=True, text=text, now_ms=now_ms, severity=Severity.INFO)

    def _unknown_gtin(self, gtin: str, now_ms: int) -> None:
        self._state.tally.add("unknown_gtins_total")
        if len(self._state.alerts.subjects(UNKNOWN_GTIN)) < MAX_GTIN_ALERTS:
            text = f"GTIN {gtin} was sold but is not in the item list: add it there"
            self._state.alert(
                UNKNOWN_GTIN, gtin, active=True, text=text, now_ms=now_ms, severity=Severity.INFO
            )

    def _coupon(self, line: ReceiptLine, code: str, now_ms: int) -> None:
        """A positive amount gives the discount back: the reversal on a return."""
        state = self._state
        if line.kind in (LineKind.RETURN, LineKind.VOID) or line.extended_cents > 0:
            verdict = state.coupons.reverse(code, state.documents.coupon_keys)
        else:
            verdict = state.coupons.redeem(code, state.documents.coupon_keys, now_ms)
        state.tally.add(f"coupons_{verdict.value.replace('-', '_')}_total")
        if verdict not in (CouponVerdict.GENUINE, CouponVerdict.REVERSED):
            text = f"a coupon ending in {code[-4:]} was taken at the till: {verdict.value}"
            state.alert(BAD_COUPON, f"{verdict.value}", active=True, text=text, now_ms=now_ms)


def _quality(receipt: Receipt, at_ms: int) -> ClockQuality:
    """Arrival stands in for a time that was missing or not credible."""
    if at_ms < UNSET_CLOCK_MS:
        return ClockQuality.UNKNOWN
    return receipt.clock_quality if receipt.t_event_ms == at_ms else ClockQuality.ESTIMATED
