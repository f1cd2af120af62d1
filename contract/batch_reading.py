"""A batch from its bytes, in one pass: columns are validated as they are parsed, and windows stay tuples.

What this refuses or does not know goes the long way of `contract.batch`, which finds the bad row and says why: the
answers are the same, a test holds. Windows are most of what gateways send; a tuple is made eight times faster than a
SkuWindow and has the same names.
"""

from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

from pydantic import ValidationError, create_model

from contract.batch import (
    COLUMNS_BY_KIND,
    MAX_ROWS,
    Batch,
    BatchRows,
    records_from_batch,
)
from contract.codec import batch_plain_from_bytes
from contract.message import Message
from contract.records import RECORD_BY_KIND, Record, SkuWindow


class WindowRow(NamedTuple):
    """A SkuWindow by its names; see there."""

    seq: int
    at_ms: int
    sku: str
    span_ms: int
    picked_units: int
    put_back_units: int
    refilled_units: int
    unresolved_g: int
    on_hand_units: int | None
    on_shelf_units: int | None
    stock_out_ms: int
    seq_from: int | None = None


_RecordColumns = create_model(
    "_RecordColumns",
    __base__=Message,
    **{kind: (columns | None, None) for kind, columns in COLUMNS_BY_KIND.items()},  # type: ignore[call-overload]
)
"""A field a kind, None where the batch has none of it."""
_ENVELOPE = {
    name: (Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation, info)
    for name, info in Batch.model_fields.items()
    if name != "records"
}
_Parsed = create_model("_Parsed", __base__=Message, records=(_RecordColumns, ...), **_ENVELOPE)  # type: ignore[call-overload]
"""Batch with its columns typed."""


def read_batch(body: bytes, encoding: str) -> tuple[Batch, BatchRows]:
    """The envelope, without its columns, and the rows. Raises MalformedMessageError as `records_from_batch` does."""
    plain = batch_plain_from_bytes(body, encoding)
    try:
        parsed = _Parsed.model_validate_json(plain)
    except ValidationError:
        return _the_long_way(plain)
    rows = _rows(parsed)
    if rows is None:
        return _the_long_way(plain)
    return _envelope_of(parsed), BatchRows(rows, ())


def _envelope_of(parsed: Any) -> Batch:
    """As model_construct makes it, at a fraction of its time."""
    batch = Batch.__new__(Batch)
    _set(batch, "__dict__", {**parsed.__dict__, "records": {}})
    _set(batch, "__pydantic_fields_set__", set(parsed.__pydantic_fields_set__))
    _set(batch, "__pydantic_extra__", None)
    _set(batch, "__pydantic_private__", None)
    return batch


def _the_long_way(plain: bytes) -> tuple[Batch, BatchRows]:
    batch = Batch.from_json(plain, "batch")
    return batch, records_from_batch(batch)


def _rows(parsed: Any) -> tuple[Any, ...] | None:
    """In order of seq; None when the columns or the run of seq are not as simple as they mostly are."""
    rows: list[Any] = []
    kinds = 0
    for kind in parsed.records.model_fields_set:
        columns = getattr(parsed.records, kind)
        if columns is None:
            return None
        kinds += 1
        given = {
            name: values
            for name in columns.model_fields_set
            if (values := getattr(columns, name)) is not None
        }
        count = len(given["seq"])
        if any(len(values) != count for values in given.values()) or "seq_from" in given:
            return None
        if kind == SkuWindow.kind:
            rows.extend(
                map(_AS_WINDOW, zip(*[given[name] for name in _WINDOW_NAMES], [None] * count, strict=True))
            )
        else:
            rows.extend(_records(RECORD_BY_KIND[kind], given))
    if len(rows) > MAX_ROWS:
        return None
    if kinds > 1:
        rows.sort(key=_SEQ)
    # Not a window merged of several: each seq stands once, without a hole.
    # The count first: seq_to is whatever the sender says, and a list as long as that may not fit into memory.
    first, last = parsed.seq_from, parsed.seq_to
    if rows and (len(rows) != last - first + 1 or [row.seq for row in rows] != list(range(first, last + 1))):
        return None
    return tuple(rows)


def _records(record: type[Record], given: dict[str, list[Any]]) -> list[Record]:
    """As model_construct makes them, with what is the same for all rows done once: a fifth of its time."""
    names, count = list(record.model_fields), len(given["seq"])
    columns = [
        given[name] if name in given else repeat(field.get_default(call_default_factory=True), count)
        for name, field in record.model_fields.items()
    ]
    told, made = set(given), []
    for values in zip(*columns, strict=True):
        row = record.__new__(record)
        _set(row, "__dict__", dict(zip(names, values, strict=True)))
        _set(row, "__pydantic_fields_set__", told)
        _set(row, "__pydantic_extra__", None)
        _set(row, "__pydantic_private__", None)
        made.append(row)
    return made


_set = object.__setattr__
_SEQ = attrgetter("seq")
_AS_WINDOW = partial(tuple.__new__, WindowRow)
"""WindowRow._make without its count of the fields, which zip has done: half of the time of reading a batch's rows."""
_WINDOW_NAMES = [name for name in WindowRow._fields if name != "seq_from"]
assert set(_WINDOW_NAMES) | {"seq_from"} == set(SkuWindow.model_fields)
