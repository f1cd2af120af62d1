from collections import Counter

import pytest

from contract.devices import LineKind
from simulator.catalogue import DAY_MS, HOUR_MS
from simulator.shop_protocol import Despatch, DespatchLine, WalletCoupon
from simulator.world import World
from simulator.world_events import (
    CellTouched,
    DayEnded,
    DeliveryTaken,
    GoodsWrittenOff,
    ReceiptRung,
    StockCounted,
)
from simulator.world_wallets import Wallets

STEP_MS = 10 * 60_000


def _run(world, until_ms, step_ms=STEP_MS):
    events = []
    while world.now_ms < until_ms:
        events += world.advance(min(world.now_ms + step_ms, until_ms))
    return events


def test_the_same_seed_lives_the_same_life_at_any_step(shop):
    one = _run(World(shop, 5), shop.end_ms)
    assert one == _run(World(shop, 5), shop.end_ms, step_ms=DAY_MS)
    assert one != _run(World(shop, 6), shop.end_ms)


def test_events_come_in_order_of_time_and_never_after_the_step(shop):
    world = World(shop, 1)
    last = 0
    while world.now_ms < shop.end_ms:
        to_ms = world.now_ms + STEP_MS
        for event in world.advance(to_ms):
            assert last <= event.at_ms <= to_ms
            last = event.at_ms


def test_every_unit_taken_from_a_cell_is_sold_put_back_stolen_or_still_carried(shop):
    world = World(shop, 3)
    on_cells = {cell.sku for cell in shop.cells}
    gtins = {shop.items[sku].gtin for sku in on_cells}
    events = _run(world, shop.end_ms + HOUR_MS)
    sold = voided = 0
    for event in events:
        if isinstance(event, ReceiptRung):
            sold += sum(
                line.quantity_units
                for line in event.lines
                if line.gtin in gtins and line.kind is LineKind.SALE
            )
            voided += sum(
                line.quantity_units
                for line in event.lines
                if line.gtin in gtins and line.kind is LineKind.VOID
            )
    stock, tally = world.stock, world.tally
    assert stock.units_taken == sold - voided + stock.put_back_units + tally.stolen_units
    assert stock.units_taken > 100


def test_goods_are_conserved_between_cells_back_room_and_outside(shop):
    world = World(shop, 3)
    before = sum(cell.units for cell in world.stock.cells) + sum(world.stock.back_room.values())
    gtin = shop.items[shop.cells[0].sku].gtin
    line = DespatchLine(gtin=gtin, quantity_units=11, expected_units=12)
    world.deliver([Despatch(despatch="D-1", arrive_ms=shop.start_ms + 9 * HOUR_MS, lines=[line])])
    events = _run(world, shop.end_ms)
    stock, tally = world.stock, world.tally
    after = sum(cell.units for cell in stock.cells) + sum(stock.back_room.values())
    cell_gtins = {shop.items[cell.sku].gtin for cell in shop.cells}
    returned = sum(
        line.quantity_units
        for event in events
        if isinstance(event, ReceiptRung)
        for line in event.lines
        if line.kind is LineKind.RETURN and line.gtin in cell_gtins
    )
    assert after == before + 11 - stock.units_taken + stock.put_back_units - tally.damaged_units + returned
    assert [event.despatch for event in events if isinstance(event, DeliveryTaken)] == ["D-1"]


def test_an_empty_cell_loses_the_sale_and_the_receipt_lacks_the_line(shop):
    world = World(shop, 1)
    for cell in world.stock.cells:
        world.stock.take(world.stock.cells.index(cell), cell.units)
    world.stock.back_room = dict.fromkeys(world.stock.back_room, 0)
    events = _run(world, shop.end_ms)
    gtins = {shop.items[cell.sku].gtin for cell in shop.cells}
    sold = [
        line
        for event in events
        if isinstance(event, ReceiptRung)
        for line in event.lines
        if line.gtin in gtins and line.kind is LineKind.SALE
    ]
    wanted = sum(
        line.quantity
        for basket in shop.baskets()
        for line in basket.lines
        if line.sku in {cell.sku for cell in shop.cells}
    )
    returned = (
        world.stock.units_taken
    )  # returned goods may have been refilled and sold again: none without sales
    assert sold == []
    assert wanted > 0
    assert world.tally.lost_sales_units >= wanted - returned > 0
    assert world.tally.lost_baskets > 0


def test_units_leave_the_cell_two_to_ten_minutes_before_the_receipt(shop):
    world = World(shop, 1)
    events = _run(world, shop.start_ms + DAY_MS)
    basket_times = sorted(event.at_ms for event in events if isinstance(event, ReceiptRung))
    touched = [event for event in events if isinstance(event, CellTouched) and event.after_g < event.before_g]
    assert touched
    for event in touched[:200]:
        assert any(event.at_ms < at_ms <= event.at_ms + 11 * 60_000 for at_ms in basket_times)


def test_a_hand_leaves_the_scale_time_to_settle(shop):
    last: dict[int, int] = {}
    swap_ms = shop.swap.at_ms if shop.swap else 0
    for event in _run(World(shop, 2), shop.end_ms):
        if isinstance(event, CellTouched) and event.at_ms != swap_ms:
            assert event.at_ms - last.get(event.place, 0) >= 4_000
            last[event.place] = event.at_ms


def test_a_coupon_is_redeemed_once_on_a_line_of_its_goods(shop):
    world = World(shop, 1)
    gtin = shop.items[shop.cells[1].sku].gtin
    coupons = [
        WalletCoupon(
            member=member, code=f"C{number}", gtin=gtin, discount_cents=50, valid_until_ms=shop.end_ms
        )
        for number, member in enumerate(shop.members())
    ]
    world.give_coupons(coupons)
    world.give_coupons(coupons[:3])  # a second copy is the same coupon
    used = Counter()
    for event in _run(world, shop.end_ms):
        if isinstance(event, ReceiptRung):
            for line in event.lines:
                if line.coupon_code is not None and line.extended_cents < 0:
                    used[line.coupon_code] += 1
                    assert any(sale.gtin == gtin for sale in event.lines)
                    assert line.kind is LineKind.DISCOUNT
                    assert line.extended_cents >= -50
    assert used
    assert max(used.values()) == 1
    assert set(used) == set(world.tally.redemptions)
    assert set(world.tally.reversals) <= set(used)


def test_two_visits_at_once_cannot_use_one_coupon_twice(shop):
    wallets = Wallets(0.5)
    coupons = [
        WalletCoupon(member="m-1", code=f"C{number}", discount_cents=5, valid_until_ms=10)
        for number in range(9)
    ]
    for coupon in coupons:
        wallets.add(coupon)
    first = wallets.usable("m-1", 0)[0]
    wallets.take_out(first)
    assert first not in wallets.usable("m-1", 0)
    wallets.put_back(first)
    assert first in wallets.usable("m-1", 0)
    assert wallets.usable("m-1", 10) == []


def test_an_expired_coupon_stays_in_the_pocket(shop):
    world = World(shop, 1)
    world.give_coupons(
        [
            WalletCoupon(member=member, code=member, discount_cents=50, valid_until_ms=shop.start_ms + 1)
            for member in shop.members()
        ]
    )
    _run(world, shop.end_ms)
    assert world.tally.redemptions == {}


def test_a_coupon_that_ends_between_the_aisle_and_the_till_is_not_taken(shop):
    world = World(shop, 1)
    ends_ms = {}
    for basket in shop.baskets():
        if basket.member:
            code = f"C{basket.number}"
            ends_ms[code] = basket.at_ms - 30_000  # the shopper is in the shop by then, and pays after it
            coupon = WalletCoupon(
                member=basket.member, code=code, discount_cents=50, valid_until_ms=ends_ms[code]
            )
            world.give_coupons([coupon])
    for event in _run(world, shop.end_ms):
        if isinstance(event, ReceiptRung):
            for line in event.lines:
                if line.coupon_code is not None and line.extended_cents < 0:
                    assert event.at_ms < ends_ms[line.coupon_code]


def test_a_return_takes_back_what_was_paid_with_its_discounts(shop):
    world = World(shop, 11)
    returns = [
        event
        for event in _run(world, shop.end_ms)
        if isinstance(event, ReceiptRung) and any(line.kind is LineKind.RETURN for line in event.lines)
    ]
    assert sum(line.quantity_units for event in returns for line in event.lines) == world.tally.returned_units
    for event in returns:
        assert event.lines[0].extended_cents <= 0
        assert all(line.extended_cents >= 0 for line in event.lines[1:])
        assert sum(line.extended_cents for line in event.lines) <= 0


def test_the_swap_moves_goods_without_a_sale(shop):
    world = World(shop, 1)
    swap = shop.swap
    world.advance(swap.at_ms - 1)
    first, second = world.stock.cells[swap.first], world.stock.cells[swap.second]
    before = (first.sku, first.units, second.sku, second.units, world.stock.units_taken)
    events = world.advance(swap.at_ms)
    assert (second.sku, second.units, first.sku, first.units, world.stock.units_taken) == before
    assert {event.place for event in events if isinstance(event, CellTouched)} == {swap.first, swap.second}
    assert world.stock.place_of(before[0]) == swap.second


def test_the_day_ends_the_count_opens_and_the_case_falls(shop):
    world = World(shop, 1)
    line = DespatchLine(gtin=shop.items[shop.cells[5].sku].gtin, quantity_units=60, expected_units=60)
    world.deliver(
        [Despatch(despatch="D-1", arrive_ms=shop.start_ms + 3 * DAY_MS + 10 * HOUR_MS, lines=[line])]
    )
    events = _run(world, shop.end_ms)
    assert [event.business_date for event in events if isinstance(event, DayEnded)] == [
        "2017-09-04",
        "2017-09-05",
        "2017-09-06",
        "2017-09-07",
    ]
    counts = [event for event in events if isinstance(event, StockCounted)]
    assert [count.opening for count in counts] == [True, False]
    assert len(counts[0].lines) == len(shop.cells)
    assert [event.delta_units for event in events if isinstance(event, GoodsWrittenOff)] == [-6]


def test_a_stocktake_counts_what_is_there(shop):
    world = World(shop, 9)
    while world.now_ms < shop.end_ms:
        # In steps of a second around the count, nothing else moves between the count and our look.
        for event in world.advance(
            world.now_ms + 1000 if world.now_ms % DAY_MS > 9 * HOUR_MS else world.now_ms + HOUR_MS
        ):
            if isinstance(event, StockCounted) and not event.opening:
                gtins = {shop.items[cell.sku].gtin: cell.sku for cell in shop.cells}
                assert [line.counted_units for line in event.lines] == [
                    world.stock.total_units(gtins[line.gtin]) for line in event.lines
                ]
                return
        if world.now_ms % DAY_MS > 11 * HOUR_MS:
            world.advance(world.now_ms + 20 * HOUR_MS)
    pytest.fail("no stocktake happened")


def test_next_ms_lets_quiet_hours_be_skipped_without_changing_anything(shop):
    plain = _run(World(shop, 4), shop.end_ms)
    world = World(shop, 4)
    events = []
    while world.next_ms is not None and world.next_ms <= shop.end_ms:
        events += world.advance(world.next_ms)
    assert events == plain
