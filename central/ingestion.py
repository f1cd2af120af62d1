"""Takes batches into the ledger: facts, position, stock, decisions and outgoing events in one transaction."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from central import arrivals, couponing, deliveries, desired_state, restocking
from central.context import Work
from central.core.coupon_hash import code_hash
from central.core.ingest import BatchVerdict, Verdict, is_live, judge_batch
from central.core.redemption import coupon_uses
from central.core.rollups import QUARTER_MS, RollupSums, category_hours
from central.errors import ConflictError, ForbiddenError
from central.ledger import alert_acks, facts, window_runs
from central.memory import Position, StockLevel, forecast_from_rows
from central.timeseries import projection
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
    Record,
    SkuWindow,
    SoldLine,
    StagingRecord,
    StockFact,
    StockFactKind,
)  # fmt: skip
from runtime.logs import printable

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway is told. documents: bodies of the desired state it lacks, as JSON."""

    acked_through: int
    rejected: tuple[RejectedRecord, ...]
    documents: tuple[bytes, ...]
    verdict: Verdict


def take_batch(work: Work, batch: Batch, read: BatchRows) -> Answer:
    """Applies what is new of `batch`. The same batch again gives the same answer and changes nothing."""
    if not work.store.exists:
        raise ForbiddenError(
            f"store {batch.store} is unknown; put it with PUT /v1/stores/{batch.store} first"
        )
    _require_speaker(work, batch)
    position = work.store.positions.get((batch.gateway, batch.epoch))
    verdict = judge_batch(
        position.through_seq if position else None, batch.seq_from, batch.seq_to,
        rows=len(read.rows) + len(read.rejected), kept_from_seq=batch.kept_from_seq,
    )  # fmt: skip
    work.memory.heard_ms[batch.gateway] = work.now_ms
    rejected = read.rejected
    if verdict.take_from is not None:
        rejected = _Intake(work, batch, verdict).take(read)
    if work.supply_changed:
        desired_state.refresh_supply(work)
    return Answer(
        verdict.acked_through, rejected, desired_state.newer_than(work, batch.have), verdict.verdict
    )


def _require_speaker(work: Work, batch: Batch) -> None:
    """Raises ConflictError when another box speaks for the gateway. A take-over is written, for workers and restarts."""
    gateway, run, identities, now_ms = batch.gateway, batch.run, work.store.identities, work.now_ms
    heard_ms = work.memory.heard_ms.get(gateway, 0)
    if identities.was_replaced(gateway, run):
        heard_ms = max(heard_ms, facts.last_heard_ms(work.connection, gateway))
    spoke = identities.speaks_for(gateway)
    if identities.is_refused(gateway, run, now_ms, heard_ms):
        work.memory.watch.refused(gateway, run or "", batch.state, now_ms)
        raise ConflictError(
            f"another gateway speaks as {gateway}; stop one of the two, or add a gateway and give it the new key"
        )
    if run is not None and run != spoke:
        replaced = json.dumps(identities[gateway].replaced)
        facts.put_identity(work.connection, work.store.store, gateway, run, replaced, now_ms)
    work.memory.watch.note(gateway, batch.state, batch.sent_at_ms, now_ms)


class _Intake:
    """One batch on its way into the ledger. Rows are gathered a table, then written in bulk."""

    def __init__(self, work: Work, batch: Batch, verdict: BatchVerdict) -> None:
        self._work, self._batch, self._verdict = work, batch, verdict
        store = work.store
        known = store.positions.get((batch.gateway, batch.epoch))
        newest = store.newest_ordinal(batch.gateway)
        self._ordinal = known.ordinal if known else newest + 1
        self._live = is_live(self._ordinal, newest)
        self._tables: dict[str, list[Row]] = {}
        self._place = (store.store, batch.gateway, batch.epoch)
        self._windows: list[WindowRow] = []
        self._sums = RollupSums(store.zone, store.items)
        self._rejected: list[RejectedRecord] = []
        self._levels: set[str] = set()
        self._proposals: list[ProposalRecord] = []
        self._deliveries: list[StockFact] = []
        self._health: HealthRecord | None = None
        self._receipts: list[ReceiptRecord] = []
        self._batch_receipts: dict[tuple[str, str, int], str] = {}
        self._takers: dict[type[Any], Callable[[Any], None]] = {
            ReceiptRecord: self._receipt,
            SkuWindow: lambda record: self._take_windows([_window_row(record)]),
            StockFact: self._stock_fact,
            DayCloseRecord: self._day_close,
            ForecastRecord: self._forecast,
            ProposalRecord: self._proposals.append,
            AlertRecord: self._alert,
            QuarantineRecord: self._quarantined,
            HealthRecord: self._take_health,
            GapRecord: self._gap,
            StagingRecord: self._staging,
            ModelScore: self._model_score,
        }

    def take(self, read: BatchRows) -> tuple[RejectedRecord, ...]:
        take_from = self._verdict.take_from or 0
        if self._verdict.missing is not None:
            self._declare_missing(*self._verdict.missing)
        for bad in read.rejected:
            if bad.seq >= take_from:
                self._reject(bad.seq, bad.reason)
        rows: Iterable[Any] = read.rows
        for kind, run in groupby(rows, type):
            if kind is WindowRow:
                self._take_windows([row for row in run if row.seq >= take_from])
                continue
            taker = self._takers[kind]
            for row in run:
                if row.seq >= take_from:
                    taker(row)
        self._arrived()
        if self._live:
            self._decide()
        self._write()
        couponing.take_uses(self._work, ((r, coupon_uses(r.lines)) for r in self._receipts))
        return tuple(self._rejected)

    # ---- one record kind each ----

    def _receipt(self, record: ReceiptRecord) -> None:
        store = self._work.store
        key = (record.register_id, record.business_date, record.sequence)
        digest = _content_hash(record)
        if record.business_date < store.receipts_from:
            self._reject(
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
                self._reject(record.seq, f"receipt {where} is in the ledger with other content")
            return
        self._batch_receipts[key] = digest
        till = (record.register_id, record.business_date)
        store.receipts[till] = max(store.receipts.get(till, 0), record.sequence)
        self._receipts.append(record)
        self._sums.add_receipt(record)
        identity = {
            "store_id": store.store, "business_date": record.business_date, "register_id": record.register_id,
            "sequence": record.sequence,
        }  # fmt: skip
        self._add(
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
            self._add("receipt_lines", {**identity, "line": number, **_line_row(line)})

    def _take_windows(self, rows: list[WindowRow]) -> None:
        """In order of seq, with nothing else between them."""
        take_from, stock = self._verdict.take_from or 0, self._work.store.stock
        if any(row.seq_from is not None and row.seq_from < take_from for row in rows):
            rows = [row for row in rows if not self._overlaps(row, take_from)]
        self._windows += rows
        self._sums.add_windows(rows)
        for _, at_ms, sku, span_ms, _, _, _, _, on_hand, on_shelf, _, _ in rows:
            level, end_ms = stock.get(sku), at_ms + span_ms
            if level is None:
                stock[sku] = StockLevel(on_hand, on_shelf, end_ms, 0)
            elif end_ms >= level.at_ms:
                level.on_hand_units, level.on_shelf_units, level.at_ms = on_hand, on_shelf, end_ms
        self._levels.update([row.sku for row in rows])

    def _overlaps(self, row: WindowRow, take_from: int) -> bool:
        if row.seq_from is None or row.seq_from >= take_from:
            return False
        self._reject(
            row.seq, "coarsened row overlaps what is stored; send rows that were sent once unchanged"
        )
        return True

    def _stock_fact(self, record: StockFact) -> None:
        if record.fact is StockFactKind.DELIVERY and self._is_known_delivery(record):
            return
        row = self._fact_row(record, "sku", "units", "on_hand_units", "on_shelf_units", "expected_units",
            "despatch", "reason")  # fmt: skip
        self._add("stock_facts", {**row, "fact": str(record.fact), "place": str(record.place)})
        self._sums.add_stock_fact(record)
        if record.fact is StockFactKind.SHRINK:
            self._stock(record.sku, record.at_ms).shrink_units += record.units
        if record.fact is StockFactKind.LEVEL or record.on_hand_units is not None:
            self._level(record.sku, record.on_hand_units, record.on_shelf_units, record.at_ms)
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
        self._add(
            "day_closes",
            {"store_id": self._work.store.store, **{name: getattr(record, name) for name in names}},
        )

    def _forecast(self, record: ForecastRecord) -> None:
        store = self._work.store
        self._add(
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
            self._write_table("alerts")
            alert_acks.note(
                self._work, record.code, record.subject, who=record.acknowledged_by, at_ms=record.at_ms
            )
            return
        if record.cleared:
            # Raised ones of this batch must be rows before one of them can be cleared.
            self._write_table("alerts")
            facts.clear_alert(
                self._work.connection, self._work.store.store, record.code, record.subject, record.at_ms
            )
            return
        row = self._fact_row(record, "code", "subject", "text")
        self._add("alerts", {**row, "severity": str(record.severity), "cleared_ms": None})

    def _quarantined(self, record: QuarantineRecord) -> None:
        self._quarantine(
            "gateway", record.seq, record.at_ms, record.source, record.stream, record.reason, record.sample
        )

    def _take_health(self, record: HealthRecord) -> None:
        if self._live:
            self._health = record

    def _gap(self, record: GapRecord) -> None:
        row = self._fact_row(record, "what", "reason", "lost_epoch", "seq_from", "seq_to", "units", "cents")
        self._add("gaps", {**row, "declared_by": "gateway"})

    def _staging(self, record: StagingRecord) -> None:
        row = self._fact_row(record, "what", "name", "reason", "sha256")
        self._add("staging_events", {**row, "state": str(record.state)})

    def _model_score(self, record: ModelScore) -> None:
        row = self._fact_row(record, "day", "bundle", "sha256", "skus", "units", "mean_units", "pinball", "inside_80",
            "inside_95")  # fmt: skip
        self._add("model_scores", {**row, "role": str(record.role)})

    # ---- gathering ----

    def _add(self, table: str, row: Row) -> None:
        self._tables.setdefault(table, []).append(row)

    def _fact_row(self, record: Record, *names: str) -> Row:
        return {
            "store_id": self._work.store.store, "gateway": self._batch.gateway, "epoch": self._batch.epoch,
            "seq": record.seq, "at_ms": record.at_ms, **{name: getattr(record, name) for name in names},
        }  # fmt: skip

    def _stock(self, sku: str, at_ms: int) -> StockLevel:
        level = self._work.store.stock.get(sku)
        if level is None:
            level = self._work.store.stock[sku] = StockLevel(None, None, at_ms, 0)
        self._levels.add(sku)
        return level

    def _level(self, sku: str, on_hand: int | None, on_shelf: int | None, at_ms: int) -> None:
        level = self._stock(sku, at_ms)
        if at_ms >= level.at_ms:
            level.on_hand_units, level.on_shelf_units, level.at_ms = on_hand, on_shelf, at_ms

    def _reject(self, seq: int, reason: str) -> None:
        self._rejected.append(RejectedRecord(seq=seq, reason=reason))
        self._quarantine("centre", seq, self._work.now_ms, self._batch.gateway, "batch", reason, "")

    def _quarantine(
        self, found_at: str, seq: int, at_ms: int, source: str, stream: str, reason: str, sample: str
    ) -> None:
        self._add(
            "quarantine",
            {
                "store_id": self._work.store.store, "number": self._work.store.next_number("quarantine"),
                "at_ms": at_ms, "found_at": found_at, "gateway": self._batch.gateway, "epoch": self._batch.epoch,
                "seq": seq, "source": source, "stream": stream, "reason": printable(reason, 400),
                "sample": printable(sample, 400),
            },
        )  # fmt: skip

    def _declare_missing(self, first: int, last: int) -> None:
        self._add(
            "gaps",
            {
                "store_id": self._work.store.store, "gateway": self._batch.gateway, "epoch": self._batch.epoch,
                "seq": first, "at_ms": self._work.now_ms, "what": "records",
                "reason": "neither the gateway nor the centre has them any more", "lost_epoch": self._batch.epoch,
                "seq_from": first, "seq_to": last, "units": None, "cents": None, "declared_by": "centre",
            },
        )  # fmt: skip

    # ---- writing ----

    def _write(self) -> None:
        connection, store, batch = self._work.connection, self._work.store, self._batch
        gaps = len(self._tables.get("gaps", ()))
        quarantined = len(self._tables.get("quarantine", ())) - len(self._rejected)
        for proposal in self._proposals if not self._live else ():
            self._proposal_row(proposal, "history: of an older epoch")
        with self._work.transaction.without_waiting():
            window_runs.put_run(connection, self._place, self._windows)
            facts.put_stock(connection, self._stock_rows())
            for table in list(self._tables):
                self._write_table(table)
            sums = self._sums.rows()
            facts.add_rollups(connection, store.store, sums)
            facts.add_category_hours(connection, store.store, category_hours(sums, store.category_of))
            facts.put_position(
                connection, store.store, batch.gateway, batch.epoch, through_seq=self._verdict.acked_through,
                ordinal=self._ordinal, now_ms=self._work.now_ms,
            )  # fmt: skip
        if self._work.settings.influx_url:
            quarters = {at_ms for step_ms, _, at_ms in sums if step_ms == QUARTER_MS}
            projection.mark_changed(connection, store.store, quarters)
        store.positions[batch.gateway, batch.epoch] = Position(self._verdict.acked_through, self._ordinal)
        if self._rejected or quarantined or gaps:
            facts.count_troubles(
                connection, batch.gateway, rejected=len(self._rejected), quarantined=quarantined, gaps=gaps
            )
        if self._health is not None:
            facts.put_health(connection, _health_row(batch.gateway, self._health))

    def _write_table(self, table: str) -> None:
        rows = self._tables.pop(table, [])
        if table == "day_closes":
            facts.put_day_closes(self._work.connection, rows)
        elif table == "forecasts":
            facts.put_forecasts(self._work.connection, rows)
        else:
            facts.insert(self._work.connection, table, rows)

    def _stock_rows(self) -> list[tuple[Any, ...]]:
        """In the order of the table's columns."""
        store = self._work.store
        levels = [(sku, store.stock[sku]) for sku in sorted(self._levels)]
        return [
            (store.store, sku, level.on_hand_units, level.on_shelf_units, level.at_ms, level.shrink_units)
            for sku, level in levels
        ]

    def _proposal_row(self, proposal: ProposalRecord, outcome: str) -> None:
        row = self._fact_row(proposal, "sku", "quantity_units")
        self._add("proposals", {**row, "outcome": outcome, "body": proposal.model_dump_json()})

    def _arrived(self) -> None:
        """Of a backlog, too: the goods are in the live stock, so they must not be on order any more."""
        for fact in self._deliveries:
            arrivals.take_delivery(self._work, fact.sku, fact.despatch, fact.units)
            if fact.despatch is not None:
                deliveries.told_by_gateway(self._work, fact.sku, fact.despatch, fact.units)

    def _decide(self) -> None:
        newest = {proposal.sku: proposal for proposal in self._proposals}
        for proposal in self._proposals:
            if newest[proposal.sku] is proposal:
                outcome = restocking.decide_proposal(self._work, proposal)
            else:
                outcome = "merged: a newer proposal came in the same batch"
            self._proposal_row(proposal, outcome)


def _window_row(record: SkuWindow) -> WindowRow:
    return WindowRow._make([getattr(record, name) for name in WindowRow._fields])


def _line_row(line: SoldLine) -> Row:
    return {
        "kind": str(line.kind), "sku": line.sku, "gtin": line.gtin, "raw_code": line.raw_code,
        "quantity_units": line.quantity_units, "quantity_g": line.quantity_g,
        "unit_price_cents": line.unit_price_cents, "extended_cents": line.extended_cents,
        "code_hash": None if line.coupon_code is None else code_hash(line.coupon_code),
    }  # fmt: skip


def _content_hash(receipt: ReceiptRecord) -> str:
    """Of what the till said: neither the gateway's arrival time nor its item list takes part."""
    parts: Iterable[object] = (
        (str(line.kind), line.gtin, line.raw_code, line.quantity_units, line.quantity_g, line.unit_price_cents,
         line.extended_cents, line.coupon_code)
        for line in receipt.lines
    )  # fmt: skip
    return hashlib.sha256(repr((receipt.total_cents, receipt.member, *parts)).encode()).hexdigest()[:32]


def _health_row(gateway: str, health: HealthRecord) -> Row:
    return {
        "gateway": gateway, "watermark_ms": health.watermark_ms, "version": health.version, "bundle": health.bundle,
        "counters": json.dumps(health.counters), "devices_online": json.dumps(health.devices_online),
        "devices_offline": json.dumps(health.devices_offline),
    }  # fmt: skip
