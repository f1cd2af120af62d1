"""A shopper's cart and the receipt it becomes."""

from dataclasses import dataclass, field
from random import Random

from contract.devices import LineKind, ReceiptLine
from simulator.catalogue import ShopItem
from simulator.shop_protocol import WalletCoupon

MAX_PRINTED_LINES = 150
"""About 14 kB as JSON: the demo's fallback broker refuses payloads of 20 kB, so a longer list is paid in two receipts."""
VOID_SHARE, NOT_FOUND_SHARE = 0.005, 0.003
"""Of baskets. The real till log has 3 % voided lines; a small shop's cashier is more careful."""


@dataclass(slots=True)
class CartLine:
    """wanted_units, and the cents for all of them; taken_units is what the shelf gave. coupon: the member's, if it applies here."""

    item: ShopItem
    wanted_units: int
    regular_cents: int
    discount_cents: int
    coupon_cents: int
    taken_units: int = 0
    coupon: WalletCoupon | None = None

    def share(self, cents: int) -> int:
        """Of `cents` for the wanted units, what the taken ones cost; half a cent goes up."""
        return (2 * cents * self.taken_units + self.wanted_units) // (2 * self.wanted_units)


@dataclass(frozen=True, slots=True)
class SoldLine:
    """What a return needs to know of a line that was paid."""

    item: ShopItem
    units: int
    regular_cents: int
    discount_cents: int
    code: str | None = None
    code_cents: int = 0


@dataclass(slots=True)
class Cart:
    number: int
    at_ms: int
    member: str
    lines: list[CartLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checkout:
    """printed: the lines, of each receipt. sold: for later returns. redeemed: coupon and cents. voided_units: of double scans."""

    printed: tuple[tuple[ReceiptLine, ...], ...]
    sold: tuple[SoldLine, ...]
    redeemed: tuple[tuple[WalletCoupon, int], ...]
    voided_units: int


def check_out(cart: Cart, rng: Random) -> Checkout:
    """The receipts of what the cart holds; none when it is empty."""
    blocks: list[list[ReceiptLine]] = []
    sold: list[SoldLine] = []
    redeemed: list[tuple[WalletCoupon, int]] = []
    for line in cart.lines:
        if line.taken_units == 0:
            continue
        block, sold_line = _line_block(line)
        blocks.append(block)
        sold.append(sold_line)
        if line.coupon is not None and sold_line.code is not None:
            redeemed.append((line.coupon, sold_line.code_cents))
    if not blocks:
        return Checkout((), (), (), 0)
    voided = 0
    if rng.random() < VOID_SHARE:
        chosen = rng.choice(blocks)
        voided = chosen[0].quantity_units
        chosen += [chosen[0], _reversed(chosen[0], LineKind.VOID)]
    if rng.random() < NOT_FOUND_SHARE:
        code = f"{rng.randrange(10**12):012d}"
        blocks.append([ReceiptLine(kind=LineKind.NOT_FOUND, raw_code=code, extended_cents=0)])
    return Checkout(_receipts(blocks), tuple(sold), tuple(redeemed), voided)


def return_lines(sold: SoldLine) -> tuple[ReceiptLine, ...]:
    """The goods come back at what was paid: the discount is taken back, and so is a coupon (its reversal)."""
    lines = [
        ReceiptLine(
            kind=LineKind.RETURN,
            gtin=sold.item.gtin,
            quantity_units=sold.units,
            unit_price_cents=sold.regular_cents // sold.units,
            extended_cents=-sold.regular_cents,
        )
    ]
    if sold.discount_cents:
        lines.append(ReceiptLine(kind=LineKind.DISCOUNT, extended_cents=sold.discount_cents))
    if sold.code is not None:
        lines.append(
            ReceiptLine(kind=LineKind.DISCOUNT, extended_cents=sold.code_cents, coupon_code=sold.code)
        )
    return tuple(lines)


def _line_block(line: CartLine) -> tuple[list[ReceiptLine], SoldLine]:
    regular, discount = line.share(line.regular_cents), line.share(line.discount_cents)
    discount = min(discount, regular)
    maker_cents = min(line.share(line.coupon_cents), regular - discount)
    block = [
        ReceiptLine(
            kind=LineKind.SALE,
            gtin=line.item.gtin,
            quantity_units=line.taken_units,
            unit_price_cents=regular // line.taken_units,
            extended_cents=regular,
        )
    ]
    block += [
        ReceiptLine(kind=LineKind.DISCOUNT, extended_cents=-cents)
        for cents in (discount, maker_cents)
        if cents
    ]
    code_cents = 0
    if line.coupon is not None:
        code_cents = min(line.coupon.discount_cents, regular - discount - maker_cents)
        if code_cents:
            block.append(
                ReceiptLine(kind=LineKind.DISCOUNT, extended_cents=-code_cents, coupon_code=line.coupon.code)
            )
    code = line.coupon.code if line.coupon is not None and code_cents else None
    return block, SoldLine(line.item, line.taken_units, regular, discount + maker_cents, code, code_cents)


def _reversed(line: ReceiptLine, kind: LineKind) -> ReceiptLine:
    return line.model_copy(update={"kind": kind, "extended_cents": -line.extended_cents})


def _receipts(blocks: list[list[ReceiptLine]]) -> tuple[tuple[ReceiptLine, ...], ...]:
    receipts: list[list[ReceiptLine]] = [[]]
    for block in blocks:
        if receipts[-1] and len(receipts[-1]) + len(block) > MAX_PRINTED_LINES:
            receipts.append([])
        receipts[-1] += block
    return tuple(tuple(receipt) for receipt in receipts)
