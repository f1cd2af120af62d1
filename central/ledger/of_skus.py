"""Statements over some SKUs of a store, named in one value: the others' rows are passed by in the database, not here."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_AMONG = {
    "sqlite": "sku IN (SELECT value FROM json_each(:skus))",
    "postgresql": "sku = ANY(CAST(:skus AS TEXT[]))",
}


class OfSkus:
    """`text` with `{among}` as the condition on `sku`."""

    def __init__(self, text: str) -> None:
        self._statements = {name: sa.text(text.replace("{among}", sql)) for name, sql in _AMONG.items()}

    def run(self, connection: Connection, values: dict[str, Any], skus: Iterable[str]) -> Sequence[Any]:
        name = connection.dialect.name
        packed = json.dumps(list(skus)) if name == "sqlite" else list(skus)
        return connection.execute(self._statements[name], {**values, "skus": packed}).all()
