"""Statements that look up many buckets of `rollups r` by their starts, one by one: a span would read all SKUs of it.

The starts go in as one value, so that the statement is the same for one and for two thousand of them. So do stores.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

_WORDS = {
    # The planner keeps the order of a CROSS JOIN, and so looks each start up.
    "sqlite": {
        "stores": "(SELECT value AS store_id FROM json_each(:stores)) o CROSS JOIN",
        "starts": "(SELECT value AS start_ms FROM json_each(:starts)) s CROSS JOIN",
        "at_start": "r.at_ms = s.start_ms",
    },
    # A condition on the index: of a join the planner may make a look at all that the store has.
    "postgresql": {
        "stores": "(SELECT unnest(CAST(:stores AS TEXT[])) AS store_id) o CROSS JOIN",
        "starts": "",
        "at_start": "r.at_ms = ANY(CAST(:starts AS BIGINT[]))",
    },
}


class Probe:
    """`text` with `{starts} rollups r` after FROM and `{at_start}` as a condition.

    With `{stores}` before `{starts}` the store is `o.store_id`, of those that `run` is given.
    """

    def __init__(self, text: str) -> None:
        self._statements = {name: sa.text(text.format(**words)) for name, words in _WORDS.items()}
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
        packed: dict[str, Any] = {"starts": json.dumps(list(starts)) if is_sqlite else list(starts)}
        if self._of_stores:
            packed["stores"] = json.dumps(list(stores)) if is_sqlite else list(stores)
        return connection.execute(self._statements[name], {**values, **packed})
