"""What the database does alone: 500 rows a transaction into one table with a key, by each way that its driver has.

Two tables. `same`: the rows that the gateways send, each with all its columns under its place in the stream (store,
gateway, epoch, seq): what the ledger must be able to give back. `narrow`: a point of a time series, (store, SKU, time) and
six numbers, which is less than what is sent.

And a floor, `all`: the same rows by the best way, and after them the statements that add to the sums and set the levels, with
values that are made beforehand: what the disk must know after a batch, without a centre that parses, adds up and decides.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from benchmarks.ingest_rig.batches import BATCH_ROWS, SKUS, START_MS
from central.core.rollups import DAY_MS, HOUR_MS, QUARTER_MS
from central.ledger import facts
from central.ledger.engine import Ledger

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


def following(turn: int) -> tuple[Rows, Rows]:
    """What follows from the rows of `turn`: increments of sums and levels, in the order of their tables' columns."""
    at_ms = START_MS + turn * BATCH_ROWS // SKUS * 60_000
    skus = sorted(f"sku-{n}" for n in range(SKUS))
    sums: Rows = [
        ("store-1", step, at_ms - at_ms % step, sku, 0, 0, 0, 5, 0, 0, 0, 0, turn % 40, at_ms, 0)
        for step in (QUARTER_MS, HOUR_MS, DAY_MS)
        for sku in (["", *skus] if step == DAY_MS else skus)
    ]
    return sums, [("store-1", sku, turn % 40, turn % 20, at_ms, 0) for sku in skus]


class Floor:
    """`all` on an empty ledger."""

    def __init__(self, url: str) -> None:
        self._ledger = Ledger(url)
        self._ledger.create()
        self._connection = self._ledger.write.connect()
        tail = "" if self._ledger.is_shared else " WITHOUT ROWID"
        self._connection.execute(sa.text(f"{_table('same', 'same_rows')}{tail}"))
        self._connection.commit()

    def insert(self, rows: Rows, sums: Rows, levels: Rows) -> None:
        connection = self._connection
        driver: Any = connection.connection.driver_connection
        connection.begin()
        if self._ledger.is_shared:
            with driver.cursor() as cursor, cursor.copy("COPY same_rows FROM STDIN") as copy:
                copy.write("".join(["\t".join(map(str, values)) + "\n" for values in rows]))
        else:
            driver.executemany(f"INSERT INTO same_rows VALUES ({','.join('?' * len(rows[0]))})", rows)
        facts.add_increments(connection, sums)
        facts.put_stock(connection, levels)
        connection.commit()

    def close(self) -> None:
        self._connection.close()
        self._ledger.close()


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
