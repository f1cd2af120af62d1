"""Rows of the made-up chain that change with nothing that a test does."""

import random
from typing import Any

from fake_shops import DAY_MS, NOW_MS, day_text

from contract.api.outlook import CategoryOutlook, Driver
from contract.api.proposals import ProposalView
from contract.api.replays import Figures, ReplayDay, ReplayView
from contract.api.restock import TriggerState
from contract.api.rollouts import (
    RolloutMode,
    RolloutState,
    RolloutView,
    ScoreDay,
    ScoreView,
)
from contract.api.suppliers import SupplierView
from contract.api.transfers import MismatchRegion, MismatchView, TransferOffer, TransferView
from contract.calendar import Calendar, CalendarDays, DayKind


def supplier_views(now_ms: int) -> list[SupplierView]:
    common = {"timezone": "America/New_York", "cutoff_minute": 990, "stocked_skus": 0, "changed_ms": now_ms}
    return [
        SupplierView(
            **common, supplier="fresh-co", name="Fresh & Co", order_weekdays=list(range(7)), lead_time_days=1, freeze_min=30,
            emergency_lead_days=0, next_cutoff_ms=now_ms + 6 * 3_600_000, next_delivery_day="2025-05-04",
        ),
        SupplierView(
            **common, supplier="dry-goods-inc", name="Dry Goods Inc.", order_weekdays=[0, 1, 2, 3, 4], lead_time_days=2,
            delivery_weekdays=[1, 4], next_cutoff_ms=None, next_delivery_day=None,
        ),
    ]  # fmt: skip


def chain_calendar() -> Calendar:
    """Around the chain's day, Sat 3 May 2025: holidays, a school holiday, paydays, a leaflet with two discounts, one that is over."""
    spring = {"from_day": "2025-05-05", "until_day": "2025-05-11", "name": "Leaflet 19"}
    return Calendar.model_validate(
        {
            "from_day": "2025-03-01", "until_day": "2025-06-30",
            "days": [
                {"kind": "holiday", "from_day": "2025-05-26", "until_day": "2025-05-26", "name": "Memorial Day"},
                {"kind": "event", "from_day": "2025-05-11", "until_day": "2025-05-11", "name": "Mother's Day"},
                {"kind": "school_holiday", "from_day": "2025-04-14", "until_day": "2025-04-18", "name": "Spring break"},
                {"kind": "payday", "from_day": "2025-05-15", "until_day": "2025-05-15"},
                {"kind": "payday", "from_day": "2025-05-30", "until_day": "2025-05-30"},
            ],
            "promotions": [
                {**spring, "skus": ["900003", "900004", "900009"], "discount_percent": 20},
                {**spring, "categories": ["Snacks"], "discount_percent": 30},
                {"from_day": "2025-04-21", "until_day": "2025-04-27", "skus": ["900001"], "name": "<b>Dairy & more</b>"},
            ],
            "weather": [{"day": "2025-05-04", "rain_mm": 3.5, "temperature_c": 14.0}],
        }
    )  # fmt: skip


def mill_calendar() -> Calendar:
    """The chain's with a fair of its own."""
    fair = CalendarDays(
        kind=DayKind.EVENT, from_day="2025-05-10", until_day="2025-05-10", name="Mill Road fair"
    )
    known = chain_calendar()
    return known.model_copy(update={"days": [*known.days, fair]})


def mismatch_rows() -> list[MismatchView]:
    """Short in the north: one that is worth a trip, one for which a transfer is open, one that nothing helps; spare in both."""

    def line(
        store: str, name: str, region: str, sku: str, good: str, missed: float, spare: int, **more: Any
    ) -> MismatchView:
        return MismatchView(
            store=store, sku=sku, spare_units=spare, missed_units=missed, store_name=name, region=region, name=good,
            currency="USD", at_ms=NOW_MS - 600_000, **more,
        )  # fmt: skip

    elm, harbour, mill = (
        ("s367", "Shop 367, Elm Street", "North"),
        ("s406", "Shop 406, Harbour", "North"),
        ("s343", "Shop 343, Mill Road", "South"),
    )
    offer = TransferOffer(
        giver="s406", giver_name="Shop 406, Harbour", quantity_units=24, distance_km=11.6, net_cents=2_140,
        against_order_cents=650,
    )  # fmt: skip
    return [
        line(*elm, "900003", "Cola 12 x 12 fl oz", 21.4, 0, offer=offer),
        line(*elm, "900004", "Whole milk 1 gal", 9.8, 0, trigger="s367-r41"),
        line(*mill, "900003", "Cola 12 x 12 fl oz", 3.2, 0),
        line(*harbour, "900003", "Cola 12 x 12 fl oz", 0.0, 66),
        line(*mill, "900005", "Bananas, loose bunch of six", 0.0, 40),
    ]


def mismatch_sums() -> list[MismatchRegion]:
    def row(
        region: str, short: int, missed: float, skus: int, spare: int, offers: int, units: int, net: int
    ) -> MismatchRegion:
        return MismatchRegion(
            region=region, currency="USD", stores=2, short_skus=short, missed_units=missed, spare_skus=skus,
            spare_units=spare, offers=offers, offered_units=units, net_cents=net, at_ms=NOW_MS - 600_000,
        )  # fmt: skip

    return [row("North", 2, 31.2, 1, 66, 1, 24, 2_140), row("South", 1, 3.2, 1, 40, 0, 0, 0)]


def transfer_view() -> TransferView:
    return TransferView(
        trigger="s343-r7", store="s367", direction="leaves", sku="900005", name="Bananas, loose bunch of six",
        quantity_units=12, other_store="s343", other_name="Shop 343, Mill Road", state=TriggerState.APPROVED,
        why="12 units from s367, 9 km away, which does not need them before its own delivery", despatch=None,
        changed_ms=NOW_MS - 7_200_000,
    )  # fmt: skip


def proposal_rows(store: str) -> list[ProposalView]:
    """One that became an order, one of which nothing came."""
    became = ProposalView(
        store=store, gateway="gw-1", sku="900003", at_ms=NOW_MS - 3_600_000, outcome="approved: s367-r1.1", quantity_units=24,
        on_hand_units=6, on_order_units=0, target_units=28.5, expected_stock_out_units=9.2,
        reasons=["ordered up to the target level at arrival"], doubt="", bundle="demo@1", watermark_ms=NOW_MS,
    )  # fmt: skip
    nothing = became.model_copy(
        update={"at_ms": NOW_MS - 7_200_000, "outcome": "held: no item or supply line at the centre"}
    )
    return [became, nothing]


def outlook_rows() -> list[CategoryOutlook]:
    """One category hot in the north, one cool in the south, the rest as usual."""

    def row(
        region: str, category: str, expected: float, usual: float, spread: float, verdict: str
    ) -> CategoryOutlook:
        driver = Driver(
            store="s367", store_name="Shop 367, Elm Street", sku="900003", name="Cola 12 x 12 fl oz",
            expected_units=expected / 3, usual_units=usual / 3,
        )  # fmt: skip
        return CategoryOutlook.model_validate(
            {
                "region": region, "category": category, "expected_units": expected, "low_units": expected - spread,
                "high_units": expected + spread, "usual_units": usual, "verdict": verdict, "stores": 2, "skus": 14,
                "drivers": [driver] if verdict != "usual" else [],
            }
        )  # fmt: skip

    return [
        row("North", "Soft drinks", 812, 604, 96, "hot"),
        row("South", "Bakery", 210, 318, 61, "cool"),
        row("North", "Dairy", 505, 498, 70, "usual"),
        row("South", "Snacks", 12, 0, 8, "usual"),
    ]


def replay_view(store: str, days: int) -> ReplayView:
    """A change that misses less and holds more."""
    rng = random.Random(store)

    def figures(missed: int, stock: int) -> Figures:
        return Figures(
            orders=9, ordered_units=220, ordered_cents=61_000, asked=1, demand_units=230, missed_units=missed,
            stock_out_minutes=missed * 11, wasted_units=2, stock_unit_days=stock,
        )  # fmt: skip

    found = [
        ReplayDay(
            day=day_text(offset), now=figures(rng.randint(4, 14), 900), then=figures(rng.randint(0, 5), 1_060)
        )
        for offset in range(days, 0, -1)
    ]
    return ReplayView(store=store, skus=118, skus_left_out=0, days=found)


def rollout_view(now_ms: int, number: int = 1, **changes: object) -> RolloutView:
    """A shadow that does a little better than the current bundle."""

    def score(bundle: str, wql: float) -> ScoreView:
        return ScoreView(
            bundle=bundle, stores=3, days=5, sku_days=1860, wql=wql, bias=-0.03, coverage_80=0.81, coverage_95=0.95
        )  # fmt: skip

    view = RolloutView(
        rollout=number, sha256="a" * 64, name="demand@2025-05", mode=RolloutMode.SHADOW, state=RolloutState.RUNNING,
        percent=100, max_refusals=1, who="J. Doe", reason="new training", created_ms=now_ms - 6 * DAY_MS,
        changed_ms=now_ms - 6 * DAY_MS, stores=3, by_state={"shadow": 2, "refused": 1},
        refusals=["s406: live sanity: coverage: 61% of 420 realised SKU-days lie in its 95 % band"],
        current=score("demo-2025-04", 0.431), candidate=score("demand@2025-05", 0.412),
        days=[ScoreDay(day=f"2025-04-2{day}", current_wql=0.43, candidate_wql=0.42) for day in range(5)],
        may_promote=True, advice="better: WQL 0.412 against 0.431 (-4.4 %) over 1860 SKU-days",
    )  # fmt: skip
    return view.model_copy(update=changes)
