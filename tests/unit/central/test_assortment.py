"""Listings, delistings, packs and GTINs have a date, and the rounds keep to it."""

import json
from collections.abc import Iterator

import pytest
from central_rows import START_MS, gtin, proposal
from ledger_kinds import SQLITE, on_both
from pydantic import ValidationError
from test_ledger import STORE, Bench, bench

from central import approvals, assortment, desired_state
from central.context import Work
from central.errors import ConflictError
from central.ledger import note_rows
from contract.api.common import Decision
from contract.api.deliveries import AssortmentChange, AssortmentPost
from contract.api.stores import ItemsPut
from contract.documents import Item, SupplyDocument

HOUR_MS = 3_600_000
LATER_MS = START_MS + HOUR_MS


@pytest.fixture
def centre() -> Iterator[Bench]:
    with bench(SQLITE) as made:
        set_up(made)
        yield made


def set_up(centre: Bench) -> None:
    centre.put_supply()

    def documents(work: Work) -> None:
        items = [
            Item(sku=f"sku-{n}", gtins=[gtin(n)], name=f"Good {n}", category="food") for n in range(1, 6)
        ]
        desired_state.put_document(work, "items", ItemsPut(items=items).model_dump_json())
        desired_state.refresh_supply(work)

    centre.run(documents)


def change(centre: Bench, *changes: dict[str, object]) -> tuple[int, list[str]]:
    post = AssortmentPost.model_validate({"changes": changes})
    found: tuple[int, list[str]] = centre.run(lambda work: assortment.take_changes(work, post, "the erp"))
    return found


def of(what: str, from_ms: int = START_MS, number: int = 1, **more: object) -> dict[str, object]:
    return {"sku": f"sku-{number}", "from_ms": from_ms, "change": what, **more}


def at(centre: Bench, now_ms: int) -> None:
    """The minute's round at that moment."""
    transaction = centre.centre.writer.transaction(now_ms)
    for store in note_rows.stores_with_changes_due(transaction.connection, now_ms):
        centre.centre.store_job(store, assortment.apply_due)(transaction)
    transaction.commit()
    transaction.close()
    centre.centre.memory.forget()


def outcome(centre: Bench, number: int = 1, *, seq: int = 1, **more: object) -> str:
    centre.send([proposal(number, **more).model_copy(update={"seq": seq})])
    [[said]] = centre.rows(f"SELECT outcome FROM proposals WHERE seq = {seq}")
    return str(said)


def body(centre: Bench, kind: str) -> str:
    [[text]] = centre.rows(f"SELECT body FROM documents WHERE kind = '{kind}'")
    return str(text)


@on_both
def test_a_delisted_sku_is_not_ordered_from_its_date_on(kind: str) -> None:
    with bench(kind) as centre:
        set_up(centre)
        assert change(centre, of("delist", LATER_MS, 2), of("delist")) == (2, [])
        assert change(centre, of("delist", LATER_MS, 2), of("delist")) == (0, []), "the same again"
        assert outcome(centre) == "held: the SKU is delisted from 2017-09-04T12:00:00.000Z on"
        assert outcome(centre, 2, seq=2).startswith("approved"), "its date has not come"
        assert change(centre, of("list", START_MS + 1)) == (1, [])
        assert centre.run(lambda work: work.store.why_unlisted("sku-1", LATER_MS)) == ""


def test_a_new_listing_is_not_ordered_before_its_date(centre: Bench) -> None:
    change(centre, of("list", LATER_MS))
    assert outcome(centre) == "held: the SKU is listed from 2017-09-04T13:00:00.000Z on"


def test_a_delisting_withdraws_what_nobody_outside_has_heard_of_when_its_date_comes(centre: Bench) -> None:
    outcome(centre, 1, doubt="cell silent")
    outcome(centre, 2, seq=2)
    change(centre, of("delist", LATER_MS), of("delist", LATER_MS, 2))
    states = "SELECT state FROM triggers ORDER BY sku"
    assert centre.rows(states) == [("proposed",), ("approved",)]
    at(centre, LATER_MS - 1)
    assert centre.rows(states) == [("proposed",), ("approved",)]
    at(centre, LATER_MS)
    at(centre, LATER_MS + 1)
    assert centre.rows(states) == [("cancelled",), ("approved",)], "what went out may still come"
    assert centre.rows("SELECT count(*) FROM audit WHERE action = 'delist-applied'") == [(2,)]


def test_an_order_that_waits_is_not_approved_once_its_sku_is_delisted(centre: Bench) -> None:
    outcome(centre, doubt="cell silent")
    centre.change(
        "INSERT INTO assortment (store_id, sku, change, from_ms, applied, heard_ms) "
        f"VALUES ('{STORE}', 'sku-1', 'delist', {START_MS}, 0, 0)"
    )
    centre.centre.memory.forget()
    with pytest.raises(ConflictError, match="SKU sku-1 is delisted"):
        centre.run(lambda work: approvals.approve(work, f"{STORE}-r1", Decision(who="Ann")))


def test_a_pack_changes_at_its_date_for_gateways_and_for_orders_on_their_way_in(centre: Bench) -> None:
    change(centre, of("pack", LATER_MS, pack_units=10, min_order_units=20))
    at(centre, LATER_MS - 1)
    packs = {line.sku: line.pack_units for line in SupplyDocument.from_json(body(centre, "supply")).lines}
    assert packs["sku-1"] == 12
    at(centre, LATER_MS)
    lines = {line.sku: line for line in SupplyDocument.from_json(body(centre, "supply")).lines}
    assert (lines["sku-1"].pack_units, lines["sku-1"].min_order_units) == (10, 20)
    assert lines["sku-2"].pack_units == 12
    outcome(centre, units=24, target_units=25.0)
    rows = centre.rows("SELECT quantity_units, pack_units FROM triggers")
    assert rows == [(20, 10)], "proposed in packs of 12, ordered in packs of 10, never above the proposal"
    assert json.loads(str(centre.rows("SELECT inputs FROM triggers")[0][0]))["wanted"]["pack_units"] == 10


def test_a_successors_gtin_is_ordered_and_the_old_one_still_scans(centre: Bench) -> None:
    change(centre, of("gtin", gtin=gtin(77)))
    first = json.loads(body(centre, "items"))["items"][0]["gtins"]
    assert first == [gtin(77), gtin(1)]
    outcome(centre)
    assert centre.rows("SELECT gtin FROM triggers") == [(gtin(77),)]


def test_changes_that_cannot_be_are_told_one_by_one_and_the_others_are_taken(centre: Bench) -> None:
    taken, refused = change(
        centre, of("delist", number=9), of("gtin", gtin=gtin(2)), of("pack", pack_units=6), of("delist", number=3)
    )  # fmt: skip
    assert taken == 2
    assert [words.split(":")[0] for words in refused] == ["change 1", "change 2"]
    assert "no SKU 'sku-9'" in refused[0]
    assert "is SKU sku-2's" in refused[1]
    again = change(centre, of("pack", pack_units=8))
    assert again == (0, ["change 1: it is in force with other values; send one with a later from_ms"])


@pytest.mark.parametrize(
    "values", [of("pack"), of("gtin"), of("delist", pack_units=6), of("list", min_order_units=1)], ids=str
)
def test_a_change_says_what_it_needs_and_no_more(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AssortmentChange.model_validate(values)
