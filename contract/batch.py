"""How records travel: one batch is one gateway, one epoch, one run of `seq`, as columns, compressed.

    {"v": 1, "gateway": "gw-1", "store": "store-1", "epoch": "e1f0", "seq_from": 1, "seq_to": 2, "sent_at_ms": 0,
     "have": {"items": 3}, "records": {"alert": {"seq": [1, 2], "at_ms": [0, 0], "code": ["low-stock", ...], ...}}}

Each record kind is an object of equally long lists, one a field; a field with a default may be left out.
Every seq of seq_from..seq_to stands in exactly one row, or inside the `seq_from..seq` of a coarsened sku_window.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from contract.documents import AnyDocument
from contract.errors import MalformedMessageError
from contract.gateway_state import GatewayState
from contract.ids import EpochMs, Id
from contract.message import Message, reason_from_validation
from contract.records import RECORD_BY_KIND, Record, SkuWindow

MAX_ROWS = 5_000
MAX_BODY_BYTES = 8_000_000
"""Of a batch after decompression."""

Column = list[JsonValue]


class Batch(Message):
    """The envelope; rows are validated kind by kind by `records_from_batch`, so that one bad row spoils no other.

    kept_from_seq: the lowest seq of this epoch that the gateway can still send. When the centre lacks lower ones it
    declares them lost and goes on; None says that nothing is lost, and the centre waits for the seq it lacks.
    run: a random id of the sending process, so that the centre tells two boxes with one identity apart from a restart.
    state: how the gateway itself does, now and then and when that changes; it waits for no disk.
    """

    v: Literal[1] = 1
    gateway: Id
    store: Id
    epoch: Id
    seq_from: Annotated[int, Field(ge=0)]
    seq_to: Annotated[int, Field(ge=0)]
    sent_at_ms: EpochMs
    kept_from_seq: Annotated[int, Field(ge=0)] | None = None
    run: Id | None = None
    state: GatewayState | None = None
    have: dict[str, Annotated[int, Field(ge=0)]] = {}
    records: dict[str, dict[str, list[Any]]] = {}


class RejectedRecord(Message):
    seq: Annotated[int, Field(ge=0)]
    reason: Annotated[str, Field(max_length=400)]


class BatchReceipt(Message):
    """The reply: the receipt. acked_through: everything up to it is on the centre's disk or in `rejected`."""

    gateway: Id
    epoch: Id
    acked_through: Annotated[int, Field(ge=0)]
    rejected: list[RejectedRecord] = []
    documents: list[AnyDocument] = []
    server_time_ms: EpochMs


@dataclass(frozen=True, slots=True)
class BatchRows:
    """The rows of a batch in order of seq, and those that are no rows."""

    rows: tuple[Record, ...]
    rejected: tuple[RejectedRecord, ...]


def _columns_class(record: type[Record]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, info in record.model_fields.items():
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        # A column that is absent stays None and its rows take the field's default.
        fields[name] = (list[annotation], ...) if info.is_required() else (list[annotation] | None, None)
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)
    return create_model(f"{record.__name__}Columns", __config__=config, **fields)


COLUMNS_BY_KIND = {kind: _columns_class(record) for kind, record in RECORD_BY_KIND.items()}


def batch_from_records(
    *, gateway: str, store: str, epoch: str, sent_at_ms: int, have: dict[str, int], rows: Sequence[Record]
) -> Batch:
    """A batch of `rows`, which are in order of seq without holes. An empty batch asks for documents only."""
    by_kind: dict[str, list[Record]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    records = {kind: _columns_from_rows(kind_rows) for kind, kind_rows in by_kind.items()}
    first = _first_seq(rows[0]) if rows else 0
    last = rows[-1].seq if rows else 0
    return Batch(
        gateway=gateway, store=store, epoch=epoch, seq_from=first, seq_to=last, sent_at_ms=sent_at_ms,
        have=have, records=records,
    )  # fmt: skip


def records_from_batch(batch: Batch) -> BatchRows:
    """The rows of `batch`, each valid, and the refused ones with their reasons.

    Raises MalformedMessageError when the batch as a whole makes no sense: unknown kind, ragged columns, too many
    rows, or a seq that is missing, doubled or outside seq_from..seq_to.
    """
    what = f"batch {batch.seq_from}..{batch.seq_to} of gateway {batch.gateway}"
    rows: list[Record] = []
    rejected: list[RejectedRecord] = []
    total = 0
    for kind, columns in batch.records.items():
        if kind not in RECORD_BY_KIND:
            raise MalformedMessageError(
                what, f"unknown record kind {kind[:40]!r}; known are {', '.join(RECORD_BY_KIND)}"
            )
        total += _row_count(kind, columns, what)
        if total > MAX_ROWS:
            raise MalformedMessageError(what, f"more than {MAX_ROWS} rows; send smaller batches")
        good, bad = _rows_from_columns(kind, columns)
        rows.extend(good)
        rejected.extend(bad)
    rows.sort(key=lambda row: row.seq)
    _check_run(batch, rows, rejected, what)
    return BatchRows(tuple(rows), tuple(rejected))


def _columns_from_rows(rows: list[Record]) -> dict[str, list[Any]]:
    record = type(rows[0])
    dumped = [row.model_dump(mode="json") for row in rows]
    columns: dict[str, list[Any]] = {}
    for name, info in record.model_fields.items():
        column = [row[name] for row in dumped]
        if info.is_required() or any(value != _default_of(info) for value in column):
            columns[name] = column
    return columns


def _default_of(info: Any) -> Any:  # pydantic's FieldInfo; its default is of any type
    return info.get_default(call_default_factory=True)


def _row_count(kind: str, columns: dict[str, list[Any]], what: str) -> int:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise MalformedMessageError(what, f"columns of {kind} differ in length: {lengths}")
    seqs = columns.get("seq")
    if seqs is None or not all(type(seq) is int for seq in seqs):
        raise MalformedMessageError(what, f"{kind}.seq must be a list of integers")
    return len(seqs)


def _rows_from_columns(kind: str, columns: dict[str, list[Any]]) -> tuple[list[Record], list[RejectedRecord]]:
    record = RECORD_BY_KIND[kind]
    try:
        # Lax, because the values come from parsed JSON: an enum is still a string here, a nested row a dict.
        parsed = COLUMNS_BY_KIND[kind].model_validate(columns, strict=False)
    except ValidationError:
        return _rows_one_by_one(record, columns)
    given = {name: getattr(parsed, name) for name in columns}
    names = list(given)
    values: Iterable[tuple[Any, ...]] = zip(*given.values(), strict=True)
    return [record.model_construct(**dict(zip(names, row, strict=True))) for row in values], []


def _rows_one_by_one(
    record: type[Record], columns: dict[str, list[Any]]
) -> tuple[list[Record], list[RejectedRecord]]:
    """The slow path, taken only when some row is bad: find which."""
    good: list[Record] = []
    bad: list[RejectedRecord] = []
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        try:
            good.append(record.model_validate(row, strict=False))
        except ValidationError as error:
            reason = f"{record.kind}: {reason_from_validation(error)}"
            bad.append(RejectedRecord(seq=max(row["seq"], 0), reason=reason))
    return good, bad


def _first_seq(row: Record) -> int:
    return row.seq_from if isinstance(row, SkuWindow) and row.seq_from is not None else row.seq


def _check_run(batch: Batch, rows: list[Record], rejected: list[RejectedRecord], what: str) -> None:
    spans = [(_first_seq(row), row.seq) for row in rows] + [(bad.seq, bad.seq) for bad in rejected]
    spans.sort()
    expected = batch.seq_from
    for first, last in spans:
        if first != expected or last < first:
            raise MalformedMessageError(
                what, f"seq {expected} expected, found {first}; send each seq exactly once"
            )
        expected = last + 1
    if spans and expected != batch.seq_to + 1:
        raise MalformedMessageError(what, f"seq_to is {batch.seq_to} but the rows end at {expected - 1}")
