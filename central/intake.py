"""One batch on its way into the ledger: what each kind of record means for facts, levels, sums and decisions."""

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from central import arrivals, couponing, deliveries, restocking
from central.context import Work
from central.core.ingest import BatchVerdict, is_live
from central.core.redemption import coupon_uses
from central.doubts import Doubts
from central.gathered import Gathered
from central.ledger import alert_acks, facts
from central.store_loading import forecast_from_rows
from central.store_memory import StockLevel
from central.told_rows import content_hash, line_row, window_row
from contract.batch import Batch, BatchRows, RejectedRecord
from contract.batch_reading import WindowRow
from contract.records import (
    AlertRecord,
    DayCloseRecord,
    ForecastRecord,
    GapRecord,
    HealthRecord,
    ModelScore,
    ProposalRecord,
    QuarantineRecord,
    ReceiptRecord,
    SkuWindow,
    StagingRecord,
    StockFact,
    StockFactKind,
)  # fmt: skip


class Intake:
    """Of one batch; `take` once."""

    def __init__(self, work: Work, batch: Batch, verdict: BatchVerdict) -> None:
        self._work, self._batch, self._verdict = work, batch, verdict
        store = work.store
        known = store.positions.get((batch.gateway, batch.epoch))
        newest = store.newest_ordinal(batch.gateway)
        self._ordinal = known.ordinal if known else newest + 1
        self._live = is_live(self._ordinal, newest)
        self._rows = Gathered(work, batch, self._ordinal)
        self._proposals: list[ProposalRecord] = []
        self._deliveries: list[StockFact] = []
        self._receipts: list[ReceiptRecord] = []
        self._newest: dict[str, WindowRow] = {}
        """Of the batch's windows, by SKU."""
        self._batch_receipts: dict[tuple[str, str, int], str] = {}

    def take(self, read: BatchRows) -> tuple[RejectedRecord, ...]:
        take_from = self._verdict.take_from or 0
        if self._verdict.missing is not None:
            self._rows.declare_missing(*self._verdict.missing)
        for bad in read.rejected:
            if bad.seq >= take_from:
                self._rows.reject(bad.seq, bad.reason)
        rows: Sequence[Any] = read.rows
        if take_from > self._batch.seq_from:
            rows = [row for row in rows if row.seq >= take_from]
        # Windows first and all at once: they are most of what comes. Where a level of another record is of the same moment,
        # the seq of both says which was told later.
        windows, others = [], []
        for row in rows:
            kind = type(row)
            if kind is WindowRow:
                windows.append(row)
            elif kind is SkuWindow:
                windows.append(window_row(row))
            else:
                others.append(row)
        self._take_windows(windows)
        for row in others:
            self._takers[type(row)](self, row)
        self._arrived()
        if self._live:
            self._decide()
        else:
            for proposal in self._proposals:
                self._proposal_row(proposal, "history: of an older epoch")
        self._rows.write(self._verdict, self._ordinal)
        couponing.take_uses(self._work, ((r, coupon_uses(r.lines)) for r in self._receipts))
        return tuple(self._rows.rejected)

    # ---- one record kind each ----

    def _receipt(self, record: ReceiptRecord) -> None:
        store = self._work.store
        key = (record.register_id, record.business_date, record.sequence)
        digest = content_hash(record)
        if record.business_date < store.receipts_from:
            self._rows.reject(
                record.seq,
                f"receipt of {record.business_date}: those before {store.receipts_from} are no longer kept, so nobody can "
                "say whether it was counted before",
            )
            return
        known = self._batch_receipts.get(key)
        if known is None and store.may_have_receipt(*key):
            known = facts.receipt_hash(self._work.connection, store.store, *key)
        if known is not None:
            if known != digest:
                where = f"{record.register_id} {record.business_date} number {record.sequence}"
                self._rows.reject(record.seq, f"receipt {where} is in the ledger with other content")
            return
        self._batch_receipts[key] = digest
        till = (record.register_id, record.business_date)
        store.receipts[till] = max(store.receipts.get(till, 0), record.sequence)
        self._receipts.append(record)
        self._rows.sums.add_receipt(record)
        self._rows.tills[record.business_date, record.register_id].add(record)
        identity = {
            "store_id": store.store, "business_date": record.business_date, "register_id": record.register_id,
            "sequence": record.sequence,
        }  # fmt: skip
        self._rows.add(
            "receipts",
            {
                **identity, "at_ms": record.at_ms, "gateway": self._batch.gateway, "epoch": self._batch.epoch,
                "seq": record.seq, "clock_quality": str(record.clock_quality), "total_cents": record.total_cents,
                "member": record.member, "line_count": len(record.lines),
                "sold_units": sum(line.sold_units for line in record.lines),
                "sold_g": sum(line.sold_g for line in record.lines), "content_hash": digest,
            },
        )  # fmt: skip
        for number, line in enumerate(record.lines):
            self._rows.add("receipt_lines", {**identity, "line": number, **line_row(line)})

    def _take_windows(self, rows: list[WindowRow]) -> None:
        """All of the batch, in order of seq."""
        take_from, stock = self._verdict.take_from or 0, self._work.store.stock
        if any(row.seq_from is not None and row.seq_from < take_from for row in rows):
            rows = [row for row in rows if not self._overlaps(row, take_from)]
        self._rows.windows = rows
        self._newest = self._rows.sums.add_windows(rows)
        for sku, row in self._newest.items():
            level, end_ms = stock.get(sku), row.at_ms + row.span_ms
            if level is None:
                stock[sku] = StockLevel(row.on_hand_units, row.on_shelf_units, end_ms, 0)
            elif end_ms >= level.at_ms:
                level.on_hand_units, level.on_shelf_units, level.at_ms = (
                    row.on_hand_units, row.on_shelf_units, end_ms,
                )  # fmt: skip
        self._rows.levels.update(self._newest)

    def _overlaps(self, row: WindowRow, take_from: int) -> bool:
        if row.seq_from is None or row.seq_from >= take_from:
            return False
        self._rows.reject(
            row.seq, "coarsened row overlaps what is stored; send rows that were sent once unchanged"
        )
        return True

    def _stock_fact(self, record: StockFact) -> None:
        if record.fact is StockFactKind.DELIVERY and self._is_known_delivery(record):
            return
        row = self._rows.fact_row(record, "sku", "units", "on_hand_units", "on_shelf_units", "expected_units",
            "despatch", "reason")  # fmt: skip
        self._rows.add("stock_facts", {**row, "fact": str(record.fact), "place": str(record.place)})
        self._rows.sums.add_stock_fact(record)
        if record.fact is StockFactKind.SHRINK:
            self._stock(record.sku, record.at_ms).shrink_units += record.units
        if record.fact is StockFactKind.LEVEL or record.on_hand_units is not None:
            self._level(record)
        if record.fact is StockFactKind.DELIVERY:
            self._deliveries.append(record)

    def _is_known_delivery(self, record: StockFact) -> bool:
        """After a gateway lost its database its dock sends again: the same lorry at the same moment is one delivery."""
        if record.despatch is None:
            return False
        known = facts.deliveries_of(
            self._work.connection, self._work.store.store, record.despatch, record.sku
        )
        here = [
            (d.at_ms, d.units)
            for d in self._deliveries
            if (d.despatch, d.sku) == (record.despatch, record.sku)
        ]
        return (record.at_ms, record.units) in known or (record.at_ms, record.units) in here

    def _day_close(self, record: DayCloseRecord) -> None:
        names = ("register_id", "business_date", "at_ms", "receipts", "lines", "units", "grams", "cents")
        row = {"store_id": self._work.store.store, **{name: getattr(record, name) for name in names}}
        self._rows.add("day_closes", row)
        self._rows.add("told_till_days", row)

    def _forecast(self, record: ForecastRecord) -> None:
        store = self._work.store
        self._rows.add(
            "forecasts",
            {
                "store_id": store.store, "sku": record.sku, "first_day": record.first_day, "at_ms": record.at_ms,
                "mean": json.dumps(record.mean), "quantiles": json.dumps(record.quantiles), "bundle": record.bundle,
            },
        )  # fmt: skip
        known = store.forecasts.get(record.sku)
        if known is None or record.first_day >= known.first_day:
            store.forecasts[record.sku] = forecast_from_rows(record.first_day, record.mean, record.quantiles)

    def _alert(self, record: AlertRecord) -> None:
        if record.acknowledged_by:
            self._rows.write_table("alerts")
            alert_acks.note(
                self._work, record.code, record.subject, who=record.acknowledged_by, at_ms=record.at_ms
            )
            return
        if record.cleared:
            # Raised ones of this batch must be rows before one of them can be cleared.
            self._rows.write_table("alerts")
            facts.clear_alert(
                self._work.connection, self._work.store.store, record.code, record.subject, record.at_ms
            )
            return
        row = self._rows.fact_row(record, "code", "subject", "text")
        self._rows.add("alerts", {**row, "severity": str(record.severity), "cleared_ms": None})

    def _quarantined(self, record: QuarantineRecord) -> None:
        self._rows.quarantine(
            "gateway", record.seq, record.at_ms, record.source, record.stream, record.reason, record.sample
        )

    def _take_health(self, record: HealthRecord) -> None:
        if self._live:
            self._rows.health = record

    def _gap(self, record: GapRecord) -> None:
        row = self._rows.fact_row(
            record, "what", "reason", "lost_epoch", "seq_from", "seq_to", "units", "cents"
        )
        self._rows.add("gaps", {**row, "declared_by": "gateway"})

    def _staging(self, record: StagingRecord) -> None:
        row = self._rows.fact_row(record, "what", "name", "reason", "sha256")
        self._rows.add("staging_events", {**row, "state": str(record.state)})

    def _model_score(self, record: ModelScore) -> None:
        row = self._rows.fact_row(record, "day", "bundle", "sha256", "skus", "units", "mean_units", "pinball", "inside_80",
            "inside_95")  # fmt: skip
        self._rows.add("model_scores", {**row, "role": str(record.role)})

    # ---- what follows ----

    def _stock(self, sku: str, at_ms: int) -> StockLevel:
        level = self._work.store.stock.get(sku)
        if level is None:
            level = self._work.store.stock[sku] = StockLevel(None, None, at_ms, 0)
        self._rows.levels.add(sku)
        return level

    def _level(self, record: StockFact) -> None:
        level, window = self._stock(record.sku, record.at_ms), self._newest.get(record.sku)
        if record.at_ms < level.at_ms or (
            record.at_ms == level.at_ms and window is not None and window.seq > record.seq
        ):
            return
        level.on_hand_units, level.on_shelf_units = record.on_hand_units, record.on_shelf_units
        level.at_ms = record.at_ms

    def _proposal_row(self, proposal: ProposalRecord, outcome: str) -> None:
        row = self._rows.fact_row(proposal, "sku", "quantity_units")
        self._rows.add("proposals", {**row, "outcome": outcome, "body": proposal.model_dump_json()})

    def _arrived(self) -> None:
        """Of a backlog, too: the goods are in the live stock, so they must not be on order any more."""
        for fact in self._deliveries:
            arrivals.take_delivery(self._work, fact.sku, fact.despatch, fact.units)
            if fact.despatch is not None:
                deliveries.told_by_gateway(self._work, fact.sku, fact.despatch, fact.units)

    def _decide(self) -> None:
        newest = {proposal.sku: proposal for proposal in self._proposals}
        doubts = Doubts(self._work, list(newest.values()))
        for proposal in self._proposals:
            if newest[proposal.sku] is proposal:
                outcome = restocking.decide_proposal(self._work, proposal, doubts)
            else:
                outcome = "merged: a newer proposal came in the same batch"
            self._proposal_row(proposal, outcome)

    def _propose(self, record: ProposalRecord) -> None:
        self._proposals.append(record)

    # Not bound ones in the object: it would hold itself, and a batch's rows would stay until somebody looks for circles.
    _takers: ClassVar[dict[type[Any], Callable[["Intake", Any], None]]] = {
        ReceiptRecord: _receipt,
        StockFact: _stock_fact,
        DayCloseRecord: _day_close,
        ForecastRecord: _forecast,
        ProposalRecord: _propose,
        AlertRecord: _alert,
        QuarantineRecord: _quarantined,
        HealthRecord: _take_health,
        GapRecord: _gap,
        StagingRecord: _staging,
        ModelScore: _model_score,
    }
