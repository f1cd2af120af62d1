from random import Random

from hypothesis import given
from hypothesis import strategies as st

from contract.devices import LineKind
from simulator.catalogue import ShopItem
from simulator.shop_protocol import WalletCoupon
from simulator.world_cart import MAX_PRINTED_LINES, Cart, CartLine, check_out, return_lines

ITEM = ShopItem("1", "09521234567899", "Soup", "SOUP", 400.0, 199, 0, 1.0)
cents = st.integers(0, 5_000)


@st.composite
def cart_lines(draw):
    wanted = draw(st.integers(1, 48))
    regular = draw(cents)
    discount = draw(st.integers(0, regular))
    coupon = None
    if draw(st.booleans()):
        coupon = WalletCoupon(
            member="m-1", code="C-1", discount_cents=draw(st.integers(1, 500)), valid_until_ms=1
        )
    return CartLine(
        ITEM, wanted, regular, discount, draw(st.integers(0, regular - discount)), draw(st.integers(0, wanted)), coupon
    )  # fmt: skip


@given(st.lists(cart_lines(), max_size=60), st.integers(0, 10_000))
def test_a_receipt_never_pays_the_shopper_and_prints_what_was_taken(lines, seed):
    checkout = check_out(Cart(1, 0, "m-1", lines), Random(seed))
    taken = sum(line.taken_units for line in lines)
    printed = [line for receipt in checkout.printed for line in receipt]
    assert sum(line.sold_units for line in printed) == taken
    assert (checkout.printed == ()) == (taken == 0)
    assert all(len(receipt) <= MAX_PRINTED_LINES + 5 for receipt in checkout.printed)
    total = 0
    for sold in checkout.sold:
        back = sum(line.extended_cents for line in return_lines(sold))
        assert back <= 0
        total -= back
    assert sum(line.extended_cents for line in printed) == total >= 0


@given(cart_lines())
def test_a_coupon_takes_off_at_most_its_value_and_the_price(line):
    checkout = check_out(Cart(1, 0, "m-1", [line]), Random(0))
    for coupon, taken_cents in checkout.redeemed:
        assert 0 < taken_cents <= coupon.discount_cents
        assert any(
            printed.coupon_code == coupon.code and printed.extended_cents == -taken_cents
            for printed in checkout.printed[0]
        )


def test_part_of_the_wanted_units_costs_its_part_and_half_a_cent_goes_up():
    line = CartLine(ITEM, 4, 1001, 0, 0, taken_units=2)
    sale = check_out(Cart(1, 0, "m-1", [line]), Random(0)).printed[0][0]
    assert (sale.kind, sale.quantity_units, sale.extended_cents) == (LineKind.SALE, 2, 501)
