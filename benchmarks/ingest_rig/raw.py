"""What the database does alone: 500 rows a transaction into one table with a key, by each way that its driver has.

Two tables. `same`: the rows that the gateways send, each with all its columns under its place in the stream (store,
gateway, epoch, seq): what the ledger must be able to give back. `narrow`: a point of a time series, (store, SKU, time) and
six numbers, which is less than what is sent.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from benchmarks.ingest_rig.batches import BATCH_ROWS, SKUS, START_MS

Rows = list[tuple[Any, ...]]
SHAPES = {
    "same": (
        ["store", "gateway", "epoch", "seq", "at_ms", "sku", *"abcdefghi"[:8]],
        "PRIMARY KEY (store, gateway, epoch, seq)",
        {"store", "gateway", "epoch", "sku"},
    ),
    "narrow": (["store", "sku", "ts", *"abcdef"], "PRIMARY KEY (store, sku, ts)", {"store", "sku"}),
}


def rows_of(shape: str, turn: int) -> Rows:
    first = turn * BATCH_ROWS
    if shape == "narrow":
        return [("store-1", f"sku-{n % SKUS}", first + n, 1, 2, 3, 4, 5, 6) for n in range(BATCH_ROWS)]
    return [
        ("store-1", "gw-1", "e1", seq, START_MS + seq // SKUS * 60_000, f"sku-{seq % SKUS}", 60_000, seq % 3, 0, 0, 0,
         seq % 40, seq % 20, 0)
        for seq in range(first, first + BATCH_ROWS)
    ]  # fmt: skip


def _table(shape: str, name: str) -> str:
    columns, key, texts = SHAPES[shape]
    declared = ", ".join(f"{column} {'TEXT' if column in texts else 'BIGINT'}" for column in columns)
    return f"CREATE TABLE {name} ({declared}, {key})"


class RawSqlite:
    ways = ("executemany",)

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        for shape in SHAPES:
            self._connection.execute(f"{_table(shape, f'{shape}_executemany')} WITHOUT ROWID")

    def insert(self, shape: str, way: str, rows: Rows) -> None:
        places = ",".join("?" * len(rows[0]))
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(f"INSERT INTO {shape}_{way} VALUES ({places})", rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class RawPostgresql:
    ways = ("executemany", "unnest", "copy")

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url)
        for shape in SHAPES:
            for way in self.ways:
                self._connection.execute(_table(shape, f"{shape}_{way}"))
        self._connection.commit()

    def insert(self, shape: str, way: str, rows: Rows) -> None:
        columns, _, texts = SHAPES[shape]
        table = f"{shape}_{way}"
        with self._connection.cursor() as cursor:
            if way == "executemany":
                cursor.executemany(f"INSERT INTO {table} VALUES ({','.join(['%s'] * len(columns))})", rows)
            elif way == "unnest":
                arrays = ", ".join(f"%s::{'text' if one in texts else 'bigint'}[]" for one in columns)
                cursor.execute(
                    f"INSERT INTO {table} SELECT * FROM unnest({arrays})",
                    tuple(f"{{{','.join(map(str, column))}}}" for column in zip(*rows, strict=True)),
                )
            else:
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write("".join(["\t".join(map(str, values)) + "\n" for values in rows]))
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


RAW: dict[str, Callable[[str], RawSqlite | RawPostgresql]] = {
    "sqlite": RawSqlite,
    "postgresql": RawPostgresql,
}
