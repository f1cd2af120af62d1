"""A backup restores into an empty ledger of either database, and the two are equal; a torn one restores nothing."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from central_rows import proposal
from ledger_kinds import KINDS, database
from test_ledger import STREAM, Bench, bench

from central.ledger import outgoing
from central.ledger.audit_check import verify_audit
from central.ledger.backup import LEFT_OUT, back_up, restore
from central.ledger.engine import Ledger
from central.ledger.outgoing import OutgoingEvent
from central.ledger.tables import metadata
from central.store_loading import load_store
from runtime.errors import OperatorError

TRIGGERS = sa.text("SELECT trigger_id FROM triggers")
POSITIONS = sa.text("SELECT position FROM outgoing WHERE event_id = 'e-1'")


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_ledger_hands_out_nothing_again(kind: str, tmp_path: Path) -> None:
    with bench(kind) as centre, database(kind) as url:
        centre.put_supply()
        path = tmp_path / "ledger.backup"
        back_up(centre.ledger, path)
        centre.send([proposal(seq=1)])
        centre.run(lambda work: outgoing.place_events(work.connection, 0) and None)
        with centre.ledger.read.connect() as connection:
            lost = connection.execute(TRIGGERS).scalars().all()
            end = outgoing.last_position(connection)
        other = empty(tmp_path, url)
        try:
            restore(other, path)
            with other.write.begin() as connection:
                assert outgoing.last_position(connection) > end
                numbers = load_store(connection, "store-1").numbers
                put = [(1, OutgoingEvent("e-1", "store-1", "shelfloop.restock.trigger.v1", "t", {}))]
                outgoing.put_events(connection, "here", put, 0)
                outgoing.place_events(connection, 0)
                [position] = connection.execute(POSITIONS).scalars().all()
            assert position > end
            assert lost
            assert numbers["trigger"] > len(lost)
            assert (numbers["event"], numbers["coupon"] > 10**9) == (0, True)
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
