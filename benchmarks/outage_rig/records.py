"""A 5,000-SKU shop's records as its gateway emits them, without a centre to send them to. Seeded; sums are kept.

Sizes are those of a supermarket of that range: 1,500 receipts a day of ten lines on average, sales spread by a Zipf law, a
one-minute window and a level for each SKU and minute that sold, a forecast an SKU and day, 300 proposals a day, shelves
that stand empty for a while.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from contract.devices import ClockQuality, LineKind, Place
from contract.ids import gtin_check_digit
from contract.records import (
    QUANTILE_LEVELS,
    DayCloseRecord,
    ForecastRecord,
    HealthRecord,
    ProposalRecord,
    ReceiptRecord,
    Record,
    SkuWindow,
    SoldLine,
    StockFact,
    StockFactKind,
)

MINUTE_MS, DAY_MS = 60_000, 86_400_000
OPENS_MINUTE, CLOSES_MINUTE = 7 * 60, 22 * 60
RECEIPTS_A_DAY, LINES_A_RECEIPT, PROPOSALS_A_DAY, HORIZON_DAYS = 1500, 10, 300, 14


def gtin(number: int) -> str:
    body = f"952{number:09d}"
    return f"0{body}{gtin_check_digit(body)}"


class ShopRecords:
    """`minutes` yields what each quarter of an hour of the outage brings. `sums` and `kinds` say what that came to."""

    def __init__(self, skus: int, start_ms: int, seed: int = 1) -> None:
        self.skus, self.start_ms = skus, start_ms
        self.sums: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._numbers = range(1, skus + 1)
        self._weights = [1 / (20 + n) for n in self._numbers]
        self._sequence = 0

    def quarters(self, days: int) -> Iterator[tuple[int, list[Record]]]:
        """(end of the quarter in ms, its records)"""
        for day in range(days):
            opening_ms = self.start_ms + day * DAY_MS
            before, first = Counter(self.sums), self._sequence
            for minute in range(0, 24 * 60, 15):
                at_ms = opening_ms + minute * MINUTE_MS
                records: list[Record] = []
                if minute == 0:
                    records += self._morning(at_ms)
                if OPENS_MINUTE <= minute < CLOSES_MINUTE:
                    records += self._trade(at_ms)
                if minute == CLOSES_MINUTE:
                    records.append(self._day_close(at_ms, self.sums - before, self._sequence - first))
                if minute % 30 == 0:
                    records.append(self._health(at_ms))
                self.kinds.update(_name_of(record) for record in records)
                yield at_ms + 15 * MINUTE_MS, records

    def _trade(self, at_ms: int) -> list[Record]:
        chance = self._chance
        records: list[Record] = []
        quarters = (CLOSES_MINUTE - OPENS_MINUTE) // 15
        sold: Counter[tuple[int, int]] = Counter()
        for _ in range(chance.randint(0, 2 * RECEIPTS_A_DAY // quarters)):
            minute = chance.randrange(15)
            lines = chance.choices(self._numbers, self._weights, k=chance.randint(1, 2 * LINES_A_RECEIPT - 1))
            records.append(self._receipt(at_ms + minute * MINUTE_MS, lines))
            sold.update((minute, number) for number in lines)
        for (minute, number), units in sorted(sold.items()):
            records.append(self._window(at_ms + minute * MINUTE_MS, number, picked=units))
            records.append(self._level(at_ms + minute * MINUTE_MS, number))
        records += [
            self._window(at_ms, number, refilled=chance.randint(6, 24))
            for number in chance.sample(self._numbers, 20)
        ]
        records += [
            self._window(at_ms, number, span_ms=15 * MINUTE_MS, empty_ms=chance.randint(1, 900_000))
            for number in chance.sample(self._numbers, 10)
        ]
        return records

    def _receipt(self, at_ms: int, numbers: list[int]) -> ReceiptRecord:
        self._sequence += 1
        lines = [
            SoldLine.model_construct(
                kind=LineKind.SALE, gtin=gtin(number), raw_code="", quantity_units=1, quantity_g=0,
                unit_price_cents=100 + number % 900, extended_cents=100 + number % 900, coupon_code=None,
                sku=f"sku-{number}",
            )
            for number in numbers
        ]  # fmt: skip
        cents = sum(line.extended_cents for line in lines)
        self.sums.update(units=len(numbers), cents=cents, lines=len(numbers))
        return ReceiptRecord.model_construct(
            seq=1, at_ms=at_ms, register_id="till-1", business_date=_day(at_ms), sequence=self._sequence,
            clock_quality=ClockQuality.SYNCED, total_cents=cents, member=None, lines=lines,
        )  # fmt: skip

    def _window(
        self,
        at_ms: int,
        number: int,
        *,
        picked: int = 0,
        refilled: int = 0,
        empty_ms: int = 0,
        span_ms: int = MINUTE_MS,
    ) -> SkuWindow:
        self.sums.update(picked_units=picked, refilled_units=refilled, stock_out_ms=empty_ms)
        return SkuWindow.model_construct(
            seq=1, at_ms=at_ms, seq_from=None, sku=f"sku-{number}", span_ms=span_ms, picked_units=picked,
            put_back_units=0, refilled_units=refilled, unresolved_g=0, on_hand_units=40, on_shelf_units=12,
            stock_out_ms=empty_ms,
        )  # fmt: skip

    def _level(self, at_ms: int, number: int) -> StockFact:
        return StockFact.model_construct(
            seq=1, at_ms=at_ms, fact=StockFactKind.LEVEL, sku=f"sku-{number}", units=40, place=Place.STORE,
            on_hand_units=40, on_shelf_units=12, expected_units=None, despatch=None, reason="",
        )  # fmt: skip

    def _morning(self, at_ms: int) -> list[Record]:
        records: list[Record] = [self._forecast(at_ms, number) for number in self._numbers]
        records += [
            self._proposal(at_ms, number) for number in self._chance.sample(self._numbers, PROPOSALS_A_DAY)
        ]
        records += [self._delivery(at_ms, number) for number in self._chance.sample(self._numbers, 200)]
        return records

    def _forecast(self, at_ms: int, number: int) -> ForecastRecord:
        mean = 15_000 * self._weights[number - 1] / 6
        quantiles = [round(mean * (0.2 + 2 * level), 2) for level in QUANTILE_LEVELS]
        return ForecastRecord.model_construct(
            seq=1, at_ms=at_ms, sku=f"sku-{number}", first_day=_day(at_ms), mean=[round(mean, 2)] * HORIZON_DAYS,
            quantiles=[quantiles] * HORIZON_DAYS, bundle="b@1",
        )  # fmt: skip

    def _proposal(self, at_ms: int, number: int) -> ProposalRecord:
        return ProposalRecord(
            seq=1, at_ms=at_ms, sku=f"sku-{number}", quantity_units=12, on_hand_units=4, on_order_units=0,
            cumulative_quantiles=[float(n) for n in range(len(QUANTILE_LEVELS))], window_days=3, service_level=0.95,
            pack_units=6, min_order_units=0, max_stock_units=None, target_units=14.0, expected_stock_out_units=0.1,
            reasons=["below its target"], doubt="", bundle="b@1", watermark_ms=at_ms,
        )  # fmt: skip

    def _delivery(self, at_ms: int, number: int) -> StockFact:
        self.sums.update(delivered_units=24)
        return StockFact.model_construct(
            seq=1, at_ms=at_ms, fact=StockFactKind.DELIVERY, sku=f"sku-{number}", units=24, place=Place.STORE,
            on_hand_units=None, on_shelf_units=None, expected_units=24, despatch=f"d-{_day(at_ms)}", reason="",
        )  # fmt: skip

    def _day_close(self, at_ms: int, sums: "Counter[str]", receipts: int) -> DayCloseRecord:
        return DayCloseRecord.model_construct(
            seq=1, at_ms=at_ms, register_id="till-1", business_date=_day(at_ms - MINUTE_MS), receipts=receipts,
            lines=sums["lines"], units=sums["units"], grams=0, cents=sums["cents"],
        )  # fmt: skip

    def _health(self, at_ms: int) -> HealthRecord:
        return HealthRecord.model_construct(
            seq=1, at_ms=at_ms, version="0", bundle="b@1", watermark_ms=at_ms,
            counters={f"counter_{n}_total": at_ms for n in range(30)}, devices_online=["till-1"], devices_offline=[],
        )  # fmt: skip


def _name_of(record: Record) -> str:
    return f"stock_fact {record.fact.value}" if isinstance(record, StockFact) else record.kind


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
