"""A small centre for HQ's tests: serves the contract's models with plausible data, decides, and fails on demand.

`python tests/unit/hq/fake_central.py PORT` runs it alone, to look at the pages without a chain.
"""

import math
import random
import sys
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from contract.api.common import Accepted, AuditView, Decision, Health, Page
from contract.api.doors import DoorsView
from contract.api.feed import WebhookView
from contract.api.gateways import GatewaySign, TwinView
from contract.api.offers import CampaignCause, CampaignChange, CampaignView
from contract.api.outlook import CategoryOutlook, Driver, RegionalOutlook
from contract.api.proposals import ProposalView
from contract.api.replays import Figures, ReplayDay, ReplayPost, ReplayView
from contract.api.restock import Evidence, KillSwitch, TriggerState, TriggerView
from contract.api.rollouts import (
    AlertNote,
    BundleView,
    ConfigPut,
    ConfigView,
    RolloutAction,
    RolloutMode,
    RolloutPost,
    RolloutState,
    RolloutView,
    ScoreDay,
    ScoreView,
)
from contract.api.stores import (
    Accounting,
    AlertView,
    Balance,
    CellTally,
    DayBalance,
    DayPoint,
    ForecastPoint,
    GatewayView,
    OrderFlag,
    Overview,
    PriceStep,
    QuarantineView,
    SeriesPoint,
    SkuSeries,
    SkuView,
    StoreView,
    TransmissionTally,
    TriggerTally,
)
from contract.api.suppliers import SupplierView
from contract.api.transfers import MismatchRegion, MismatchView, TransferOffer, TransferView
from contract.devices import ClockQuality
from contract.gateway_state import GatewayState
from contract.records import QUANTILE_LEVELS

TOKEN = "slt_test"
DAY_MS = 86_400_000
NOW_MS = 1_746_280_800_000
"""Sat 3 May 2025, 10:00 in New York."""
MIDNIGHT_MS = NOW_MS - 10 * 3_600_000
STEPS = {"15m": 900_000, "1h": 3_600_000, "1d": DAY_MS}
_Z = (-1.96, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64, 1.96, 2.33)
_NAMES = (
    ("Bananas, loose", "Fruit"), ("Whole milk 1 gal", "Dairy"), ("White bread 20 oz", "Bakery"),
    ("Cola 12 x 12 fl oz", "Soft drinks"), ("Potato chips 10 oz", "Snacks"), ("Ground coffee 30 oz", "Coffee"),
    ("Large eggs, dozen", "Dairy"), ("Shredded cheddar 8 oz", "Dairy"), ("Spaghetti 1 lb", "Dry goods"),
    ("Tomato sauce 15 oz", "Dry goods"), ("Toilet paper 12 rolls", "Household"), ("Baby carrots 1 lb", "Vegetables"),
)  # fmt: skip
_SHOPS = (
    ("s367", "Shop 367, Elm Street", "North"),
    ("s406", "Shop 406, Harbour", "North"),
    ("s31862", "Shop 31862, Mill Road", "South"),
)


@dataclass
class FakeCentral:
    """What a test may change. fail: HTTP status for every route but health, 0 for none."""

    now_ms: int = NOW_MS
    fail: int = 0
    empty: bool = False
    conflict: set[str] = field(default_factory=set)
    balanced: bool = True
    troubled: bool = False
    campaign_changes: list[tuple[str, CampaignChange]] = field(default_factory=list)
    configs: dict[str, ConfigPut] = field(default_factory=dict)
    replays: list[tuple[str, ReplayPost]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    decisions: list[tuple[str, str, Decision]] = field(default_factory=list)
    switches: dict[tuple[str, str], KillSwitch] = field(default_factory=dict)
    audit: list[AuditView] = field(default_factory=list)
    triggers: dict[str, TriggerView] = field(default_factory=dict)
    sku_count: int = 120
    noted: list[AlertNote] = field(default_factory=list)
    rollouts: dict[int, RolloutView] = field(default_factory=dict)
    rollout_acts: list[tuple[int, str, RolloutAction]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for trigger in _triggers(self.now_ms):
            self.triggers[trigger.trigger] = trigger

    def stores(self) -> list[StoreView]:
        if self.empty:
            return []
        return [
            StoreView(
                store=store, name=name, region=region, timezone="America/New_York", currency="USD", h3_cell=None,
                today="2025-05-03", receipts=61 + 20 * place, units=512 + 90 * place, cents=181_240 + 31_117 * place,
                skus=self.sku_count, skus_out_of_stock=(2, 0, 5)[place],
                open_triggers=sum(t.store == store and t.state not in _ENDED for t in self.triggers.values()),
                waiting_triggers=sum(t.store == store and t.state is TriggerState.PROPOSED for t in self.triggers.values()),
                open_alerts=(1, 0, 2)[place], quarantined_total=(3, 0, 1)[place], gaps_total=0,
                newest_ms=self.now_ms - 40_000 * (place + 1), watermark_ms=self.now_ms - 120_000,
            )
            for place, (store, name, region) in enumerate(_SHOPS)
        ]  # fmt: skip

    def days(self) -> list[DayPoint]:
        rng = random.Random(7)
        return [
            DayPoint(
                day=_day(offset), store=store, receipts=rng.randint(120, 170) if offset else 61,
                units=(units := rng.randint(900, 1400) if offset else 512), cents=units * 352, stock_out_ms=rng.randint(0, 9_000_000), shrink_units=rng.randint(0, 4),
            )
            for store, _, _ in (() if self.empty else _SHOPS)
            for offset in range(27, -1, -1)
        ]  # fmt: skip

    def skus(self, store: str) -> list[SkuView]:
        rng = random.Random(store)
        return [
            SkuView(
                store=store, sku=str(900_000 + place), name=_NAMES[place % 12][0] + (f" #{place // 12}" if place >= 12 else ""),
                category=_NAMES[place % 12][1], price_cents=rng.randint(79, 1499),
                on_hand_units=None if place == 5 else 0 if place == 3 else rng.randint(1, 60), on_shelf_units=None if place == 5 else rng.randint(0, 20),
                on_order_units=rng.choice((0, 0, 12, 24)), sold_today_units=rng.randint(0, 14), sold_7_days_units=rng.randint(10, 120),
                forecast_7_days_units=None if place == 7 else round(rng.uniform(10, 120), 2),
                stock_out_today_ms=5_400_000 if place == 3 else 0, shrink_units=rng.choice((0, 0, 0, 2)),
                open_trigger=f"t-{store}-1" if place == 0 else None, newest_ms=self.now_ms - 60_000,
            )
            for place in range(self.sku_count)
        ]  # fmt: skip

    def series(self, store: str, sku: str, from_ms: int, to_ms: int, step: str) -> SkuSeries:
        step_ms = STEPS[step]
        begin = MIDNIGHT_MS - (MIDNIGHT_MS - from_ms) // step_ms * step_ms
        last = MIDNIGHT_MS + (min(to_ms, self.now_ms) - MIDNIGHT_MS) // step_ms * step_ms
        rng, on_hand, points, orders = random.Random(f"{store}{sku}{step}"), 40, [], []
        for at_ms in range(begin, last + 1, step_ms):
            day = (at_ms - MIDNIGHT_MS) // DAY_MS
            covered = not (step == "1d" and day in (-15, -14))
            mean = (9 + 4 * math.sin(day / 7 * 2 * math.pi)) * step_ms / DAY_MS
            sold = min(on_hand, max(0, round(rng.gauss(mean, mean**0.5)))) if covered else 0
            delivered = 48 if on_hand - sold < 6 and rng.random() < 0.6 else 0
            on_hand = on_hand - sold + delivered
            if delivered:
                orders.append(
                    OrderFlag(
                        at_ms=max(begin, at_ms - 2 * step_ms),
                        trigger=f"t-{at_ms}",
                        quantity_units=48,
                        state="closed",
                    )
                )
            points.append(
                SeriesPoint(
                    at_ms=at_ms, sold_units=sold, sold_cents=sold * 349, on_hand_units=on_hand if covered else None, picked_units=sold,
                    delivered_units=delivered, stock_out_ms=0 if on_hand or not covered else step_ms // 6, covered=covered,
                )
            )  # fmt: skip
        forecast = [_forecast(day) for day in range(-10, 14)] if step == "1d" else []
        prices = [
            PriceStep(at_ms=begin - DAY_MS, price_cents=349),
            PriceStep(at_ms=begin + (last - begin) // 2, price_cents=299),
        ]
        name = next(row.name for row in self.skus(store) if row.sku == sku)
        return SkuSeries(
            store=store, sku=sku, name=name, currency="USD", timezone="America/New_York", step_ms=step_ms,
            points=points, forecast=forecast, orders=orders, prices=prices,
        )  # fmt: skip

    def overview(self) -> Overview:
        states: dict[str, int] = {}
        for trigger in self.triggers.values():
            states[trigger.state] = states.get(trigger.state, 0) + 1
        stores = self.stores()
        return Overview(
            now_ms=self.now_ms, stores=stores, days=self.days(), triggers_by_state=states, waiting_triggers=states.get("proposed", 0),
            open_alerts=3, coupons={"issued": 120, "redeemed": 14}, gateways_online=2, gateways_total=3, losses=0,
            quarantined_total=4, lag_ms=120_000 if stores else None,
        )  # fmt: skip

    def accounting(self) -> Accounting:
        if self.empty:
            zero = Balance(tills=0, ledger=0)
            return Accounting(
                balanced=True,
                receipts=zero,
                lines=zero,
                units=zero,
                cents=zero,
                declared_gaps=0,
                days=[],
                open_days=0,
            )
        lost = 0 if self.balanced else 1
        days = [
            DayBalance(
                store=store, register_id=f"till-{till}", business_date=_day(offset),
                receipts=Balance(tills=70, ledger=70 - (lost if offset == 2 else 0)), lines=Balance(tills=640, ledger=640),
                units=Balance(tills=700, ledger=700), cents=Balance(tills=245_000, ledger=245_000 - (lost * 1299 if offset == 2 else 0)),
                balanced=not (lost and offset == 2),
            )
            for store, _, _ in _SHOPS for till in (1, 2) for offset in range(1, 28)
        ]  # fmt: skip

        def total(name: str) -> Balance:
            return Balance(
                tills=sum(getattr(day, name).tills for day in days),
                ledger=sum(getattr(day, name).ledger for day in days),
            )

        return Accounting(
            balanced=self.balanced, receipts=total("receipts"), lines=total("lines"), units=total("units"), cents=total("cents"),
            declared_gaps=0, days=days, open_days=6, closed_days=len(days), wrong_days=sum(not day.balanced for day in days),
            transmissions=TransmissionTally(accepted=812_345, duplicates=17, rejected=3, quarantined=4),
            cells=CellTally(picked_units=4_321, put_back_units=210, unresolved_units=2),
            triggers=TriggerTally(created=9, sent=6, acknowledged=5, waiting=3),
        )  # fmt: skip

    def gateways(self) -> list[GatewayView]:
        if self.empty:
            return []
        return [
            GatewayView(
                gateway=f"gw-{store}", store=store, version="0.1.0", bundle="demo-2025-04", online=place != 2,
                last_heard_ms=self.now_ms - (5_000, 9_000, 3_600_000)[place], watermark_ms=self.now_ms - (60_000, 61_000, 3_700_000)[place],
                epochs=1 + place, through_seq=81_234 + place, rejected_total=0, quarantined_total=(3, 0, 1)[place], gaps_total=0,
                counters={"messages_total": 812_345, "duplicates_total": 17, "crc_errors_total": 4, "outbox_rows": 0},
                devices_online=["shelf-1", "shelf-2", "till-1"] + (["till-2", "esl-1"] if place != 2 else []),
                devices_offline=["till-2", "esl-1"] if place == 2 else [],
                **_told(self.now_ms, place) if self.troubled else {},
            )
            for place, (store, _, _) in enumerate(_SHOPS)
        ]  # fmt: skip

    def doors(self) -> DoorsView:
        hook = WebhookView(
            webhook="wh-1", url="http://erp.example/hook?key=s3cret", types=[], enabled=True, delivered_total=40,
            failed_total=5, given_up_total=2, given_up_from=41, pending=1, last_status="HTTP 500", last_ms=self.now_ms - 120_000,
        )  # fmt: skip
        healthy = hook.model_copy(update={"webhook": "wh-2", "url": "http://app.example/", "failed_total": 0})
        some = not self.empty
        return DoorsView(
            since_ms=self.now_ms - DAY_MS, refused_tokens_total=7 * some, bad_batches_total=2 * some, bad_requests_total=0,
            webhooks=[hook, healthy] if some else [],
        )  # fmt: skip

    def campaigns(self) -> list[CampaignView]:
        if self.empty:
            return []
        common = {
            "starts_ms": self.now_ms - 20 * DAY_MS,
            "ends_ms": self.now_ms + 10 * DAY_MS,
            "budget_cents": 50_000,
        }
        return [
            CampaignView(
                campaign="surplus", cause=CampaignCause.SURPLUS, name="Eat it while it is fresh", active=True, audience=412, holdout=41, issued=180,
                delivered=176, redeemed=31, reversed=1, refused=2, expired=60, spent_cents=4_210, lift_cents=63.0, lift_low_cents=-12.0, lift_high_cents=138.0, **common,
            ),
            CampaignView(
                campaign="hot", cause=CampaignCause.HOT_CATEGORY, name="Barbecue week", active=False, audience=90, holdout=9, issued=22,
                delivered=22, redeemed=2, reversed=0, refused=0, expired=3, spent_cents=310, **common,
            ),
        ]  # fmt: skip

    def decide(self, trigger: str, act: str, decision: Decision) -> TriggerView | None:
        self.decisions.append((trigger, act, decision))
        old = self.triggers.get(trigger)
        if old is None or trigger in self.conflict or old.state is not TriggerState.PROPOSED:
            return None
        state = TriggerState.SENT if act == "approve" else TriggerState.REJECTED
        new = old.model_copy(
            update={
                "state": state,
                "changed_ms": self.now_ms,
                "quantity_units": decision.quantity_units or old.quantity_units,
            }
        )
        self.triggers[trigger] = new
        self.audit.insert(
            0,
            AuditView(
                at_ms=self.now_ms,
                store=new.store,
                who=decision.who,
                action=act,
                subject=trigger,
                reason=decision.reason,
            ),
        )
        return new


_ENDED = {
    TriggerState.CLOSED,
    TriggerState.REJECTED,
    TriggerState.CANCELLED,
    TriggerState.EXPIRED,
    TriggerState.SUPERSEDED,
}


def _told(now_ms: int, place: int) -> dict[str, object]:
    """A second box and a disk at its end at the first shop, all well at the second, silence at the third."""
    first = place == 0
    state = GatewayState(
        host=f"pi-{place}", uptime_s=86_400, outbox_rows=812 if first else 0, outbox_bytes=210_000 if first else 0,
        outbox_max_bytes=536_870_912, oldest_waiting_ms=95_000 if first else 0, slowest_commit_ms=12_400 if first else 41,
        clock_quality=ClockQuality.SYNCED,
    )  # fmt: skip
    twin = TwinView(
        run="r1",
        host="pi-spare",
        heard_host="pi-0",
        first_ms=now_ms - 600_000,
        last_ms=now_ms - 4_000,
        refusals=118,
    )
    stop = "Stop the box that does not belong here (systemctl disable --now shelfloop-edge)."
    disk = (
        "Replace the gateway's disk or SD card soon; the new one starts empty and loses nothing that is here."
    )
    power = "Look at its power and its line. The shop goes on alone and sends everything later."
    two = "two boxes speak as gw-s367: pi-0 is heard, pi-spare was refused 118 times"
    signs = (
        [
            GatewaySign(code="twin", tone="bad", text=two, do=stop),
            GatewaySign(code="disk-stalls", tone="bad", text="its disk hung for 12 s at one commit", do=disk),
        ],
        [],
        [GatewaySign(code="silent", tone="warn", text="it does not call", do=power)],
    )[place]
    told_ms = now_ms - (8_000, 11_000, 3_600_000)[place]
    return {"state": state, "told_ms": told_ms, "twin": twin if first else None, "signs": signs}


def _triggers(now_ms: int) -> list[TriggerView]:
    states = [TriggerState.PROPOSED] * 3 + [
        TriggerState.SENT,
        TriggerState.SHIPPED,
        TriggerState.CLOSED,
        TriggerState.CLOSED,
        TriggerState.REJECTED,
    ]
    made = []
    for store, store_name, _ in _SHOPS:
        for place, state in enumerate(states[: 8 if store == "s367" else 4], start=1):
            name = _NAMES[(place - 1) % 12][0]
            made.append(
                TriggerView(
                    trigger=f"t-{store}-{place}", revision=1, store=store, store_name=store_name, sku=str(900_000 + place - 1), gtin="09521234567890"[:14],
                    name=name, kind="emergency" if place == 2 else "restock", supplier=("fresh-co", "dry-goods-inc")[place % 2], state=state, quantity_units=24 * place, pack_units=12,
                    shipped_units=24 * place if state in ("shipped", "closed") else None, received_units=24 * place if state == "closed" else None,
                    value_cents=5_400 * place, on_hand_units=None if place == 3 else 9, on_order_units=12 if place == 1 else 0, expected_stock_out_units=7.4 / place,
                    why=f"{2 * place} packs: 80 % chance to run out before Thursday's delivery; 9 left, 12 on order",
                    doubt="value above the limit" if place == 1 else "stock unknown: the cell has been silent for 3 h" if place == 3 else "",
                    created_ms=now_ms - place * 5_400_000, changed_ms=now_ms - place * 3_600_000, expires_ms=None, bundle="demo-2025-04",
                    erp_document=f"PO-{4500 + place}" if state in ("shipped", "closed") else None, despatch=f"D-{88 + place}" if state == "shipped" else None,
                )
            )  # fmt: skip
    return made


def _day(days_ago: int) -> str:
    from datetime import date, timedelta

    return (date(2025, 5, 3) - timedelta(days=days_ago)).isoformat()


def _forecast(day: int) -> ForecastPoint:
    mean = 9 + 4 * math.sin(day / 7 * 2 * math.pi)
    quantiles = [round(max(0.0, mean + z * mean**0.5), 2) for z in _Z]
    assert len(quantiles) == len(QUANTILE_LEVELS)
    return ForecastPoint(
        day=_day(-day), at_ms=MIDNIGHT_MS + day * DAY_MS, mean=round(mean, 2), quantiles=quantiles
    )


def problem(status: int, title: str, detail: str = "") -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status,
        media_type="application/problem+json",
    )


def fake_app(fake: FakeCentral) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def rules(request: Request, call_next):
        fake.requests.append(f"{request.method} {request.url.path}")
        if request.url.path != "/healthz":
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return problem(401, "Unknown token", "Send a token of scope h.")
            if fake.fail:
                return problem(fake.fail, "Out of order", "The test asked for it.")
        return await call_next(request)

    @app.get("/healthz")
    def health() -> Health:
        status = "troubled" if fake.problems else "ok"
        return Health(status=status, version="0.1.0", now_ms=fake.now_ms, problems=fake.problems)

    @app.get("/v1/overview")
    def overview(from_ms: int, to_ms: int) -> Overview:
        assert from_ms < to_ms
        return fake.overview()

    @app.get("/v1/stores")
    def stores() -> Page[StoreView]:
        return Page[StoreView](rows=fake.stores())

    @app.get("/v1/stores/{store}", response_model=None)
    def store(store: str):
        return next((row for row in fake.stores() if row.store == store), None) or problem(
            404, "No such shop", f"{store} is unknown."
        )

    @app.get("/v1/stores/{store}/skus")
    def skus(
        store: str, search: str = "", sort: str = "name", after: str = "", limit: int = 50
    ) -> Page[SkuView]:
        rows = [
            row
            for row in fake.skus(store)
            if search.lower() in f"{row.name} {row.sku} {row.category}".lower()
        ]
        attribute = sort.lstrip("-") or "name"
        rows.sort(
            key=lambda row: (getattr(row, attribute) is None, getattr(row, attribute) or 0),
            reverse=sort.startswith("-"),
        )
        begin = int(after or 0)
        return Page[SkuView](
            rows=rows[begin : begin + limit],
            next=str(begin + limit) if begin + limit < len(rows) else None,
            total=len(rows),
        )

    @app.get("/v1/stores/{store}/skus/{sku}", response_model=None)
    def sku(store: str, sku: str):
        return next((row for row in fake.skus(store) if row.sku == sku), None) or problem(
            404, "No such SKU", f"{sku} is unknown."
        )

    @app.get("/v1/stores/{store}/skus/{sku}/series")
    def series(store: str, sku: str, from_ms: int, to_ms: int, step: str) -> SkuSeries:
        return fake.series(store, sku, from_ms, to_ms, step)

    @app.get("/v1/accounting")
    def accounting() -> Accounting:
        return fake.accounting()

    @app.get("/v1/alerts")
    def alerts() -> Page[AlertView]:
        rows = [
            AlertView(
                at_ms=fake.now_ms - 900_000,
                store="s367",
                code="cell-silent",
                subject="shelf-1/c07",
                severity="warning",
                text="No reading for 3 h; stock of one SKU is unknown.",
                cleared_ms=None,
                acknowledged_by=fake.noted[-1].who if fake.noted else "",
            ),
            AlertView(
                at_ms=fake.now_ms - 3_600_000,
                store="s31862",
                code="gateway-late",
                subject="gw-s31862",
                severity="critical",
                text="Nothing heard for 60 min.",
                cleared_ms=None,
            ),
            AlertView(
                at_ms=fake.now_ms - 7_200_000,
                store="s367",
                code="till-offline",
                subject="till-2",
                severity="warning",
                text="Connection lost.",
                cleared_ms=fake.now_ms - 7_000_000,
            ),
        ]
        return Page[AlertView](rows=[] if fake.empty else rows)

    @app.get("/v1/quarantine")
    def quarantine() -> Page[QuarantineView]:
        rows = [
            QuarantineView(
                at_ms=fake.now_ms - 500_000 * place,
                store="s367",
                where="gateway",
                source="till-1",
                stream="receipt",
                reason="GTIN 952123 has 6 digits; GTINs have 8, 12, 13 or 14",
                sample='{"lines":[{"gtin":"952123"}]} =cmd()',
            )
            for place in range(1, 4)
        ]
        return Page[QuarantineView](rows=[] if fake.empty else rows)

    @app.get("/v1/gateways")
    def gateways() -> Page[GatewayView]:
        return Page[GatewayView](rows=fake.gateways())

    @app.get("/v1/doors")
    def doors() -> DoorsView:
        return fake.doors()

    @app.get("/v1/campaigns")
    def campaigns() -> Page[CampaignView]:
        return Page[CampaignView](rows=fake.campaigns())

    @app.get("/v1/triggers")
    def triggers(store: str = "", state: str = "", sku: str = "") -> Page[TriggerView]:
        rows = [
            row
            for row in fake.triggers.values()
            if store in ("", row.store)
            and (not state or row.state in state.split(","))
            and sku in ("", row.sku)
        ]
        return Page[TriggerView](rows=[] if fake.empty else rows)

    @app.get("/v1/triggers/{trigger}/evidence")
    def evidence(trigger: str) -> Evidence:
        inputs = {
            "on_hand_units": 9,
            "on_order_units": 12,
            "lead_time_days": 2,
            "cumulative_quantiles": [1.0, 2.5],
            "fresh": True,
            "expires_ms": None,
        }
        return Evidence(
            trigger=trigger,
            inputs=inputs,
            watermark_ms=fake.now_ms - 60_000,
            rule="order-up-to/1",
            bundle="demo-2025-04",
            quantity_units=24,
            recomputed_quantity_units=24,
            agrees=True,
            note="",
        )

    @app.post("/v1/triggers/{trigger}/{act}", response_model=None)
    def decide(trigger: str, act: str, decision: Decision):
        return fake.decide(trigger, act, decision) or problem(
            409, "Already decided", f"{trigger} does not wait any more."
        )

    @app.get("/v1/audit")
    def audit() -> Page[AuditView]:
        return Page[AuditView](rows=fake.audit)

    @app.post("/v1/alerts/acknowledge")
    def acknowledge(note: AlertNote) -> Accepted:
        fake.noted.append(note)
        return Accepted(accepted=1)

    @app.get("/v1/bundles")
    def bundles() -> Page[BundleView]:
        rows = [BundleView(sha256="a" * 64, name="demand@2025-05", size_bytes=31_000, who="trainer", created_ms=fake.now_ms - DAY_MS)]  # fmt: skip
        return Page[BundleView](rows=rows)

    @app.get("/v1/rollouts")
    def rollouts() -> Page[RolloutView]:
        return Page[RolloutView](rows=sorted(fake.rollouts.values(), key=lambda one: -one.rollout))

    @app.post("/v1/rollouts")
    def begin(post: RolloutPost) -> RolloutView:
        number = len(fake.rollouts) + 1
        fake.rollouts[number] = rollout_view(
            fake.now_ms, number, mode=post.mode, percent=post.percent, who=post.who, reason=post.reason
        )
        return fake.rollouts[number]

    @app.post("/v1/rollouts/{number}/{action}")
    def act(number: int, action: str, by: RolloutAction) -> RolloutView:
        fake.rollout_acts.append((number, action, by))
        return fake.rollouts[number]

    @app.post("/v1/campaigns/{campaign}/change")
    def change_campaign(campaign: str, change: CampaignChange) -> CampaignView:
        fake.campaign_changes.append((campaign, change))
        return next(one for one in fake.campaigns() if one.campaign == campaign)

    @app.get("/v1/stores/{store}/config")
    def config(store: str) -> ConfigView:
        if store not in fake.configs:
            return ConfigView(version=0)
        put = fake.configs[store]
        return ConfigView(version=1, rules=put.rules, gates=put.gates)

    @app.put("/v1/stores/{store}/config")
    async def put_config(store: str, request: Request) -> Accepted:
        fake.configs[store] = ConfigPut.model_validate_json(await request.body())
        return Accepted(accepted=1, version=1)

    @app.get("/v1/suppliers")
    def suppliers() -> Page[SupplierView]:
        return Page[SupplierView](rows=[] if fake.empty else supplier_views(fake.now_ms))

    @app.get("/v1/mismatch")
    def mismatch(side: str = "", region: str = "", store: str = "") -> Page[MismatchView]:
        rows = [
            row
            for row in ([] if fake.empty else mismatch_rows())
            if (row.missed_units if side == "missed" else row.spare_units)
            and region in ("", row.region)
            and store in ("", row.store)
        ]
        return Page[MismatchView](rows=rows, total=len(rows))

    @app.get("/v1/mismatch/regions")
    def mismatch_regions() -> Page[MismatchRegion]:
        return Page[MismatchRegion](rows=[] if fake.empty else mismatch_sums())

    @app.get("/v1/stores/{store}/transfers")
    def transfers(store: str) -> Page[TransferView]:
        return Page[TransferView](rows=[transfer_view()] if store == "s367" and not fake.empty else [])

    @app.get("/v1/stores/{store}/proposals")
    def proposals(store: str, sku: str = "") -> Page[ProposalView]:
        rows = [] if fake.empty or sku not in ("", "900003") else proposal_rows(store)
        return Page[ProposalView](rows=rows)

    @app.get("/v1/regions/outlook")
    def outlook(region: str = "") -> RegionalOutlook:
        rows = [] if fake.empty else [row for row in outlook_rows() if region in ("", row.region)]
        return RegionalOutlook(
            days=7, from_day="2025-05-04", stores_read=3, stores_total=3, skus_left_out=4, rows=rows
        )

    @app.post("/v1/stores/{store}/replay")
    def replay(store: str, post: ReplayPost) -> ReplayView:
        fake.replays.append((store, post))
        return replay_view(store, post.days)

    @app.get("/v1/kill-switches")
    def switches() -> Page[KillSwitch]:
        return Page[KillSwitch](rows=list(fake.switches.values()))

    @app.put("/v1/kill-switches")
    def put_switch(switch: KillSwitch) -> KillSwitch:
        fake.switches[switch.scope, switch.target] = switch
        return switch

    return app


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
            day=_day(offset), now=figures(rng.randint(4, 14), 900), then=figures(rng.randint(0, 5), 1_060)
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


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(fake_app(FakeCentral()), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
