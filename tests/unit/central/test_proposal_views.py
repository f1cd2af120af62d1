"""Why was nothing ordered: each proposal of a gateway is read with what the centre made of it."""

from central_rows import START_MS, forecast, proposal
from ledger_kinds import on_both
from test_ledger import STORE, bench

from central.ledger.proposal_views import proposal_page


@on_both
def test_each_proposal_is_told_with_what_came_of_it(kind: str) -> None:
    with bench(kind) as centre:
        centre.send([proposal(1, reasons=["raised to the minimum order"])])
        centre.put_supply()
        centre.send([proposal(1, seq=2, at_ms=START_MS + 1), proposal(2, seq=3), forecast(2, seq=4)])
        with centre.ledger.read.connect() as connection:
            newer, older = proposal_page(connection, STORE, "sku-1", from_ms=0, skip=0, limit=10)
            every = proposal_page(connection, STORE, "", from_ms=0, skip=0, limit=10)
            assert proposal_page(connection, STORE, "", from_ms=START_MS + 1, skip=1, limit=10) == []
        assert len(every) == 3
        assert older.outcome == "held: no item or supply line at the centre"
        assert newer.outcome.startswith(f"approved: {STORE}-r")
        assert (older.quantity_units, older.on_hand_units, older.reasons) == (
            24,
            3,
            ["raised to the minimum order"],
        )
