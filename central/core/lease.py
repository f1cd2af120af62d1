"""A store's lease of a campaign: the coupons and cents that it may promise alone, until it gives back the rest.

The chain counts what it granted; what was granted and not given back never exceeds the budget, so neither do all
coupons together, whichever process dies when.
"""

from dataclasses import dataclass

from contract.api.offers import CampaignPut

FEW_COUPONS = 5
"""A lease is for so many coupons of the largest discount at least, where there is so much left."""
LATE_MS = 3 * 86_400_000
"""An unused coupon's cents return so long after its end: tills that were cut off may tell of it until then."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What may still be promised. cents: negative where a coupon was used after its cents had returned."""

    coupons: int
    cents: int


def decide_lease(campaign: CampaignPut, left: Rest, stores: int) -> Rest:
    """The part of `left` for one of `stores` stores: never more than there is, so the last ones get little or nothing.

    One store alone gets what it may use in a day; of many, each at most half of its even share, so that a store that
    asks late finds something.
    """
    parts = max(2 * stores - 1, 1)
    coupons = min(max(left.coupons // parts, FEW_COUPONS), campaign.cap_per_day, max(left.coupons, 0))
    most = campaign.max_discount_cents
    cents = min(max(left.cents // parts, FEW_COUPONS * most), coupons * most, max(left.cents, 0))
    return Rest(coupons, cents)
