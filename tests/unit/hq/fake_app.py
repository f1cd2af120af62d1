"""The small centre of HQ's tests over HTTP.

`python tests/unit/hq/fake_app.py PORT` runs it alone, to look at the pages without a chain.
"""

import asyncio
import sys

from fake_central import FakeCentral
from fake_rows import (
    mismatch_rows,
    mismatch_sums,
    outlook_rows,
    proposal_rows,
    replay_view,
    rollout_view,
    supplier_views,
    transfer_view,
)
from fake_shops import DAY_MS, TOKEN
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from central.core.calendars import calendar_from_csv, merged, without
from contract.api.calendars import (
    CalendarRemoval,
    CalendarsRemoved,
    CalendarsReport,
    CalendarView,
    KeptCalendar,
    StoreCalendar,
)
from contract.api.common import Accepted, AuditView, Decision, Health, Page
from contract.api.doors import DoorsView
from contract.api.masters import ImportReport
from contract.api.offers import CampaignChange, CampaignView
from contract.api.outlook import RegionalOutlook
from contract.api.proposals import ProposalView
from contract.api.replays import ReplayPost, ReplayView
from contract.api.restock import Evidence, KillSwitch, TriggerView
from contract.api.rollouts import (
    AlertNote,
    BundleView,
    ConfigPut,
    ConfigView,
    RolloutAction,
    RolloutPost,
    RolloutView,
)
from contract.api.stores import (
    Accounting,
    AlertView,
    GatewayView,
    Overview,
    QuarantineView,
    SkuSeries,
    SkuView,
    StoreView,
)
from contract.api.suppliers import SupplierView
from contract.api.transfers import MismatchRegion, MismatchView, TransferView


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
        while fake.held:  # noqa: ASYNC110 - the test that holds it runs in another thread
            await asyncio.sleep(0.02)
        if request.url.path != "/healthz":
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return problem(401, "Unknown token", "Send a token of scope h.")
            if fake.fail:
                return problem(fake.fail, "Out of order", "The test asked for it.")
        return await call_next(request)

    @app.middleware("http")
    async def under_way(request: Request, call_next):
        fake.under_way.add(id(request))
        try:
            reply = await call_next(request)
            if fake.no_store:
                reply.headers["Cache-Control"] = "no-store"
            return reply
        finally:
            fake.under_way.discard(id(request))

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

    @app.get("/v1/stores/{store}/calendar", response_model=None)
    def calendar(store: str):
        found = None if fake.empty else fake.calendars.get(store, fake.calendars.get(""))
        if found is None:
            return problem(404, "Not found", f"store {store} has no calendar")
        return CalendarView(
            store=store,
            version=fake.calendar_version,
            calendar=found,
            set_by="Ada Lovelace",
            set_ms=fake.now_ms - DAY_MS,
        )

    @app.get("/v1/calendar")
    def kept_calendar(region: str = "") -> KeptCalendar:
        mine = [row.store for row in fake.stores() if region in ("", row.region)]
        if fake.empty:
            return KeptCalendar(region=region or None)
        return KeptCalendar(
            region=region or None,
            version=fake.calendar_version,
            calendar=fake.calendars[""],
            set_by="Ada Lovelace",
            set_ms=fake.now_ms - DAY_MS,
            stores=[StoreCalendar(store=store, version=1, differs=store in fake.calendars) for store in mine],
        )

    def taken(text: str, store: str) -> ImportReport:
        read = calendar_from_csv(text)
        found = merged(fake.calendars.get(store), [row.value for row in read.good])
        fake.calendars[store], fake.calendar_version = found.calendar, fake.calendar_version + 1
        return ImportReport(
            rows=read.rows,
            added=found.added,
            changed=found.changed,
            unchanged=0,
            rejected_total=read.bad_rows,
            rejected=list(read.problems),
        )

    @app.post("/v1/stores/{store}/calendar")
    async def add_to_calendar(store: str, request: Request) -> ImportReport:
        return taken((await request.body()).decode(), store)

    @app.post("/v1/calendar")
    async def add_to_calendars(request: Request, region: str = "") -> CalendarsReport:
        report = taken((await request.body()).decode(), "")
        return CalendarsReport(
            stores={row.store: report for row in fake.stores() if region in ("", row.region)}
        )

    @app.post("/v1/stores/{store}/calendar/remove")
    def remove_from_calendar(store: str, removal: CalendarRemoval) -> Accepted:
        fake.calendars[store], removed = without(
            fake.calendars.get(store, fake.calendars[""]), removal.entries
        )
        return Accepted(accepted=removed, version=2)

    @app.post("/v1/calendar/remove")
    def remove_from_calendars(removal: CalendarRemoval, region: str = "") -> CalendarsRemoved:
        fake.calendars[""], removed = without(fake.calendars[""], removal.entries)
        return CalendarsRemoved(
            stores={row.store: removed for row in fake.stores() if region in ("", row.region)}
        )

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


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(fake_app(FakeCentral()), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
