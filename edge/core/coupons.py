"""Coupon codes on receipts, verified with no line to the centre.

The sale has happened: a bad code is never a reason to lose a receipt. What is found goes into counters and alerts.
"""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import TypeAdapter

from contract.coupons import PREFIX_CHARS, code_is_genuine, normal_code
from contract.documents import CouponKey
from edge.core.rows import Row, Rows

MAX_REMEMBERED = 5000


class CouponVerdict(StrEnum):
    GENUINE = "genuine"
    REVERSED = "reversed"
    UNKNOWN_CAMPAIGN = "unknown-campaign"
    FORGED = "forged"
    EXPIRED = "expired"
    USED_BEFORE = "used-before"
    OVER_QUOTA = "over-quota"


class Coupons:
    def __init__(self) -> None:
        self.used: Rows[int] = Rows("coupon", TypeAdapter(int))
        """Normal code -> when it was redeemed here."""
        self.counts: Rows[int] = Rows("quota", TypeAdapter(int))
        """Campaign -> redemptions here."""

    def redeem(self, text: str, keys: Mapping[str, CouponKey], at_ms: int) -> CouponVerdict:
        code = normal_code(text)
        key = keys.get(code[:PREFIX_CHARS])
        if key is None:
            return CouponVerdict.UNKNOWN_CAMPAIGN
        if not code_is_genuine(code, bytes.fromhex(key.key_hex)):
            return CouponVerdict.FORGED
        if code in self.used.by_key:
            return CouponVerdict.USED_BEFORE
        if not key.valid_from_ms <= at_ms < key.valid_until_ms:
            return CouponVerdict.EXPIRED
        count = self.counts.by_key.get(key.campaign, 0)
        self._remember(code, at_ms)
        self.counts.put(key.campaign, count + 1)
        return CouponVerdict.OVER_QUOTA if count >= key.quota else CouponVerdict.GENUINE

    def reverse(self, text: str, keys: Mapping[str, CouponKey]) -> CouponVerdict:
        """Goods bought with the coupon came back: it counts as not redeemed."""
        code = normal_code(text)
        key = keys.get(code[:PREFIX_CHARS])
        if code in self.used.by_key:
            self.used.drop(code)
            if key is not None:
                self.counts.put(key.campaign, max(0, self.counts.by_key.get(key.campaign, 0) - 1))
        return CouponVerdict.REVERSED

    def changed(self) -> list[Row]:
        return self.used.changed() + self.counts.changed()

    def _remember(self, code: str, at_ms: int) -> None:
        self.used.put(code, at_ms)
        if len(self.used.by_key) > MAX_REMEMBERED:
            self.used.drop(min(self.used.by_key, key=lambda old: (self.used.by_key[old], old)))
