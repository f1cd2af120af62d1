"""The made-up chain of HQ's tests: its shops, its goods, and the moment that it is there."""

TOKEN = "slt_test"
DAY_MS = 86_400_000
NOW_MS = 1_746_280_800_000
"""Sat 3 May 2025, 10:00 in New York."""
MIDNIGHT_MS = NOW_MS - 10 * 3_600_000
STEPS = {"15m": 900_000, "1h": 3_600_000, "1d": DAY_MS}
Z = (-1.96, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64, 1.96, 2.33)
NAMES = (
    ("Bananas, loose", "Fruit"), ("Whole milk 1 gal", "Dairy"), ("White bread 20 oz", "Bakery"),
    ("Cola 12 x 12 fl oz", "Soft drinks"), ("Potato chips 10 oz", "Snacks"), ("Ground coffee 30 oz", "Coffee"),
    ("Large eggs, dozen", "Dairy"), ("Shredded cheddar 8 oz", "Dairy"), ("Spaghetti 1 lb", "Dry goods"),
    ("Tomato sauce 15 oz", "Dry goods"), ("Toilet paper 12 rolls", "Household"), ("Baby carrots 1 lb", "Vegetables"),
)  # fmt: skip
SHOPS = (
    ("s367", "Shop 367, Elm Street", "North"),
    ("s406", "Shop 406, Harbour", "North"),
    ("s31862", "Shop 31862, Mill Road", "South"),
)


def day_text(days_ago: int) -> str:
    from datetime import date, timedelta

    return (date(2025, 5, 3) - timedelta(days=days_ago)).isoformat()
