"""On hand, from two sides; unknown is None, never 0."""

from contract.devices import Place
from edge.core.stock import QUIET_MS, Stock


def level(stock, shelf, has_cell=True):
    return stock.level("a", shelf, has_cell=has_cell).on_hand_units


def opened(units=20, shelf=8):
    stock = Stock()
    stock.counted("a", Place.STORE, units, shelf, has_cell=True)
    return stock


def test_without_an_opening_count_stock_is_unknown_not_zero():
    assert level(Stock(), 8) is None
    assert level(Stock(), None, has_cell=False) is None


def test_the_scale_wins_for_its_facing():
    assert level(opened(), 8) == 20
    assert level(opened(), 6) == 18


def test_an_unknown_shelf_makes_the_whole_unknown():
    assert level(opened(), None) is None


def test_a_refill_moves_goods_and_changes_nothing_on_hand():
    stock = opened()
    stock.refilled("a", 4)
    assert level(stock, 12) == 20


def test_a_delivery_fills_the_back_room():
    stock = opened()
    stock.delivered("a", 12)
    assert level(stock, 8) == 32


def test_a_return_lies_in_the_back_room():
    stock = opened()
    stock.sold("a", 2, 0)
    stock.returned("a", 1, 0)
    assert level(stock, 6) == 19
    assert stock.book_units("a") == 19


def test_goods_without_a_cell_follow_the_book():
    stock = Stock()
    stock.counted("a", Place.STORE, 10, None, has_cell=False)
    stock.sold("a", 3, 0)
    stock.delivered("a", 5)
    assert level(stock, None, has_cell=False) == 12


def test_missing_goods_are_shrink_once_the_shop_is_quiet():
    stock = opened()
    stock.sold("a", 2, 1000)
    stock.moved("a", 1000)
    assert stock.reconcile("a", 5, 1000 + QUIET_MS - 1) == 0  # somebody may still be at the till
    assert stock.reconcile("a", 5, 1000 + QUIET_MS) == -1
    assert stock.reconcile("a", 5, 1000 + 2 * QUIET_MS) == 0  # said once


def test_goods_sold_that_left_no_cell_came_from_the_back_room():
    stock = opened()
    stock.sold("a", 3, 0)
    assert stock.reconcile("a", 8, QUIET_MS) == 0
    assert level(stock, 8) == 17


def test_a_count_says_what_was_missing():
    stock = opened()
    assert stock.counted("a", Place.STORE, 18, 8, has_cell=True) == -2
    assert stock.counted("a", Place.BACK_ROOM, 11, 8, has_cell=True) == 1
    assert level(stock, 8) == 19


def test_a_count_before_the_scale_speaks_is_split_when_it_does():
    stock = Stock()
    assert stock.counted("a", Place.STORE, 20, None, has_cell=True) is None
    assert level(stock, None) is None
    stock.shelf_counted("a", 8)
    assert level(stock, 8) == 20


def test_a_damaged_case_leaves_the_back_room():
    stock = opened()
    stock.adjusted("a", -6, Place.BACK_ROOM)
    assert level(stock, 8) == 14
    stock.adjusted("a", -1, Place.SHELF)
    assert level(stock, 7) == 13
    assert stock.book_units("a") == 13
