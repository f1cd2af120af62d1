"""A batch's bytes from outbox rows: columns straight from the saved JSON, which is never changed on the way."""

import json
from collections.abc import Sequence
from typing import Any

from contract.codec import compress
from contract.records import RECORD_BY_KIND, SkuWindow
from edge.outbox import OutboxRow


def _fields_of(kind: str) -> list[tuple[str, bool, Any]]:
    """(name, is required, default as JSON) of each column but `seq`."""
    return [
        (
            name,
            info.is_required(),
            None if info.is_required() else info.get_default(call_default_factory=True),
        )
        for name, info in RECORD_BY_KIND[kind].model_fields.items()
        if name != "seq"
    ]


_FIELDS = {kind: _fields_of(kind) for kind in RECORD_BY_KIND}


def batch_body(
    *,
    gateway: str,
    store: str,
    epoch: str,
    sent_at_ms: int,
    have: dict[str, int],
    rows: Sequence[OutboxRow],
    run: str | None = None,
    state: dict[str, object] | None = None,
) -> bytes:
    """The compressed body of the batch of `rows`, in order of seq; without rows, a question for documents.

    A batch begins after the last acknowledged row, and what was acknowledged is deleted: so nothing below its first seq
    can be sent again, and a centre that lacks it (its ledger was lost, or put back from a backup) has to go on without.
    """
    parsed = [(row.seq, row.kind, json.loads(row.text)) for row in rows]
    first_seq = _first_seq(*parsed[0]) if parsed else 0
    by_kind: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for seq, kind, values in parsed:
        by_kind.setdefault(kind, []).append((seq, values))
    batch = {
        "v": 1,
        "gateway": gateway,
        "store": store,
        "epoch": epoch,
        "seq_from": first_seq,
        "seq_to": parsed[-1][0] if parsed else 0,
        "sent_at_ms": sent_at_ms,
        "kept_from_seq": first_seq if parsed else None,
        "run": run,
        "have": have,
        "records": {kind: _columns(kind, of_kind) for kind, of_kind in by_kind.items()},
    }
    if state is not None:
        batch["state"] = state
    return compress(json.dumps(batch, separators=(",", ":")).encode())


def _columns(kind: str, rows: list[tuple[int, dict[str, Any]]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"seq": [seq for seq, _ in rows]}
    for name, required, default in _FIELDS[kind]:
        column = [values.get(name, default) for _, values in rows]
        if required or any(value != default for value in column):
            columns[name] = column
    return columns


def _first_seq(seq: int, kind: str, values: dict[str, Any]) -> int:
    start = values.get("seq_from") if kind == SkuWindow.kind else None
    return seq if start is None else int(start)
