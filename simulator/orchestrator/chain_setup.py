"""What the chain tells its centre before a shop opens: shops, goods, shelves, prices, supply, history, members, campaigns."""

import hashlib
import math
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import h3

from contract.documents import SupplyLine
from simulator.catalogue import (
    DAY_MS,
    HOUR_MS,
    PROMOTIONS_AFTER_DAYS,
    PROMOTIONS_BEFORE_DAYS,
    ShopFile,
    ShopItem,
)
from simulator.orchestrator.centre_admin import CentreAdmin

SHOP_POINTS = (
    (39.1031, -84.5120),
    (39.7589, -84.1916),
    (38.0406, -84.5037),
    (38.2527, -85.7585),
    (39.9612, -82.9988),
)
"""Somewhere in the shops of Ohio and Kentucky: invented, only the coarse cell is ever told."""
H3_RESOLUTION = 8
MEMBER_RINGS = 3
MEMBERS_PER_SHOP = 150
MARKETING_SHARE, LOCATION_SHARE = 0.7, 0.85
CELL_TTL_S = 7 * 86_400
REFRESH_CELLS_MS = 5 * DAY_MS
"""Members' phones tell their cell again before its time to live ends."""
OPENS_MINUTE, CLOSES_MINUTE = 6 * 60, 24 * 60
HOLIDAYS = (
    ("2017-05-29", "Memorial Day"), ("2017-07-04", "Independence Day"), ("2017-09-04", "Labor Day"),
    ("2017-11-23", "Thanksgiving"), ("2017-12-25", "Christmas Day"),
)  # fmt: skip
"""Of the year of the receipts, where households of the United States shop otherwise."""
EVENTS = (("2017-10-31", "Halloween"), ("2017-12-24", "Christmas Eve"), ("2017-12-31", "New Year's Eve"))
PRICE_CHANGE_EVERY_DAYS, PRICE_CHANGES = 7, 8
COST_SHARE = 0.65
FRESH = frozenset({"PRODUCE", "DELI", "DAIRY", "BAKERY", "MILK", "EGGS", "BREAD", "FRUIT", "CHEESE"})


FRESH_DEPOT, DRY_DEPOT = "fresh-depot", "dry-depot"
EVERY_DAY, WORKDAYS = list(range(7)), list(range(6))


@dataclass(frozen=True, slots=True)
class PriceChange:
    """At `at_ms` the goods cost `price_cents`; told to the centre at `tell_ms`."""

    tell_ms: int
    at_ms: int
    price_cents: dict[str, int]


def put_suppliers(admin: CentreAdmin, timezone: str) -> None:
    """When the depots take orders: fresh goods every evening for tomorrow's lorry, the rest on six evenings for the day after's."""
    common = {"timezone": timezone, "freeze_min": 30}
    admin.put(
        f"/v1/suppliers/{FRESH_DEPOT}",
        {
            **common,
            "name": "Fresh depot",
            "order_weekdays": EVERY_DAY,
            "cutoff_minute": 20 * 60,
            "lead_time_days": 1,
        },
    )
    admin.put(
        f"/v1/suppliers/{DRY_DEPOT}",
        {
            **common, "name": "Dry goods depot", "order_weekdays": WORKDAYS, "cutoff_minute": 18 * 60,
            "lead_time_days": 2, "delivery_weekdays": WORKDAYS, "emergency_lead_days": 1,
        },
    )  # fmt: skip


def set_up_store(admin: CentreAdmin, shop: ShopFile, number: int) -> None:
    """number: from 0, decides where the shop lies."""
    path = f"/v1/stores/{shop.shop}"
    hours = [
        {"weekday": day, "opens_minute": OPENS_MINUTE, "closes_minute": CLOSES_MINUTE} for day in range(7)
    ]
    admin.put(
        path,
        {
            "name": f"Shop {number + 1}", "region": "Ohio valley", "timezone": shop.timezone, "currency": "USD",
            "h3_cell": shop_cell(number), "hours": hours, "closed_days": [],
        },
    )  # fmt: skip
    admin.put(
        f"{path}/items", {"items": [item.model_dump(mode="json") for item in shop.items_document().items]}
    )
    planogram = shop.planogram_document().model_dump(mode="json", include={"facings", "esl_base"})
    admin.put(f"{path}/planogram", planogram)
    admin.put(
        f"{path}/prices",
        {"prices": [price.model_dump(mode="json") for price in shop.prices_document().prices]},
    )
    admin.put(
        f"{path}/supply",
        {"lines": [supply_line(item).model_dump(mode="json") for item in managed_items(shop)]},
    )
    history = shop.history_document().model_dump(mode="json", include={"first_live_day", "rows"})
    admin.put(f"{path}/history", history)


def put_calendars(admin: CentreAdmin, shops: Iterable[ShopFile]) -> None:
    """The year's days for the chain, then each shop's own calendar: those days, and what the mailer shows of its goods."""
    files = list(shops)
    if files:
        admin.put("/v1/calendar", calendar(files[0]))
    for shop in files:
        promotions = [each.model_dump(mode="json") for each in shop.promotions()]
        admin.put(f"/v1/stores/{shop.shop}/calendar", {**calendar(shop), "promotions": promotions})


def calendar(shop: ShopFile) -> dict[str, object]:
    """The holidays and events around the replayed days, as far as the file tells promotions: within it, it is taken to be complete."""
    first = (shop.first_day - timedelta(days=PROMOTIONS_BEFORE_DAYS)).isoformat()
    last = (shop.first_day + timedelta(days=shop.days + PROMOTIONS_AFTER_DAYS)).isoformat()
    named = [("holiday", *each) for each in HOLIDAYS] + [("event", *each) for each in EVENTS]
    days = [
        {"kind": kind, "from_day": day, "until_day": day, "name": name}
        for kind, day, name in named
        if first <= day <= last
    ]
    return {"from_day": first, "until_day": last, "days": days}


def managed_items(shop: ShopFile) -> list[ShopItem]:
    return [item for item in shop.items.values() if item.cell_rank is not None]


def supply_line(item: ShopItem) -> SupplyLine:
    """How the goods reach the shop: fresh ones from tomorrow's lorry, the rest from the day after's; packs of about a day's sales."""
    fresh = any(word in item.category.upper() for word in FRESH)
    return SupplyLine(
        sku=item.sku,
        supplier=FRESH_DEPOT if fresh else DRY_DEPOT,
        lead_time_days=1 if fresh else 2,
        review_days=1,
        pack_units=6 if item.daily_units < 4 else 12,
        min_order_units=0,
        shelf_life_days=10 if fresh else 180,
        max_stock_units=max(60, math.ceil(item.daily_units * 14)),
        service_level=0.95,
        cost_cents=max(1, round(item.price_cents * COST_SHARE)),
    )


def shop_cell(number: int) -> str:
    latitude, longitude = SHOP_POINTS[number % len(SHOP_POINTS)]
    return str(h3.latlng_to_cell(latitude + 0.2 * (number // len(SHOP_POINTS)), longitude, H3_RESOLUTION))


def members_of(shop: ShopFile) -> list[str]:
    """The app's users among those who shop here: a fixed draw, the same in every run."""
    return sorted(shop.members(), key=lambda member: hashlib.sha256(member.encode()).digest())[
        :MEMBERS_PER_SHOP
    ]


def put_members(admin: CentreAdmin, shop: ShopFile, number: int) -> int:
    """Consents and coarse cells of the members, as their phones would tell them. Returns how many."""
    cells = sorted(h3.grid_disk(shop_cell(number), MEMBER_RINGS))
    members = members_of(shop)

    def put(member: str) -> None:
        rng = random.Random(member)  # noqa: S311 - a member's fixed choices
        body = {
            "marketing_consent": rng.random() < MARKETING_SHARE,
            "location_consent": rng.random() < LOCATION_SHARE,
            "h3_cell": rng.choice(cells),
            "cell_ttl_s": CELL_TTL_S,
            "timezone": shop.timezone,
        }
        admin.put(f"/v1/members/{member}", body)

    # Side by side, so that the centre's group commit can take several at once.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, members))
    return len(members)


def put_campaigns(admin: CentreAdmin, start_ms: int, end_ms: int) -> None:
    common = {
        "budget_cents": 500_000, "cap_per_member": 4, "cap_total": 5000, "cap_per_day": 40, "holdout_percent": 10,
        "reach_rings": 3, "valid_days": 7, "starts_ms": start_ms, "ends_ms": end_ms + 7 * DAY_MS,
    }  # fmt: skip
    admin.put(
        "/v1/campaigns/surplus-near-you",
        {
            **common, "cause": "surplus", "name": "Plenty on the shelf", "discount_percent": 20, "max_discount_cents": 150,
            "surplus_cover_days": 6.0,
        },
    )  # fmt: skip
    admin.put(
        "/v1/campaigns/hot-this-week",
        {
            **common,
            "cause": "hot-category",
            "name": "Hot this week",
            "discount_percent": 10,
            "max_discount_cents": 100,
        },
    )


def price_changes(shop: ShopFile) -> list[PriceChange]:
    """A few goods change their price every week at four in the morning, told the evening before; the first on day 2."""
    rng = random.Random(f"prices {shop.shop} {shop.first_day}")  # noqa: S311 - a plan to be repeated
    changes = []
    for day in range(1, shop.days, PRICE_CHANGE_EVERY_DAYS):
        at_ms = shop.start_ms + day * DAY_MS + 4 * HOUR_MS
        chosen = rng.sample(managed_items(shop), PRICE_CHANGES)
        cents = {
            item.sku: max(1, round(item.price_cents * rng.choice((0.9, 0.95, 1.05, 1.1)))) for item in chosen
        }
        changes.append(PriceChange(at_ms - 6 * HOUR_MS, at_ms, cents))
    return changes


def put_prices(admin: CentreAdmin, shop: ShopFile, told: list[PriceChange]) -> None:
    """The whole price list: the opening prices and every change told so far."""
    prices = [price.model_dump(mode="json") for price in shop.prices_document().prices]
    for change in told:
        prices.extend(
            {"sku": sku, "price_cents": cents, "from_ms": change.at_ms}
            for sku, cents in change.price_cents.items()
        )
    admin.put(f"/v1/stores/{shop.shop}/prices", {"prices": prices})


def put_swapped_planogram(admin: CentreAdmin, shop: ShopFile) -> None:
    planogram = shop.planogram_document(with_swap=True).model_dump(
        mode="json", include={"facings", "esl_base"}
    )
    admin.put(f"/v1/stores/{shop.shop}/planogram", planogram)
