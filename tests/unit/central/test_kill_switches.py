"""A kill-switch stops automatic orders in its scope and nowhere else; a start with other settings stands in the audit."""

from pathlib import Path

import pytest
from central_rows import START_MS, proposal
from ledger_kinds import SQLITE
from test_ledger import STORE, Bench, bench

from central.context import CHAIN, Work
from central.ledger import restock_rows
from central.ledger.audit_check import verify_audit
from central.settings import CentralSettings
from central.settings_audit import note_settings, settings_values


def throw(centre: Bench, scope: str, target: str, *, on: bool = True) -> None:
    def job(work: Work) -> None:
        row = {
            "scope": scope,
            "target": target,
            "on": int(on),
            "who": "Ann",
            "reason": "flood",
            "now": START_MS,
        }
        restock_rows.put_switch(work.connection, row)
        work.memory.switches = None

    centre.run(job)


@pytest.mark.parametrize(
    ("scope", "target", "stops"),
    [
        ("chain", "", True), ("store", STORE, True), ("supplier", "depot", True), ("store", "store-2", False),
        ("supplier", "other", False),
    ],
)  # fmt: skip
def test_a_switch_makes_orders_in_its_scope_wait_for_a_person(scope: str, target: str, stops: bool) -> None:
    with bench(SQLITE) as centre:
        centre.put_supply()
        throw(centre, scope, target)
        centre.send([proposal(1)])
        [(state, doubt)] = centre.rows("SELECT state, doubt FROM triggers")
        assert state == ("proposed" if stops else "approved")
        assert (f"kill-switch for {scope} {target}".strip() in str(doubt)) == stops
        throw(centre, scope, target, on=False)
        centre.send([proposal(2, seq=2)])
        assert centre.rows("SELECT state FROM triggers WHERE sku = 'sku-2'") == [("approved",)]


def test_other_settings_than_at_the_last_start_are_an_entry_of_the_audit(tmp_path: Path) -> None:
    with bench(SQLITE) as centre:

        def start(**changes: object) -> None:
            values = {"state_dir": centre.settings.state_dir, **changes}
            centre.centre.settings = CentralSettings(**values)  # type: ignore[arg-type]
            transaction = centre.centre.writer.transaction(START_MS)
            centre.centre.store_job(CHAIN, note_settings)(transaction)
            transaction.commit()
            transaction.close()

        start()
        start()
        start(auto_approve_below_cents=1)
        start(auto_approve_below_cents=1, influx_token="secret")
        rows = centre.rows("SELECT reason FROM audit WHERE action = 'settings' ORDER BY number")
        assert rows == [("set: state_dir",), ("set: auto_approve_below_cents, state_dir",)]
        with centre.ledger.read.connect() as connection:
            assert verify_audit(connection).breaks == ()


def test_no_secret_takes_part_in_the_digest() -> None:
    settings = CentralSettings(
        state_dir=Path("x"), database_url="postgresql://user:word@host/db", influx_token="secret"  # type: ignore[arg-type]
    )  # fmt: skip
    shown = str(settings_values(settings))
    assert "word" not in shown.replace("password", "")
    assert "'influx_token'" not in shown
    assert "'host/db'" in shown
