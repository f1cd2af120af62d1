"""Which coupons a campaign issues now: what to offer, to whom, and every reason not to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from central.core.audiences import HOLDOUT, Member, arm_of, lot_of, may_be_reached
from contract.api.offers import CampaignCause, CampaignPut

SAFE_COVER_DAYS = 2.0
"""Below this cover an item is about to be out of stock: no coupon goes out for it."""


@dataclass(frozen=True, slots=True)
class ItemState:
    """One SKU in one store. on_hand_units None: unknown, so nothing is offered. promised_units: coupons out for it.

    daily_units: forecast mean of today; today_high_units: its 90 % quantile.
    """

    sku: str
    gtin: str
    name: str
    category: str
    price_cents: int | None
    on_hand_units: int | None
    promised_units: int
    sold_today_units: int
    daily_units: float | None
    today_high_units: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What the campaign may still promise here, and what it did: today: coupons of this store's business day."""

    coupons_left: int
    cents_left: int
    today: int
    per_member: Mapping[str, int]
    members_today: frozenset[str] = frozenset()
    holders: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    item: ItemState
    discount_cents: int
    cause: str


@dataclass(frozen=True, slots=True)
class Issue:
    member: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class Round:
    """One evaluation of a campaign in one store. assigned: (member, arm) of everyone eligible, also the holdout.

    is_short: with more coupons or cents left, more would have been issued.
    """

    issues: tuple[Issue, ...]
    assigned: tuple[tuple[str, str], ...]
    is_short: bool = False


def decide_coupons(
    campaign: CampaignPut, salt: str, items: Sequence[ItemState], members: Iterable[Member], spent: Spent,
    *, now_ms: int, per_member_a_day: int = 1,
) -> Round:  # fmt: skip
    """The coupons to issue now, in a fixed order. `members` are those whose cell is within reach.

    per_member_a_day: over all campaigns; `spent.members_today` are those that have reached it.
    """
    if not is_running(campaign, now_ms) or per_member_a_day < 1:
        return Round((), ())
    offers = find_offers(campaign, items)
    if not offers:
        return Round((), ())
    eligible = [member for member in members if may_be_reached(member, now_ms)]
    eligible.sort(key=lambda member: lot_of(member.member, f"{salt}:{now_ms // 86_400_000}"))
    assigned = tuple(
        (member.member, arm_of(member.member, salt, campaign.holdout_percent)) for member in eligible
    )
    treated = [member for member, arm in assigned if arm != HOLDOUT]
    issues, is_short = _issues(campaign, offers, treated, spent)
    return Round(tuple(issues), assigned, is_short)


def is_running(campaign: CampaignPut, now_ms: int) -> bool:
    return campaign.active and campaign.starts_ms <= now_ms < campaign.ends_ms


def find_offers(campaign: CampaignPut, items: Sequence[ItemState]) -> list[Offer]:
    """What is worth offering, the most pressing first."""
    if campaign.cause is CampaignCause.SURPLUS:
        found = [item for item in items if _cover_days(item) > campaign.surplus_cover_days]
        found.sort(key=lambda item: (-_cover_days(item), item.sku))
        cause = f"more than {campaign.surplus_cover_days:g} days of stock"
    else:
        hot = hot_categories(items)
        found = [item for item in items if item.category in hot]
        found.sort(key=lambda item: (-item.sold_today_units, item.sku))
        cause = "its category sells above the forecast's 90 % band"
    safe = [item for item in found if is_safe(item)]
    return [Offer(item, _discount(campaign, item), cause) for item in safe if _discount(campaign, item) > 0]


def hot_categories(items: Sequence[ItemState]) -> set[str]:
    """Categories whose sales of today exceed the sum of their SKUs' 90 % quantiles, which is no less than the sum's quantile."""
    sold: dict[str, int] = {}
    high: dict[str, float] = {}
    for item in items:
        if item.today_high_units is not None:
            sold[item.category] = sold.get(item.category, 0) + item.sold_today_units
            high[item.category] = high.get(item.category, 0.0) + item.today_high_units
    return {category for category, units in sold.items() if units > high[category]}


def is_safe(item: ItemState) -> bool:
    """The stock interlock: after all promises, more is left than two days are expected to sell."""
    if item.on_hand_units is None or item.daily_units is None:
        return False
    left = item.on_hand_units - item.promised_units - 1
    return left > 0 and left >= SAFE_COVER_DAYS * item.daily_units


def _cover_days(item: ItemState) -> float:
    if item.on_hand_units is None or item.daily_units is None or item.on_hand_units <= 0:
        return 0.0
    return item.on_hand_units / max(item.daily_units, 0.05)


def _discount(campaign: CampaignPut, item: ItemState) -> int:
    if item.price_cents is None:
        return 0
    return min(item.price_cents * campaign.discount_percent // 100, campaign.max_discount_cents)


def _issues(
    campaign: CampaignPut, offers: list[Offer], members: list[str], spent: Spent
) -> tuple[list[Issue], bool]:
    coupons, cents = spent.coupons_left, spent.cents_left
    today = campaign.cap_per_day - spent.today
    promised: dict[str, int] = {}
    issues: list[Issue] = []
    turn, is_short = 0, False
    for member in members:
        if len(issues) >= today or (is_short and coupons <= 0):
            break
        if member in spent.members_today or spent.per_member.get(member, 0) >= campaign.cap_per_member:
            continue
        # Offers take turns, so that one item's surplus is not promised away while another waits.
        for step in range(len(offers)):
            offer = offers[(turn + step) % len(offers)]
            if (member, offer.item.sku) in spent.holders:
                continue
            if not is_safe(_with_promises(offer.item, promised.get(offer.item.sku, 0))):
                continue
            if coupons <= 0 or offer.discount_cents > cents:
                is_short = True
                continue
            turn += step + 1
            coupons, cents = coupons - 1, cents - offer.discount_cents
            promised[offer.item.sku] = promised.get(offer.item.sku, 0) + 1
            issues.append(Issue(member, offer))
            break
    return issues, is_short


def _with_promises(item: ItemState, more: int) -> ItemState:
    return ItemState(
        item.sku, item.gtin, item.name, item.category, item.price_cents, item.on_hand_units,
        item.promised_units + more, item.sold_today_units, item.daily_units, item.today_high_units,
    )  # fmt: skip
