"""A change that asks for an order does not wait for the quarter of an hour that spares the models; other changes do."""

from edge_shop import MINUTE, Shop

from contract.documents import SupplyDocument, SupplyLine
from edge.core.messages import DocumentArrived
from edge.core.ordering import ask_below_units
from edge.core.replenish import Plans


def shop_with_plenty():
    shop = Shop().opened(units=32, shelf=20)
    shop.now += 20 * MINUTE
    shop.batch()  # asked with the opening count known
    shop.now += MINUTE
    shop.batch()
    assert shop.core.state.plans.rows.by_key["sku-1"].ask_below_units is not None
    return shop


def proposals(shop):
    return [record for record in shop.of_kind("proposal") if record.sku == "sku-1"]


def test_the_sale_that_takes_a_sku_below_its_target_is_proposed_at_once():
    shop = shop_with_plenty()
    before = len(proposals(shop))
    asked = shop.core.state.plans.rows.by_key["sku-1"].asked_ms
    shop.now += 5000
    shop.batch(shop.receipt(1, (1, 20)), shop.weigh(c1=0))
    assert len(proposals(shop)) == before + 1
    assert shop.core.state.plans.rows.by_key["sku-1"].asked_ms == shop.now > asked


def test_a_sale_that_leaves_plenty_waits_for_its_turn():
    shop = shop_with_plenty()
    asked = shop.core.state.plans.rows.by_key["sku-1"].asked_ms
    shop.now += 5000
    shop.batch(shop.receipt(1, (1, 1)), shop.weigh(c1=19))
    assert shop.core.state.plans.rows.by_key["sku-1"].asked_ms == asked


def test_an_order_that_is_under_way_is_not_proposed_anew_with_each_sale():
    shop = shop_with_plenty()
    shop.now += 5000
    shop.batch(shop.receipt(1, (1, 15)), shop.weigh(c1=5))
    count = len(proposals(shop))
    for sequence in range(2, 6):
        shop.now += 5000
        shop.batch(shop.receipt(sequence, (1, 1)), shop.weigh(c1=6 - sequence))
    assert len(proposals(shop)) == count


def test_it_is_known_again_after_a_restart():
    shop = shop_with_plenty()
    before = len(proposals(shop))
    shop.restart()
    shop.now += 5000
    shop.batch(shop.receipt(1, (1, 20)), shop.weigh(c1=0))
    assert len(proposals(shop)) == before + 1


def test_a_sku_that_gets_its_supplier_is_asked_for_at_once():
    shop = shop_with_plenty()
    version = iter(range(10, 20))

    def supply(*skus):
        lines = [
            SupplyLine(sku=sku, supplier="s", lead_time_days=2, review_days=1, pack_units=6) for sku in skus
        ]
        return DocumentArrived(SupplyDocument(kind="supply", version=next(version), lines=lines))

    shop.batch(supply("sku-2", "sku-3"))
    shop.now += 16 * MINUTE
    shop.batch(shop.receipt(1, (1, 1)))
    assert not shop.core.state.plans.rows.by_key["sku-1"].was_orderable
    shop.now += 1000
    shop.batch(supply("sku-1", "sku-2", "sku-3"))
    assert shop.core.state.plans.rows.by_key["sku-1"].asked_ms == shop.now


def test_the_threshold_never_lies_above_what_is_on_hand():
    class Line:
        supply = SupplyLine(
            sku="a", supplier="s", lead_time_days=1, review_days=1, pack_units=6, on_order_units=4
        )
        on_hand_units = 3

    class Answer:
        least_missing_units = 0.0
        quantity_units, target_units = 0, 20.0

    assert ask_below_units(Line, Answer) == 3
    Line.on_hand_units = 100
    assert ask_below_units(Line, Answer) == 16
    Answer.quantity_units = 6
    assert ask_below_units(Line, Answer) is None
    plans = Plans()
    plans.stock_is("a", 1)  # nobody has asked for it yet
    assert plans.due(0) == []
