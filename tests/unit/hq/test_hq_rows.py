"""What stands in the lists and dialogs."""

from typing import get_args

from fake_central import FakeCentral
from fake_rows import proposal_rows
from fake_shops import NOW_MS

from contract.api.gateways import GatewaySign
from contract.api.restock import TriggerState
from contract.api.stores import AlertView
from hq.needs import SIGN_ICONS
from hq.pages.accounting_box import flow_rows
from hq.pages.campaigns import lift_text
from hq.pages.decide_dialog import consequence
from hq.pages.doors_box import door_rows
from hq.pages.fleet import together
from hq.pages.gateway_box import SHORT, gateway_facts, gateway_row
from hq.pages.restock import order_row
from hq.pages.restock_tabs import GROUPS
from hq.pages.shop import _row
from hq.pages.shop_table import LATE_MS, shop_rows
from hq.pages.sku import proposal_row
from hq.pages.table import cell


def test_every_state_of_an_order_stands_in_one_group():
    states = [state for _, group in GROUPS.values() for state in group]
    assert sorted(states) == sorted(TriggerState)


def test_an_order_says_why_in_one_sentence_and_what_is_doubtful():
    fake = FakeCentral()
    row = order_row(fake.triggers["t-s367-1"], fake.stores()[0], NOW_MS, pending=False)
    assert row["why"] == {
        "t": "2 packs: 80 % chance to run out before Thursday's delivery; 9 left, 12 on order",
        "s": row["why"]["s"],
        "u": "value above the limit",
    }
    assert row["quantity"]["u"] == "2 × 12"
    assert row["value"]["t"] == "54.00 USD"
    assert row["state"]["i"], "a state is never colour alone"
    assert row["acts"]


def test_an_order_names_its_sku_and_its_supplier():
    order = FakeCentral().triggers["t-s367-1"]
    row = order_row(order, None, NOW_MS, supplier="Fresh depot", pending=False)
    assert row["item"]["u"] == f"{order.sku} · {order.store_name} · Fresh depot"


def test_an_order_that_is_going_out_cannot_be_decided_again():
    fake = FakeCentral()
    row = order_row(fake.triggers["t-s367-1"], None, NOW_MS, pending=True)
    assert "acts" not in row
    assert row["pending"]


def test_unknown_stock_is_a_dash_and_an_empty_shelf_is_red_with_an_icon():
    skus = FakeCentral().skus("s367")
    assert _row(skus[5], "USD")["on_hand_units"]["t"] == "–"
    assert _row(skus[5], "USD")["cover"]["t"] == "–"
    empty = _row(skus[3], "USD")["on_hand_units"]
    assert (empty["t"], empty["c"], empty["i"]) == ("0", "bad", "error")


def test_zero_counts_lead_nowhere_and_others_to_their_rows():
    fake = FakeCentral()
    rows = {row["id"]: row for row in shop_rows(fake.overview(), fake.stores())}
    assert rows["s406"]["out"] == {"t": "0", "s": 0}
    assert rows["s31862"]["waiting"]["h"] == "/restock?scope=store:s31862"


def test_the_shops_with_most_to_do_come_first():
    fake = FakeCentral()
    first = fake.stores()[0].model_copy(
        update={
            "waiting_triggers": 0,
            "open_alerts": 0,
            "skus_out_of_stock": 0,
            "newest_ms": NOW_MS,
            "watermark_ms": NOW_MS,
        }
    )
    changes = {
        "calm": {}, "empty-shelves": {"skus_out_of_stock": 9}, "alert": {"open_alerts": 1}, "orders": {"waiting_triggers": 3},
        "silent": {"newest_ms": NOW_MS - 2 * LATE_MS, "watermark_ms": NOW_MS - 2 * LATE_MS}, "new": {"newest_ms": None, "watermark_ms": None},
    }  # fmt: skip
    stores = [
        first.model_copy(update={"store": name, "name": name, **change}) for name, change in changes.items()
    ]
    overview = fake.overview().model_copy(update={"now_ms": NOW_MS})
    assert [row["id"] for row in shop_rows(overview, stores)] == [
        "silent", "orders", "alert", "empty-shelves", "calm", "new",
    ]  # fmt: skip


def test_the_consequence_names_units_money_and_suppliers():
    fake = FakeCentral()
    stores = {store.store: store for store in fake.stores()}
    orders = [fake.triggers["t-s367-1"], fake.triggers["t-s406-2"]]
    text = consequence("approve", orders, stores)
    assert text.startswith("72 units, worth 162.00 USD, go to dry-goods-inc, fresh-co.")
    assert "will not be ordered" in consequence("reject", orders, stores)


def test_lift_says_when_it_could_be_chance_and_when_members_are_too_few():
    sure, few = FakeCentral().campaigns()
    assert lift_text(sure, "USD") == "+0.63 USD a member (95 %: −0.12 USD to +1.38 USD): could be chance"
    assert lift_text(sure.model_copy(update={"lift_low_cents": 5.0}), "USD").endswith("+1.38 USD)")
    assert lift_text(few, "USD") == "too few members yet to tell"


def test_a_silent_gateway_is_a_word_and_an_icon():
    row = gateway_row(FakeCentral().gateways()[2], {}, NOW_MS)
    assert (row["online"]["t"], row["online"]["i"]) == ("silent", "cloud_off")
    assert row["devices"]["u"] == "till-2, esl-1"


def test_a_gateway_shows_its_worst_trouble_in_a_word_and_what_waits():
    row = gateway_row(FakeCentral(troubled=True).gateways()[0], {}, NOW_MS)
    assert (row["online"]["t"], row["online"]["c"], row["online"]["u"]) == ("two boxes", "bad", "disk hangs")
    assert row["online"]["i"], "a state is never colour alone"
    assert (row["waits"]["t"], row["waits"]["u"]) == ("812", "oldest 2 min")
    assert (row["disk"]["t"], row["disk"]["c"]) == ("12 s", "bad")
    well = gateway_row(FakeCentral(troubled=True).gateways()[1], {}, NOW_MS)
    assert (well["online"]["t"], well["waits"]["t"], well["disk"]["t"]) == ("online", "0", "41 ms")
    old = gateway_row(FakeCentral().gateways()[0], {}, NOW_MS)
    assert (old["waits"]["t"], old["disk"]["t"]) == ("–", "–"), (
        "a gateway that tells nothing is unknown, not well"
    )


def test_every_trouble_of_the_contract_has_a_word_and_an_icon():
    codes = set(get_args(GatewaySign.model_fields["code"].annotation))
    assert set(SHORT) == set(SIGN_ICONS) == codes


def test_a_gateways_facts_say_when_they_were_told_and_who_the_second_box_is():
    facts = dict(gateway_facts(FakeCentral(troubled=True).gateways()[0], NOW_MS))
    assert facts["Machine"] == "pi-0"
    assert facts["Told"] == "8 s ago"
    assert facts["Waits to be sent"] == "812 records, 210.0 kB, 0 % of the room for them"
    assert facts["Clock"] == "kept by the network; as the centre's"
    assert facts["Second box"].startswith("pi-spare was refused 118 times")
    assert list(dict(gateway_facts(FakeCentral().gateways()[0], NOW_MS))) == ["Version", "Epochs"]


def test_a_cell_sorts_by_its_number_and_not_by_its_text():
    assert cell("1,000", 1000)["s"] == 1000
    assert cell("Milk")["s"] == "milk"


def test_the_books_show_what_came_of_transmissions_cells_and_orders():
    assert [(row["id"], row["came"]["t"]) for row in flow_rows(FakeCentral().accounting())] == [
        ("Device transmissions", "812,345 accepted · 17 duplicates dropped · 3 rejected · 4 put aside"),
        ("Shelf cells", "4,321 units picked · 210 put back · 2 unresolved"),
        ("Restock orders", "9 created · 6 sent · 5 acknowledged · 3 waiting for a person"),
    ]


def test_the_door_shows_what_was_turned_away_and_no_receivers_secret():
    fake = FakeCentral()
    rows = door_rows(fake.doors(), NOW_MS)
    assert [(row["what"]["t"], row["count"]["t"]) for row in rows] == [
        ("Keys and tokens refused", "7"),
        ("Malformed batches of gateways", "2"),
        ("Webhook failures, http://erp.example/hook", "5"),
    ]
    assert rows[2]["last"]["t"] == "HTTP 500"
    fake.empty = True
    assert door_rows(fake.doors(), NOW_MS) == []


def test_an_order_that_waits_for_the_cut_off_says_when_it_goes_out():
    fake = FakeCentral()
    order = fake.triggers["t-s367-1"].model_copy(update={"state": TriggerState.APPROVED, "due_ms": NOW_MS})
    assert order_row(order, fake.stores()[0], NOW_MS, pending=False)["state"]["u"].startswith("goes out ")
    asleep = order.model_copy(update={"state": TriggerState.SNOOZED})
    assert order_row(asleep, None, NOW_MS, pending=False)["state"]["u"].startswith("sleeps until ")


def test_a_proposal_of_which_nothing_came_says_why():
    store = FakeCentral().stores()[0]
    _, nothing = (proposal_row(each, store) for each in proposal_rows("s367"))
    assert nothing["outcome"]["t"] == "held: no item or supply line at the centre"
    assert nothing["proposed"]["u"] == "6 left, 0 on order"


def test_an_alert_that_has_been_open_for_long_stands_beside_the_newest_and_each_once():
    one = AlertView(
        at_ms=NOW_MS, store="s367", code="low-stock", subject="900003", severity="warning", text="2 left", cleared_ms=None
    )  # fmt: skip
    old = one.model_copy(update={"at_ms": NOW_MS - 10**9})
    over = one.model_copy(update={"subject": "900004", "cleared_ms": NOW_MS})
    assert together([one, old], [one, over]) == [one, old, over]
