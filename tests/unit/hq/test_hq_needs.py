"""What the first page says a person should do."""

from fake_central import FakeCentral

from contract.api.restock import TriggerState
from contract.api.stores import AlertView
from hq.needs import needs_from
from hq.scope import Scope, scope_choices


def needs(fake, *, alerts=(), gateways=None, scope=None):
    overview = fake.overview()
    waiting = [t for t in fake.triggers.values() if t.state is TriggerState.PROPOSED]
    stores = (scope or Scope()).stores(overview.stores)
    return needs_from(
        overview,
        waiting,
        list(alerts),
        fake.accounting(),
        fake.gateways() if gateways is None else gateways,
        stores,
    )


def calm() -> FakeCentral:
    fake = FakeCentral(triggers={})
    fake.triggers.clear()
    return fake


def test_a_chain_without_shops_needs_nothing():
    assert needs(FakeCentral(empty=True), gateways=[]) == []


def test_unbalanced_books_come_first():
    first = needs(FakeCentral(balanced=False))[0]
    assert first.title == "The tills and the ledger do not balance"
    assert first.tone == "bad"


def test_balanced_books_need_nothing():
    assert not any("balance" in need.title for need in needs(FakeCentral()))


def test_few_orders_are_named_one_by_one_with_their_reason():
    fake = FakeCentral()
    for key in list(fake.triggers)[3:]:
        del fake.triggers[key]
    orders = [need for need in needs(fake) if need.title.endswith("?")]
    assert len(orders) == 3
    assert orders[0].title == "Shop 367, Elm Street: order 24 units of Bananas, loose?"
    assert "80 % chance" in orders[0].detail


def test_many_orders_are_one_line_a_shop():
    orders = [need for need in needs(FakeCentral()) if "wait for you" in need.title]
    assert [need.title for need in orders] == [
        f"{name}: 3 orders wait for you"
        for name in ("Shop 367, Elm Street", "Shop 406, Harbour", "Shop 31862, Mill Road")
    ]


def test_in_a_large_chain_no_kind_of_trouble_hides_another():
    fake = FakeCentral()
    stores = [
        store.model_copy(
            update={"store": f"s{place}", "name": f"Shop {place:02}", "skus_out_of_stock": 40 - place}
        )
        for place in range(40)
        for store in fake.stores()[:1]
    ]
    alerts = [
        AlertView(
            at_ms=fake.now_ms, store=store.store, code="cold-chain", subject="", severity="critical", text="9 °C", cleared_ms=None,
        )
        for store in stores
    ]  # fmt: skip
    overview = fake.overview().model_copy(update={"stores": stores})
    found = needs_from(overview, [], alerts, None, [], stores)
    titles = [need.title for need in found]
    assert titles[:3] == ["Shop 00: cold chain", "Shop 01: cold chain", "38 more urgent alerts"]
    assert titles[3:6] == [
        "Shop 00: 40 of 120 SKUs out of stock", "Shop 01: 39 of 120 SKUs out of stock", "38 more shops have SKUs out of stock",
    ]  # fmt: skip
    assert found[5].detail == "Shop 02, Shop 03, Shop 04 and others."
    assert len(found) <= 8


def test_a_silent_gateway_and_an_empty_shelf_are_listed():
    titles = [need.title for need in needs(calm())]
    assert "Shop 31862, Mill Road: gateway gw-s31862 is silent" in titles
    assert "Shop 31862, Mill Road: 5 of 120 SKUs out of stock" in titles


def test_a_second_box_and_a_disk_at_its_end_come_before_what_waits_for_a_person():
    fake = FakeCentral(troubled=True)
    found = needs(fake)
    assert [need.title for need in found[:2]] == [
        "Shop 367, Elm Street: two boxes speak as gw-s367: pi-0 is heard, pi-spare was refused 118 times",
        "Shop 367, Elm Street: its disk hung for 12 s at one commit",
    ]
    assert found[0].detail.startswith("Stop the box that does not belong here")
    assert found[0].href == "/fleet?scope=store:s367#signs"
    assert len([need for need in found if "silent" in need.title]) == 1, "silence is said once"


def test_equal_alerts_of_a_shop_are_one_line_and_critical_stands_above_warning():
    def alert(severity, code, minute):
        return AlertView(
            at_ms=minute * 60_000,
            store="s367",
            code=code,
            subject="x",
            severity=severity,
            text="t",
            cleared_ms=None,
        )

    found = [
        need
        for need in needs(
            calm(),
            alerts=[
                alert("warning", "cell-silent", 1),
                alert("warning", "cell-silent", 2),
                alert("critical", "disk-full", 1),
            ],
        )
        if need.icon == "notifications_active"
    ]
    assert [(need.title, need.tone) for need in found] == [
        ("Shop 367, Elm Street: disk full", "bad"),
        ("Shop 367, Elm Street: cell silent (2)", "warn"),
    ]


def test_an_alert_about_a_sku_leads_to_it_and_others_to_the_fleet():
    def alert(code, subject):
        return AlertView(
            at_ms=0, store="s367", code=code, subject=subject, severity="warning", text="t", cleared_ms=None
        )

    found = needs(calm(), alerts=[alert("low-stock", "900/1"), alert("silent-device", "shelf-1")])
    links = [need.href for need in found if need.icon == "notifications_active"]
    assert links == ["/shops/s367/skus/900%2F1", "/fleet?scope=store:s367#alerts"]


def test_the_scope_leaves_other_shops_out():
    assert not any("31862" in need.title for need in needs(FakeCentral(), scope=Scope("region", "North")))


def test_a_scope_survives_the_address_and_nonsense_means_the_chain():
    assert Scope.from_text("store:s367").link("/restock") == "/restock?scope=store%3As367"
    assert Scope.from_text("region:North") == Scope("region", "North")
    for text in ("", "planet:earth", "store:", "x"):
        assert Scope.from_text(text) == Scope()
    assert list(scope_choices(FakeCentral().stores())) == [
        "",
        "region:North",
        "region:South",
        "store:s31862",
        "store:s367",
        "store:s406",
    ]


def test_an_alert_that_somebody_noted_does_not_ask_for_a_look_again():
    def alert(who):
        return AlertView(
            at_ms=0, store="s367", code="cold-chain", subject="fridge-1", severity="critical", text="t",
            cleared_ms=None, acknowledged_by=who,
        )  # fmt: skip

    def told(who):
        return [
            need.title for need in needs(calm(), alerts=[alert(who)]) if need.icon == "notifications_active"
        ]

    assert told("") == ["Shop 367, Elm Street: cold chain"]
    assert told("J. Doe") == []
