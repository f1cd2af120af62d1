"""The rows of one batch, by table, until they are written: in bulk, and where jobs share a transaction, with those of others."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from central import summing
from central.context import Work
from central.core.accounting import DayKey, TillSums
from central.core.ingest import BatchVerdict
from central.core.rollups import RollupSums, order_of_epoch
from central.ledger import facts, window_runs
from central.ledger.facts import STATEMENTS
from central.store_memory import Position
from central.told_rows import Row, health_row
from contract.batch import Batch, RejectedRecord
from contract.batch_reading import WindowRow
from contract.records import HealthRecord, Record
from runtime.logs import printable


class Gathered:
    """Filled record by record, then written once."""

    def __init__(self, work: Work, batch: Batch, ordinal: int) -> None:
        self._work, self._batch = work, batch
        self._tables: dict[str, list[Row]] = {}
        self._place = (work.store.store, batch.gateway, batch.epoch)
        self.windows: list[WindowRow] = []
        self.sums = RollupSums(work.store.zone, work.store.items, order_of_epoch(ordinal))
        self.tills: defaultdict[DayKey, TillSums] = defaultdict(TillSums)
        self.levels: set[str] = set()
        """SKUs whose level in memory is new."""
        self.rejected: list[RejectedRecord] = []
        self.health: HealthRecord | None = None

    def add(self, table: str, row: Row) -> None:
        self._tables.setdefault(table, []).append(row)

    def fact_row(self, record: Record, *names: str) -> Row:
        store, gateway, epoch = self._place
        return {
            "store_id": store, "gateway": gateway, "epoch": epoch, "seq": record.seq, "at_ms": record.at_ms,
            **{name: getattr(record, name) for name in names},
        }  # fmt: skip

    def reject(self, seq: int, reason: str) -> None:
        self.rejected.append(RejectedRecord(seq=seq, reason=reason))
        self.quarantine("centre", seq, self._work.now_ms, self._batch.gateway, "batch", reason, "")

    def quarantine(
        self, found_at: str, seq: int, at_ms: int, source: str, stream: str, reason: str, sample: str
    ) -> None:
        store, gateway, epoch = self._place
        self.add(
            "quarantine",
            {
                "store_id": store, "number": self._work.store.next_number("quarantine"), "at_ms": at_ms,
                "found_at": found_at, "gateway": gateway, "epoch": epoch, "seq": seq, "source": source,
                "stream": stream, "reason": printable(reason, 400), "sample": printable(sample, 400),
            },
        )  # fmt: skip

    def declare_missing(self, first: int, last: int) -> None:
        store, gateway, epoch = self._place
        self.add(
            "gaps",
            {
                "store_id": store, "gateway": gateway, "epoch": epoch, "seq": first, "at_ms": self._work.now_ms,
                "what": "records", "reason": "neither the gateway nor the centre has them any more",
                "lost_epoch": epoch, "seq_from": first, "seq_to": last, "units": None, "cents": None,
                "declared_by": "centre",
            },
        )  # fmt: skip

    def write_table(self, table: str) -> None:
        """What was gathered of one table, for what follows in the same batch and needs to find it."""
        rows = self._tables.pop(table, [])
        self._later(table, STATEMENTS[table].tuples(rows))

    def write(self, verdict: BatchVerdict, ordinal: int) -> None:
        """Everything, and the gateway's position with it."""
        work, store, (_, gateway, epoch) = self._work, self._work.store, self._place
        gaps = len(self._tables.get("gaps", ()))
        quarantined = len(self._tables.get("quarantine", ())) - len(self.rejected)
        # What is most first: on PostgreSQL the server works on it while the rest is made.
        first_seq = self._batch.seq_from if verdict.take_from is None else verdict.take_from
        unsummed_from = summing.put_sums(work, gateway, epoch, first_seq, self.sums)
        self._later("stock", self._stock_rows())
        for table in list(self._tables):
            self.write_table(table)
        if self.windows:
            self._later("windows", [window_runs.run_row(self._place, self.windows)])
        self._later("till_days", facts.till_rows(store.store, self.tills))
        position = (*self._place, verdict.acked_through, ordinal, work.now_ms, work.now_ms, unsummed_from)
        self._later("positions", [position])
        store.positions[gateway, epoch] = Position(verdict.acked_through, ordinal, unsummed_from)
        if self.rejected or quarantined or gaps:
            facts.count_troubles(
                work.connection, gateway, rejected=len(self.rejected), quarantined=quarantined, gaps=gaps
            )
        if self.health is not None:
            facts.put_health(work.connection, health_row(gateway, self.health))

    def _later(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._work.transaction.later(STATEMENTS[table], rows)

    def _stock_rows(self) -> list[tuple[Any, ...]]:
        """In the order of the table's columns."""
        store = self._work.store
        levels = [(sku, store.stock[sku]) for sku in sorted(self.levels)]
        return [
            (store.store, sku, level.on_hand_units, level.on_shelf_units, level.at_ms, level.shrink_units)
            for sku, level in levels
        ]
