"""A ledger into one file, and from it into an empty ledger: any of the two databases, into any of the two.

The file is JSON lines, zstd: a line that names the migration, then for each table its columns and its rows, then a line
with the number of rows and their SHA-256, without which the file is refused: a torn file restores nothing.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
import zstandard
from sqlalchemy.engine import Connection

from central.ledger.bulk import BulkStatement
from central.ledger.engine import Ledger
from central.ledger.schema import HEAD, revision_of
from central.ledger.tables import metadata
from runtime.clock import SystemClock
from runtime.errors import OperatorError

FORMAT = "shelfloop-ledger-1"
ROWS_AT_ONCE = 1000
LEFT_OUT = frozenset({"meta", "turns", "store_heads"})
"""What the database that is restored has of its own."""

_RESTORED = sa.text(
    """INSERT INTO meta (key, value) VALUES ('restored_ms', :now)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
)


def back_up(ledger: Ledger, path: Path) -> int:
    """Writes one moment of the ledger; it may run meanwhile. Returns the rows. The file appears whole or not at all.

    Raises OperatorError when there is a file of that name: it may be the only good backup.
    """
    if path.exists():
        raise OperatorError(f"{path} is there already; name a new file, for example with the day in its name")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            packer = zstandard.ZstdCompressor(level=6)
            with packer.stream_writer(file, closefd=False) as packed, ledger.read.connect() as connection:
                count = _write(connection, packed)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OperatorError(f"{path}: {error.strerror}; no backup was made") from None
    return count


def _write(connection: Connection, file: BinaryIO) -> int:
    digest, count = hashlib.sha256(), 0

    def put(line: object) -> None:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        digest.update(data)
        file.write(data)

    put({"format": FORMAT, "schema": revision_of(connection)})
    for table in metadata.sorted_tables:
        if table.name in LEFT_OUT:
            continue
        columns = [column.name for column in table.columns]
        put({"table": table.name, "columns": columns})
        statement = sa.select(*table.columns).order_by(*table.primary_key.columns)
        found = connection.execution_options(stream_results=True).execute(statement)
        for part in found.partitions(ROWS_AT_ONCE):
            count += len(part)
            put([list(row) for row in part])
    file.write(json.dumps({"rows": count, "sha256": digest.hexdigest()}).encode() + b"\n")
    return count


def restore(ledger: Ledger, path: Path) -> int:
    """Fills an empty ledger, in one transaction. Returns the rows.

    What the lost ledger handed out after the backup is not handed out again: positions of the feed go on at the
    milliseconds, numbers of orders and coupons at the seconds since 1970, which no count of them reaches by itself.
    Raises OperatorError when the ledger has rows, when the file is torn, or when it is of another schema.
    """
    try:
        with path.open("rb") as file, ledger.write.begin() as connection:
            _refuse_rows(connection, ledger.shown)
            count = _read(connection, file, path)
            connection.execute(_RESTORED, {"now": str(SystemClock().now_ms())})
            return count
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; give a file that `backup` wrote") from None
    except (zstandard.ZstdError, sa.exc.DBAPIError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(f"{path}: no whole backup ({error}); nothing was restored") from None


def _refuse_rows(connection: Connection, shown: str) -> None:
    for name in ("stores", "receipts", "gateways", "audit"):
        if connection.execute(sa.text(f"SELECT 1 FROM {name} LIMIT 1")).first() is not None:  # noqa: S608
            raise OperatorError(f"ledger {shown} is not empty ({name} has rows); restore into a new one")


def _read(connection: Connection, file: BinaryIO, path: Path) -> int:
    digest, count = hashlib.sha256(), 0
    insert: BulkStatement | None = None
    columns: list[str] = []
    lines = _lines(file)
    head = next(lines, b"")
    digest.update(head)
    first = json.loads(head)
    if first.get("format") != FORMAT or first.get("schema") != HEAD:
        raise OperatorError(
            f"{path}: of schema {first.get('schema')}, this program writes {HEAD}; restore it with the version that made "
            "it, then migrate"
        )
    for line in lines:
        values: Any = json.loads(line)
        if isinstance(values, dict) and "sha256" in values:
            if (values["rows"], values["sha256"]) != (count, digest.hexdigest()):
                raise ValueError("its rows are not those that were written")
            return count
        digest.update(line)
        if isinstance(values, dict):
            table, columns = metadata.tables[values["table"]], values["columns"]
            insert = _insert_into(table, columns)
        elif insert is not None:
            insert.run(connection, [dict(zip(columns, row, strict=True)) for row in values])
            count += len(values)
    raise ValueError("its last line is missing")


def _insert_into(table: sa.Table, columns: list[str]) -> BulkStatement:
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(f":{name}" for name in columns)
    return BulkStatement(sa.text(f"INSERT INTO {table.name} ({names}) VALUES ({places})"))  # noqa: S608


def _lines(file: BinaryIO) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=False) as packed:
        yield from io.BufferedReader(packed)
