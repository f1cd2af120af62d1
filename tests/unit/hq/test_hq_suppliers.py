"""What the list of suppliers and the row of a held order say."""

from fake_central import FakeCentral
from fake_rows import supplier_views
from fake_shops import NOW_MS

from contract.api.restock import TriggerState
from hq.pages.restock import order_row
from hq.pages.suppliers import supplier_rows


def held_orders():
    order = FakeCentral().triggers["t-s367-1"]
    changes = {"state": TriggerState.APPROVED, "due_ms": NOW_MS + 3_600_000, "supplier": "fresh-co"}
    return [
        order.model_copy(update=changes),
        order.model_copy(update={**changes, "trigger": "t-2", "quantity_units": 6}),
    ]


def test_a_supplier_says_when_it_takes_orders_and_what_is_held_until_then():
    fresh, dry = supplier_rows(supplier_views(NOW_MS), held_orders(), NOW_MS)
    assert (fresh["orders"]["t"], fresh["orders"]["u"]) == (
        "daily until 16:30",
        "New York time, frozen 30 min before",
    )
    assert (fresh["cutoff"]["t"], fresh["cutoff"]["u"]) == ("in 6 h", "Sat 3 May, 16:00")
    assert (fresh["held"]["t"], fresh["held"]["u"]) == ("2", "30 units")
    assert fresh["emergency"]["t"] == "same day"
    assert fresh["delivery"]["t"] == "Sun 4 May"
    assert (dry["orders"]["t"], dry["cutoff"]["t"], dry["delivery"]["u"]) == (
        "Mon–Fri until 16:30",
        "–",
        "Tue, Fri",
    )
    assert (dry["held"]["t"], dry["emergency"]["t"]) == ("0", "none")


def test_an_order_that_is_held_says_until_when_and_an_emergency_is_marked():
    shop = FakeCentral().stores()[0]
    row = order_row(held_orders()[0], shop, NOW_MS, pending=False)
    assert (row["state"]["t"], row["state"]["i"]) == ("held", "hourglass_top")
    assert row["state"]["u"] == "goes out Sat 3 May, 11:00, at the cut-off"
    emergency = held_orders()[0].model_copy(
        update={"kind": "emergency", "due_ms": None, "state": TriggerState.SENT}
    )
    row = order_row(emergency, shop, NOW_MS, pending=False)
    assert (row["state"]["t"], row["state"]["i"]) == ("sent", "bolt")
    assert "emergency" in row["item"]["u"]
