"""Coupons in the members' pockets."""

import hashlib

from simulator.shop_protocol import WalletCoupon

REDEEMING_SHARE = 0.6
"""Of coupons: their holder uses them at the next visit. The rest is forgotten at home."""
MAX_COUPONS_A_VISIT = 2


class Wallets:
    """salt: makes the choice of who redeems one of this run. A code belongs to one member; a second copy is the same coupon."""

    def __init__(self, salt: float) -> None:
        self._salt = salt
        self._held: dict[str, list[WalletCoupon]] = {}
        self._codes: set[str] = set()

    def add(self, coupon: WalletCoupon) -> None:
        if coupon.code not in self._codes:
            self._codes.add(coupon.code)
            self._held.setdefault(coupon.member, []).append(coupon)

    def usable(self, member: str, pays_ms: int) -> list[WalletCoupon]:
        """What the member takes along to pay with at pays_ms, the soonest to end first."""
        held = [
            coupon
            for coupon in self._held.get(member, ())
            if coupon.valid_until_ms > pays_ms and self._redeems(coupon)
        ]
        return sorted(held, key=lambda coupon: (coupon.valid_until_ms, coupon.code))[:MAX_COUPONS_A_VISIT]

    def take_out(self, coupon: WalletCoupon) -> None:
        """For one cart: the member's other visit at the same time cannot use it as well."""
        self._held[coupon.member].remove(coupon)

    def put_back(self, coupon: WalletCoupon) -> None:
        """The cart had no use for it."""
        self._held[coupon.member].append(coupon)

    def _redeems(self, coupon: WalletCoupon) -> bool:
        digest = hashlib.sha256(f"{self._salt}/{coupon.code}".encode()).digest()
        return digest[0] / 256 < REDEEMING_SHARE
