"""Goods that are promised to another store are not there for customers: orders count without them, the shelf is told as it is."""

import pytest
from edge_shop import MINUTE
from test_edge_ask_at_once import proposals, shop_with_plenty

from contract.documents import SupplyDocument, SupplyLine
from edge.core.messages import DocumentArrived
from edge.core.ordering import stays


def supply(version: int, leaving: int) -> DocumentArrived:
    line = SupplyLine(
        sku="sku-1", supplier="s", lead_time_days=2, review_days=1, pack_units=6, leaving_units=leaving
    )
    return DocumentArrived(SupplyDocument(kind="supply", version=version, lines=[line]))


def test_what_leaves_is_ordered_for():
    shop = shop_with_plenty()
    shop.now += 16 * MINUTE
    shop.batch(supply(10, 0))
    assert not [one for one in proposals(shop) if one.on_hand_units == 2]
    shop.now += 16 * MINUTE
    shop.batch(supply(11, 30))
    last = proposals(shop)[-1]
    assert (last.on_hand_units, last.quantity_units > 0) == (2, True)
    assert shop.core.state.level("sku-1").on_hand_units == 32, "the stock itself is as it is"


@pytest.mark.parametrize(
    ("on_hand", "leaving", "left"), [(10, 4, 6), (3, 4, 0), (0, 4, 0), (-2, 4, -2), (5, 0, 5)]
)
def test_no_more_leaves_than_there_is(on_hand, leaving, left):
    assert stays(on_hand, leaving) == left
