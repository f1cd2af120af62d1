"""The audit's chains: each entry follows from the one before, and a changed row shows."""

import pytest
from central_rows import level, proposal, receipt
from ledger_kinds import on_both
from test_ledger import Bench, bench

from central.core.audit_chain import FIRST, entry_hash, first_break
from central.ledger.audit_check import AuditReport, verify_audit


def entries(count: int) -> list[dict[str, object]]:
    chain: list[dict[str, object]] = []
    previous = FIRST
    for number in range(1, count + 1):
        entry: dict[str, object] = {
            "store_id": "s", "number": number, "at_ms": number, "who": "Ann", "action": "approve", "subject": "r",
            "reason": "", "digest": "",
        }  # fmt: skip
        previous = entry_hash(previous, entry)
        chain.append({**entry, "hash": previous})
    return chain


def test_a_chain_that_nobody_touched_holds() -> None:
    assert first_break("s", entries(5)) is None
    assert first_break("s", []) is None


@pytest.mark.parametrize(
    "field", ["store_id", "at_ms", "who", "action", "subject", "reason", "digest", "hash"]
)
def test_a_changed_field_breaks_the_chain_where_it_is(field: str) -> None:
    chain = entries(5)
    chain[2][field] = 77 if field == "at_ms" else "other"
    found = first_break("s", chain)
    assert found is not None
    assert found.number == 3


def test_a_missing_entry_and_an_exchanged_pair_break_the_chain() -> None:
    chain = entries(5)
    missing = first_break("s", [*chain[:2], *chain[3:]])
    assert missing is not None
    assert missing.why == "entry 3 is missing"
    assert first_break("s", [chain[0], chain[2], chain[1]]) is not None


def report(centre: Bench) -> AuditReport:
    with centre.ledger.read.connect() as connection:
        return verify_audit(connection)


@on_both
def test_a_changed_trigger_a_deleted_one_and_a_changed_entry_show(kind: str) -> None:
    with bench(kind) as centre:
        centre.put_supply()
        centre.send([level(1, 3, seq=1), proposal(1, seq=2), proposal(2, seq=3), receipt(1, seq=4)])
        assert len(centre.rows("SELECT 1 FROM triggers")) == 2
        good = report(centre)
        assert (good.breaks, good.rows) == ((), 2)
        centre.change("UPDATE triggers SET quantity_units = quantity_units + 12 WHERE number = 1")
        assert [broken.why for broken in report(centre).breaks] == ["the trigger store-1-r1 was changed"]
        centre.change("UPDATE triggers SET quantity_units = quantity_units - 12 WHERE number = 1")
        assert report(centre).breaks == ()
        centre.change("DELETE FROM triggers WHERE number = 2")
        assert [broken.why for broken in report(centre).breaks] == ["the trigger store-1-r2 was deleted"]
        centre.change("UPDATE audit SET who = 'nobody' WHERE number = 1 AND store_id = 'store-1'")
        assert report(centre).breaks[0].number == 1
