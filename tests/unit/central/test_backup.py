"""A backup restores into an empty ledger of either database, and the two are equal; a torn one restores nothing."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_kinds import KINDS, database
from test_ledger import STREAM, Bench, bench

from central.ledger.audit_check import verify_audit
from central.ledger.backup import LEFT_OUT, back_up, restore
from central.ledger.engine import Ledger
from central.ledger.tables import metadata
from runtime.errors import OperatorError


def contents(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    with ledger.read.connect() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(*table.columns).order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
            if table.name not in LEFT_OUT
        }


def fill(centre: Bench) -> None:
    centre.put_supply()
    centre.send(STREAM)
    centre.run(lambda work: work.audit("Ann", "try", 'a "quoted" \\ {brace}, comma', "Zürich\n"))


def empty(folder: Path, url: str) -> Ledger:
    ledger = Ledger(url or f"sqlite:///{folder / 'other.sqlite3'}")
    ledger.create()
    return ledger


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_restored_equals_what_was_backed_up(kind: str, target: str, tmp_path: Path) -> None:
    with bench(kind) as centre, database(target) as url:
        fill(centre)
        path = tmp_path / "ledger.backup"
        count = back_up(centre.ledger, path)
        assert path.stat().st_mode & 0o777 == 0o600
        other = empty(tmp_path, url)
        try:
            assert restore(other, path) == count
            assert contents(other) == contents(centre.ledger)
            with other.read.connect() as connection:
                assert verify_audit(connection).breaks == ()
            with pytest.raises(OperatorError, match="not empty"):
                restore(other, path)
        finally:
            other.close()


def test_a_torn_a_changed_and_a_strange_file_restore_nothing(tmp_path: Path) -> None:
    with bench("sqlite") as centre:
        fill(centre)
        path = tmp_path / "ledger.backup"
        back_up(centre.ledger, path)
        good = path.read_bytes()
        other = empty(tmp_path, "")
        before = contents(other)
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        for bad in (good[: len(good) // 2], good[:-8], bytes(flipped), b"", b"no backup"):
            path.write_bytes(bad)
            with pytest.raises(OperatorError):
                restore(other, path)
            assert contents(other) == before
        with pytest.raises(OperatorError):
            restore(other, tmp_path / "absent")
        other.close()
