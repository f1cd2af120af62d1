"""What the lines of a receipt do to coupons: redeem, reverse, or a discount that nobody had promised.

A coupon is redeemed once; a return or void of it reverses that, and while it is valid it may be used again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contract.coupons import normal_code
from contract.devices import LineKind, ReceiptLine


class CouponState(StrEnum):
    ISSUED = "issued"
    REDEEMED = "redeemed"
    REVERSED = "reversed"
    EXPIRED = "expired"


class CouponMove(StrEnum):
    REDEEMED = "redeemed"
    REVERSED = "reversed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CouponUse:
    """One use of a code on a receipt. cents: the discount given, negative when taken back."""

    code: str
    reverses: bool
    cents: int


@dataclass(frozen=True, slots=True)
class KnownCoupon:
    coupon_id: str
    state: CouponState
    store: str
    valid_until_ms: int


@dataclass(frozen=True, slots=True)
class CouponDecision:
    move: CouponMove
    reason: str = ""


def coupon_uses(lines: Sequence[ReceiptLine]) -> list[CouponUse]:
    """At most one redemption and one reversal a code: goods line and discount line may both carry it."""
    uses: dict[tuple[str, bool], int] = {}
    for line in lines:
        if line.coupon_code is None:
            continue
        discount = line.kind is LineKind.DISCOUNT
        reverses = line.kind in (LineKind.RETURN, LineKind.VOID) or (discount and line.extended_cents > 0)
        key = (normal_code(line.coupon_code), reverses)
        uses[key] = uses.get(key, 0) + (-line.extended_cents if discount else 0)
    return [CouponUse(code, reverses, cents) for (code, reverses), cents in uses.items()]


def decide_use(use: CouponUse, coupon: KnownCoupon | None, store: str, at_ms: int) -> CouponDecision:
    """at_ms: when the till accepted it. A refusal means: the discount was given and is an over-redemption."""
    refused = CouponMove.REFUSED
    if coupon is None:
        return CouponDecision(refused, "no such coupon was issued")
    if coupon.store != store:
        return CouponDecision(refused, f"valid at store {coupon.store} only")
    if use.reverses:
        if coupon.state is not CouponState.REDEEMED:
            return CouponDecision(refused, f"reversed, but the coupon is {coupon.state}")
        return CouponDecision(CouponMove.REVERSED)
    if coupon.state is CouponState.REDEEMED:
        return CouponDecision(refused, "already redeemed")
    if at_ms >= coupon.valid_until_ms:
        return CouponDecision(refused, "expired")
    return CouponDecision(CouponMove.REDEEMED)
