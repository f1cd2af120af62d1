"""The audit's chains: each entry follows from the one before, and a changed row shows."""

from pathlib import Path

import pytest
from central_rows import START_MS, gtin, level, proposal, receipt
from ledger_kinds import on_both
from test_ledger import STORE, Bench, bench

from central import arrivals, assortment, couponing, deliveries, desired_state
from central.__main__ import main
from central.context import CHAIN, Work
from central.core import vouched
from central.core.audit_chain import FIRST, entry_hash, first_break
from central.core.coupons import Issue, ItemState, Offer
from central.ledger import (
    coupon_rows,
    outgoing,
    restock_rows,
    rollout_rows,
    schema,
    store_rows,
    supplier_rows,
    supplier_stock,
    tables,
)
from central.ledger.audit_check import AuditReport, verify_audit
from central.ledger.vouched_rows import vouch_for_all
from central.setup import create_token, put_person, remove_person, revoke_token
from central.store_loading import load_items
from contract.api.deliveries import AssortmentChange, AssortmentPost, DeliveryNote, NoteLine
from contract.api.offers import CampaignPut
from contract.api.restock import OutsideOrder
from contract.api.suppliers import Arriving, SupplierPut
from contract.documents import Price

KEYS = {"store_id", "number", "trigger_id"}
SUPPLIER = SupplierPut(
    name="Depot", timezone="UTC", order_weekdays=[0, 1, 2, 3, 4], cutoff_minute=600, lead_time_days=1
)
CAMPAIGN = CampaignPut(
    cause="surplus", name="Autumn", discount_percent=20, max_discount_cents=100, budget_cents=9_000,
    starts_ms=START_MS, ends_ms=START_MS + 10**9,
)  # fmt: skip


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
        assert (good.breaks, good.rows) == ((), 5)  # the store, its supply and the gateway's key, too
        centre.change("UPDATE triggers SET quantity_units = quantity_units + 12 WHERE number = 1")
        assert [broken.why for broken in report(centre).breaks] == ["the trigger store-1-r1 was changed"]
        centre.change("UPDATE triggers SET quantity_units = quantity_units - 12 WHERE number = 1")
        assert report(centre).breaks == ()
        centre.change("DELETE FROM triggers WHERE number = 2")
        assert [broken.why for broken in report(centre).breaks] == ["the trigger store-1-r2 was deleted"]
        centre.change("UPDATE audit SET who = 'nobody' WHERE number = 1 AND store_id = 'store-1'")
        assert report(centre).breaks[0].number == 1


def fill(centre: Bench) -> None:
    """A row in each table that the audit vouches for."""
    centre.put_supply()
    centre.send([level(1, 3, seq=1), proposal(1, seq=2), proposal(2, seq=3), receipt(1, seq=4)])
    put_person(centre.settings, "Ann", "hq", None)
    create_token(centre.settings, "system", "erp")
    create_token(centre.settings, "system", "old")
    revoke_token(centre.settings, "old")

    def chain(work: Work) -> None:
        supplier_rows.put_supplier(work.connection, "depot", SUPPLIER, 1)
        work.vouch_for_row(vouched.SUPPLIER, "depot")
        supplier_stock.put_stock(work.connection, "depot", {"sku-1": 48, "sku-2": 0}, 1)
        work.vouch_for_list(vouched.SUPPLIER_STOCK, "depot")
        loads = [Arriving(sku="sku-1", day=day, units=24) for day in ("2017-09-04", "2017-09-06")]
        supplier_stock.put_arrivals(work.connection, "depot", loads, replaces=True)
        work.vouch_for_list(vouched.SUPPLIER_ARRIVALS, "depot")
        couponing.put_campaign(work.connection, "autumn", CAMPAIGN, 1)
        work.vouch_for_row(vouched.CAMPAIGN, "autumn")
        switch = {"scope": "chain", "target": "", "on": 1, "who": "Ann", "reason": "stop", "now": 1}
        restock_rows.put_switch(work.connection, switch)
        work.vouch_for_row(vouched.SWITCH, "chain", "")

    def store(work: Work) -> None:
        desired_state.put_document(work, "config", '{"settings":{}}')
        desired_state.refresh_supply(work)
        supplier_rows.put_budget(work.connection, STORE, 5_000)
        work.vouch_for_row(vouched.BUDGET, STORE)
        campaign = next(iter(coupon_rows.all_campaigns(work.connection)))
        offer = Offer(ItemState("sku-1", gtin(1), "Good 1", "food", 250, 9, 0, 0, 1.0, 2.0), 50, "surplus")
        couponing._issue(work, campaign, Issue("m-1", offer))

    def outside(work: Work) -> None:
        """What systems outside told, and what people roll out."""
        load_items(work.connection, work.store)
        order = OutsideOrder(order="PO.7", store=STORE, sku="sku-1", quantity_units=24, at_ms=START_MS)
        arrivals.place_outside_order(work, order)
        lines = [NoteLine(sku="sku-2", quantity_units=6)]
        deliveries.take_note(work, DeliveryNote(note="N-1", store=STORE, at_ms=START_MS, lines=lines), "erp")
        change = AssortmentChange(sku="sku-3", change="delist", from_ms=START_MS + 10**9)
        assortment.take_changes(work, AssortmentPost(changes=[change]), "erp")
        store_rows.put_prices(
            work.connection, STORE, [Price(sku="sku-1", from_ms=0, price_cents=250)], START_MS
        )
        work.vouch_for_list(vouched.PRICES)

    def rolled_out(work: Work) -> None:
        row = {
            "endpoint": "wh-1", "url": "https://erp.example/hook", "types": "[]", "owner": "system:erp", "secret": "s",
            "now": 1, "reach": None,
        }  # fmt: skip
        outgoing.put_endpoint(work.connection, row)
        work.will_vouch(vouched.WEBHOOK, "wh-1")
        rollout_rows.put_bundle(
            work.connection,
            sha256="ab",
            name="m@1",
            manifest="{}",
            files="{}",
            size_bytes=2,
            who="Ann",
            now_ms=1,
        )
        work.will_vouch(vouched.BUNDLE, "ab")
        values = {"sha256": "ab", "name": "m@1", "mode": "live", "state": "running", "percent": 5, "max_refusals": 2,
                  "who": "Ann", "reason": "", "now": 1}  # fmt: skip
        work.will_vouch(vouched.ROLLOUT, str(rollout_rows.insert_rollout(work.connection, values)))

    centre.run(chain, CHAIN)
    centre.run(store)
    centre.run(outside)
    centre.run(rolled_out, CHAIN)


FORGED = """INSERT INTO triggers SELECT store_id, 99 AS number, 'store-1-r99' AS trigger_id, {rest} FROM triggers WHERE number = 1"""


@on_both
def test_one_changed_value_in_any_table_that_is_vouched_for_shows(kind: str) -> None:
    with bench(kind) as centre:
        fill(centre)
        assert report(centre).breaks == ()
        for change, back, said in (
            ("coupons SET discount_cents = 500", "coupons SET discount_cents = 50", "the coupon-terms store-1-c1 was"),
            ("coupons SET state = 'redeemed'", "coupons SET state = 'issued'", "store-1-c1 is redeemed, by its events"),
            ("documents SET body = replace(body, 'units\"\\:12', 'units\"\\:24') WHERE kind = 'supply'",
             "documents SET body = replace(body, 'units\"\\:24', 'units\"\\:12') WHERE kind = 'supply'", "the document supply was changed"),
            ("documents SET body = 'x' || body WHERE kind = 'config'",
             "documents SET body = substr(body, 2) WHERE kind = 'config'", "the document config was changed"),
            ("stores SET region = 'x'", "stores SET region = ''", "the store store-1 was changed"),
            ("budgets SET cents_a_day = 1", "budgets SET cents_a_day = 5000", "the budget store-1 was changed"),
            ("suppliers SET changed_ms = 2", "suppliers SET changed_ms = 1", "the supplier depot was changed"),
            ("campaigns SET body = body || ' '", "campaigns SET body = rtrim(body)", "the campaign autumn was changed"),
            ('kill_switches SET "on" = 0', 'kill_switches SET "on" = 1', "the kill-switch chain. was changed"),
            ("people SET role = 'admin'", "people SET role = 'hq'", "the person Ann was changed"),
            ("tokens SET scope = 'admin' WHERE name = 'erp'", "tokens SET scope = 'system' WHERE name = 'erp'", "the token"),
            ("tokens SET revoked = 0 WHERE name = 'old'", "tokens SET revoked = 1 WHERE name = 'old'", "the token"),
            ("gateways SET key_hash = 'x' || key_hash", "gateways SET key_hash = substr(key_hash, 2)", "the gateway-key gw-1"),
            ("triggers SET on_order_units = on_order_units + 1 WHERE number = 1",
             "triggers SET on_order_units = on_order_units - 1 WHERE number = 1", "the trigger store-1-r1 was changed"),
            ("triggers SET erp_document = 'PO-1' WHERE number = 1", "triggers SET erp_document = NULL", "the trigger store-1-r1"),
            ("outside_orders SET quantity_units = 240 WHERE sku = 'sku-1'",
             "outside_orders SET quantity_units = 24 WHERE sku = 'sku-1'", "the order-outside PO\\.7.sku-1 was"),
            ("delivery_notes SET state = 'arrived'", "delivery_notes SET state = 'open'", "the note-line N-1.sku-2 was changed"),
            ("assortment SET from_ms = from_ms + 0, applied = 1", "assortment SET applied = 0", "the assortment sku-3.delist."),
            ("endpoints SET url = 'https://thief.example/'", "endpoints SET url = 'https://erp.example/hook'", "the webhook wh-1 was"),
            ("bundles SET files = '{ }'", "bundles SET files = '{}'", "the bundle ab was changed"),
            ("rollouts SET percent = 100", "rollouts SET percent = 5", "the rollout 1 was changed"),
            ("items SET gtin = 'x' || gtin WHERE sku = 'sku-2'", "items SET gtin = substr(gtin, 2) WHERE sku = 'sku-2'", "store's items were"),
            ("prices SET price_cents = 1", "prices SET price_cents = 250", "the store's prices were changed"),
            ("supplier_stock SET available_units = 480 WHERE sku = 'sku-1'", "supplier_stock SET available_units = 48 WHERE sku = 'sku-1'",
             "supplier depot's rows in supplier_stock were changed"),
            ("supplier_stock SET at_ms = 2 WHERE sku = 'sku-2'", "supplier_stock SET at_ms = 1", "rows in supplier_stock were changed"),
            ("supplier_arrivals SET units = 25 WHERE day = '2017-09-06'", "supplier_arrivals SET units = 24",
             "supplier depot's rows in supplier_arrivals were changed"),
            ("supplier_arrivals SET day = '2017-09-07' WHERE day = '2017-09-06'",
             "supplier_arrivals SET day = '2017-09-06' WHERE day = '2017-09-07'", "rows in supplier_arrivals were changed"),
        ):  # fmt: skip
            centre.change(f"UPDATE {change}")
            [broken] = report(centre).breaks
            assert said in broken.why
            centre.change(f"UPDATE {back}")
            assert report(centre).breaks == (), change


NEWER = (
    "outside_orders",
    "delivery_notes",
    "assortment",
    "endpoints",
    "bundles",
    "rollouts",
    "items",
    "prices",
    "supplier_stock",
    "supplier_arrivals",
)
FIRST_KEY = {"endpoints": "endpoint", "bundles": "sha256", "rollouts": "number", "outside_orders": "order_number",
             "delivery_notes": "note", "supplier_arrivals": "supplier"}  # fmt: skip


@on_both
def test_a_row_that_was_forged_or_deleted_in_any_of_the_newer_tables_shows(kind: str) -> None:
    with bench(kind) as centre:
        fill(centre)
        for deleted, table in enumerate(NEWER):
            key = FIRST_KEY.get(table, "sku")
            other = "99" if key == "number" else "'forged'"
            columns = [f'"{column.name}"' for column in tables.metadata.tables[table].columns]
            copied = ", ".join(other if column == f'"{key}"' else column for column in columns)
            one = f"FROM {table} WHERE {key} = (SELECT min({key}) FROM {table})"
            before = report(centre).breaks
            assert len(before) == deleted, table
            centre.change(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {copied} {one}")
            [forged] = set(report(centre).breaks) - set(before)
            assert "put beside the centre" in forged.why or "were changed" in forged.why
            centre.change(f"DELETE FROM {table} WHERE {key} = {other}")
            assert report(centre).breaks == before, table
            centre.change(f"DELETE {one}")
            [gone] = set(report(centre).breaks) - set(before)
            assert "was deleted" in gone.why or "were changed" in gone.why


def test_a_note_that_had_its_time_may_be_gone_and_a_newer_one_may_not() -> None:
    with bench("sqlite") as centre:
        fill(centre)
        centre.change("DELETE FROM delivery_notes")
        assert len(report(centre).breaks) == 1
        centre.change(
            f"INSERT INTO kept_since VALUES ('{STORE}', 'delivery_notes', {START_MS - 40 * 86_400_000})"
        )
        assert len(report(centre).breaks) == 1
        centre.change(f"UPDATE kept_since SET from_ms = {START_MS + 1} WHERE kind = 'delivery_notes'")
        assert report(centre).breaks == ()


def test_a_row_put_beside_the_centre_and_one_put_back_show(tmp_path: Path) -> None:
    with bench("sqlite") as centre:
        fill(centre)
        rest = ", ".join(column.name for column in tables.triggers.columns if column.name not in KEYS)
        centre.change(FORGED.format(rest=rest))
        [broken] = report(centre).breaks
        assert broken.why == "the trigger store-1-r99 was put beside the centre: no entry is about it"
        centre.change("DELETE FROM triggers WHERE number = 99")
        centre.change("CREATE TABLE kept AS SELECT * FROM people")
        remove_person(centre.settings, "Ann")
        assert report(centre).breaks == ()
        centre.change("INSERT INTO people SELECT * FROM kept")
        assert [broken.why for broken in report(centre).breaks] == [
            "the person Ann is there again after it was removed"
        ]
        centre.change("DELETE FROM people")
        centre.change("UPDATE coupons SET state = 'expired'")
        with centre.ledger.read.connect() as connection:
            assert "is expired" in verify_audit(connection, now_ms=START_MS).breaks[0].why
            assert verify_audit(connection, now_ms=START_MS + 10**12).breaks == ()


def test_a_chain_that_lost_its_end_shows_by_the_heads_that_were_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench("sqlite") as centre:
        fill(centre)
        config, heads = tmp_path / "central.toml", tmp_path / "heads.json"
        config.write_text(f'state_dir = "{centre.settings.state_dir}"\n')
        command = ["audit", "verify", "--config", str(config), "--heads", str(heads)]
        assert main(command) == 0
        centre.run(lambda work: work.audit("Ann", "approve", "one"))
        assert main(command) == 0
        kept = heads.read_text()
        centre.change("DELETE FROM audit WHERE action = 'approve' AND subject = 'one'")
        capsys.readouterr()
        assert main(command[:4]) == 0
        assert main(command) == 1
        assert "store-1: it ends at entry" in capsys.readouterr().out
        centre.run(lambda work: work.memory.forget())
        centre.run(lambda work: work.audit("Eve", "approve", "one"))
        assert main(command) == 1
        assert "it is not the entry that was there" in capsys.readouterr().out
        assert heads.read_text() == kept
        heads.write_text("[]")
        assert main(command) == 78


@on_both
def test_rows_of_before_the_audit_vouched_for_them_are_vouched_for_by_the_migration(kind: str) -> None:
    with bench(kind) as centre:
        fill(centre)
        centre.change("DELETE FROM audit WHERE action IN ('person', 'store', 'coupon-terms', 'trigger')")
        centre.change("DELETE FROM audit WHERE store_id = ''")
        centre.change("DELETE FROM audit WHERE store_id = 'store-1'")
        assert report(centre).breaks
        with centre.ledger.write.begin() as connection:
            assert vouch_for_all(connection) > 10
            assert vouch_for_all(connection) == 0
        assert report(centre).breaks == ()


@on_both
def test_what_suppliers_had_before_the_audit_vouched_for_it_is_vouched_for_by_the_migration(
    kind: str,
) -> None:
    with bench(kind) as centre:
        centre.change(
            "INSERT INTO supplier_stock (supplier, sku, available_units, at_ms) VALUES ('depot', 'a', 5, 1)"
        )
        centre.change(
            "INSERT INTO supplier_arrivals (supplier, sku, day, units) VALUES ('depot', 'a', '2017-09-06', 5)"
        )
        assert [broken.why for broken in report(centre).breaks] == [
            f"supplier depot's rows in supplier_{what} were put beside the centre: no entry is about them"
            for what in ("stock", "arrivals")
        ]
        # Back to the form that the ledger had then.
        centre.change("DROP INDEX positions_unsummed")
        centre.change("ALTER TABLE positions DROP COLUMN unsummed_from")
        centre.change("UPDATE alembic_version SET version_num = '0017'")
        with centre.ledger.write.begin() as connection:
            assert schema.migrate(connection, "it") == ("0018", "0019")
        assert report(centre).breaks == ()
        centre.change("DELETE FROM supplier_stock")
        assert [broken.why for broken in report(centre).breaks] == [
            "supplier depot's rows in supplier_stock were changed: they are 0 rows now"
        ]
