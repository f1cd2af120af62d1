"""Statements that look up many buckets by their starts, one by one: a span would read all SKUs of it.

The starts go in as one value, so that the statement is the same for one and for two thousand of them. So do stores.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

_STARTS = {
    "sqlite": "(SELECT value AS start_ms FROM json_each(:starts))",
    "postgresql": "(SELECT unnest(CAST(:starts AS BIGINT[])) AS start_ms)",
}
_STORES = {
    "sqlite": "(SELECT value AS store_id FROM json_each(:stores))",
    "postgresql": "(SELECT unnest(CAST(:stores AS TEXT[])) AS store_id)",
}


class Probe:
    """`text` with `{starts}` where a table with the column start_ms stands, and `{stores}` for one with store_id; run with them."""

    def __init__(self, text: str) -> None:
        self._statements = {
            name: sa.text(text.replace("{starts}", _STARTS[name]).replace("{stores}", _STORES[name]))
            for name in _STARTS
        }
        self._of_stores = "{stores}" in text

    def run(
        self,
        connection: Connection,
        values: dict[str, Any],
        starts: Sequence[int],
        stores: Sequence[str] = (),
    ) -> CursorResult[Any]:
        name = connection.dialect.name
        is_sqlite = name == "sqlite"
        packed: dict[str, Any] = {
            "starts": json.dumps(list(starts)) if is_sqlite else f"{{{','.join(map(str, starts))}}}"
        }
        if self._of_stores:
            packed["stores"] = json.dumps(list(stores)) if is_sqlite else list(stores)
        return connection.execute(self._statements[name], {**values, **packed})
