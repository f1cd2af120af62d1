"""Statements that look up many buckets by their starts, one by one: a span would read all SKUs of it.

The starts go in as one value, so that the statement is the same for one and for two thousand of them.
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


class Probe:
    """`text` with `{starts}` where a table with the column start_ms stands; run with them."""

    def __init__(self, text: str) -> None:
        self._statements = {name: sa.text(text.replace("{starts}", sql)) for name, sql in _STARTS.items()}

    def run(self, connection: Connection, values: dict[str, Any], starts: Sequence[int]) -> CursorResult[Any]:
        name = connection.dialect.name
        packed = json.dumps(list(starts)) if name == "sqlite" else f"{{{','.join(map(str, starts))}}}"
        return connection.execute(self._statements[name], {**values, "starts": packed})
