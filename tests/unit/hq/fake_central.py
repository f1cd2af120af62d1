"""What a small centre of HQ's tests knows: the contract's models with plausible data, that decides and fails on demand."""

import math
import random
from dataclasses import dataclass, field

from fake_rows import chain_calendar, mill_calendar
from fake_shops import DAY_MS, MIDNIGHT_MS, NAMES, NOW_MS, SHOPS, STEPS, Z, day_text

from contract.api.common import AuditView, Decision
from contract.api.doors import DoorsView
from contract.api.feed import WebhookView
from contract.api.gateways import GatewaySign, TwinView
from contract.api.offers import CampaignCause, CampaignChange, CampaignView
from contract.api.replays import ReplayPost
from contract.api.restock import KillSwitch, TriggerState, TriggerView
from contract.api.rollouts import (
    AlertNote,
    ConfigPut,
    RolloutAction,
    RolloutView,
)
from contract.api.stores import (
    Accounting,
    Balance,
    CellTally,
    DayBalance,
    DayPoint,
    ForecastPoint,
    GatewayView,
    OrderFlag,
    Overview,
    PriceStep,
    SeriesPoint,
    SkuSeries,
    SkuView,
    StoreView,
    TransmissionTally,
    TriggerTally,
)
from contract.calendar import Calendar
from contract.devices import ClockQuality
from contract.gateway_state import GatewayState
from contract.records import QUANTILE_LEVELS


@dataclass
class FakeCentral:
    """What a test may change. fail: HTTP status for every route but health, 0 for none. held: no answer while it is true.

    no_store: answers say that they must not be kept. under_way: requests that are not answered yet.
    """

    now_ms: int = NOW_MS
    fail: int = 0
    held: bool = False
    empty: bool = False
    no_store: bool = False
    under_way: set[int] = field(default_factory=set)
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
    calendars: dict[str, Calendar] = field(
        default_factory=lambda: {"": chain_calendar(), "s31862": mill_calendar()}
    )
    calendar_version: int = 3
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
            for place, (store, name, region) in enumerate(SHOPS)
        ]  # fmt: skip

    def days(self) -> list[DayPoint]:
        rng = random.Random(7)
        return [
            DayPoint(
                day=day_text(offset), store=store, receipts=rng.randint(120, 170) if offset else 61,
                units=(units := rng.randint(900, 1400) if offset else 512), cents=units * 352, stock_out_ms=rng.randint(0, 9_000_000), shrink_units=rng.randint(0, 4),
            )
            for store, _, _ in (() if self.empty else SHOPS)
            for offset in range(27, -1, -1)
        ]  # fmt: skip

    def skus(self, store: str) -> list[SkuView]:
        rng = random.Random(store)
        return [
            SkuView(
                store=store, sku=str(900_000 + place), name=NAMES[place % 12][0] + (f" #{place // 12}" if place >= 12 else ""),
                category=NAMES[place % 12][1], price_cents=rng.randint(79, 1499),
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
                store=store, register_id=f"till-{till}", business_date=day_text(offset),
                receipts=Balance(tills=70, ledger=70 - (lost if offset == 2 else 0)), lines=Balance(tills=640, ledger=640),
                units=Balance(tills=700, ledger=700), cents=Balance(tills=245_000, ledger=245_000 - (lost * 1299 if offset == 2 else 0)),
                balanced=not (lost and offset == 2),
            )
            for store, _, _ in SHOPS for till in (1, 2) for offset in range(1, 28)
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
            for place, (store, _, _) in enumerate(SHOPS)
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
    for store, store_name, _ in SHOPS:
        for place, state in enumerate(states[: 8 if store == "s367" else 4], start=1):
            name = NAMES[(place - 1) % 12][0]
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


def _forecast(day: int) -> ForecastPoint:
    mean = 9 + 4 * math.sin(day / 7 * 2 * math.pi)
    quantiles = [round(max(0.0, mean + z * mean**0.5), 2) for z in Z]
    assert len(quantiles) == len(QUANTILE_LEVELS)
    return ForecastPoint(
        day=day_text(-day), at_ms=MIDNIGHT_MS + day * DAY_MS, mean=round(mean, 2), quantiles=quantiles
    )
