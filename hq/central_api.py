"""The one door to the centre: its API, typed, with one request for many pages that ask the same."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from contract.api.calendars import (
    CalendarRemoval,
    CalendarsRemoved,
    CalendarsReport,
    CalendarView,
    KeptCalendar,
)
from contract.api.common import Accepted, AuditView, Decision, Health, Page, Problem
from contract.api.doors import DoorsView
from contract.api.masters import ImportReport
from contract.api.offers import CampaignChange, CampaignView
from contract.api.outlook import RegionalOutlook
from contract.api.people import LogIn, Me, SessionMade
from contract.api.proposals import OrderingView, ProposalView
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
from contract.api.suppliers import SupplierPut, SupplierView
from contract.api.transfers import MismatchRegion, MismatchView, TransferView
from hq.errors import CentralAwayError, CentralGarbledError, CentralRefusedError

MAX_ANSWERS = 64
"""Answers kept for pages that ask the same within a second; the oldest goes first."""
FRESH_S = 1.0
TIMEOUT = httpx.Timeout(15.0, connect=3.0)
REPLAY_TIMEOUT = httpx.Timeout(90.0, connect=3.0)
MAX_ROWS = 200
"""Rows asked for at once where a page shows them all; what is beyond is said, not hidden."""

SESSION_PREFIX = "slp_"
"""Of a person's session; a token of HQ's own begins otherwise."""

STILL_WORKS = "Shops go on selling and sensing; their data waits at the gateways."

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Kept:
    at_s: float
    answer: BaseModel


class CentralApi:
    """Asks and acts. Raises CentralAwayError, CentralRefusedError, CentralGarbledError; nothing else."""

    def __init__(self, url: str, token: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._has_own_token = bool(token) and not token.startswith(SESSION_PREFIX)
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=4),
        )
        self._monotonic_s = monotonic_s
        self._answers: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Any]] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def health(self) -> Health:
        return await self._get(Health, "/healthz", "the centre's health")

    async def me(self) -> Me:
        return await self._get(Me, "/v1/me", "who you are")

    async def log_in(self, attempt: LogIn) -> SessionMade:
        return await self._call(
            "POST", "/v1/sessions", "logging in", SessionMade, json=attempt.model_dump(mode="json")
        )

    async def log_out(self) -> None:
        await self._ask_for("DELETE", "/v1/sessions/mine", "logging out")

    async def overview(self, from_ms: int, to_ms: int) -> Overview:
        return await self._get(Overview, "/v1/overview", "the overview", from_ms=from_ms, to_ms=to_ms)

    async def accounting(self, store: str = "") -> Accounting:
        return await self._get(Accounting, "/v1/accounting", "the accounting", store=store)

    async def stores(self) -> Page[StoreView]:
        return await self._get(Page[StoreView], "/v1/stores", "the list of shops")

    async def store(self, store: str) -> StoreView:
        return await self._get(StoreView, f"/v1/stores/{_part(store)}", f"shop {store}")

    async def skus(
        self, store: str, search: str = "", sort: str = "", after: str = "", limit: int = 50
    ) -> Page[SkuView]:
        path = f"/v1/stores/{_part(store)}/skus"
        what = f"the SKUs of shop {store}"
        return await self._get(Page[SkuView], path, what, search=search, sort=sort, after=after, limit=limit)

    async def sku(self, store: str, sku: str) -> SkuView:
        return await self._get(
            SkuView, f"/v1/stores/{_part(store)}/skus/{_part(sku)}", f"SKU {sku} of shop {store}"
        )

    async def series(self, store: str, sku: str, from_ms: int, to_ms: int, step: str) -> SkuSeries:
        path = f"/v1/stores/{_part(store)}/skus/{_part(sku)}/series"
        return await self._get(
            SkuSeries, path, f"the history of SKU {sku}", from_ms=from_ms, to_ms=to_ms, step=step
        )

    async def proposals(self, store: str, sku: str, limit: int = 30) -> Page[ProposalView]:
        path, what = f"/v1/stores/{_part(store)}/proposals", f"what was proposed of SKU {sku}"
        return await self._get(Page[ProposalView], path, what, sku=sku, limit=limit)

    async def ordering(self, store: str, sku: str) -> OrderingView:
        path, what = f"/v1/stores/{_part(store)}/skus/{_part(sku)}/ordering", f"why SKU {sku} is not ordered"
        return await self._get(OrderingView, path, what)

    async def mismatch(
        self, side: str, store: str = "", region: str = "", limit: int = MAX_ROWS
    ) -> Page[MismatchView]:
        what = "where goods are to spare"
        return await self._get(
            Page[MismatchView], "/v1/mismatch", what, side=side, store=store, region=region, limit=limit
        )

    async def mismatch_regions(self) -> Page[MismatchRegion]:
        return await self._get(Page[MismatchRegion], "/v1/mismatch/regions", "surplus and shortage by region")

    async def transfers(self, store: str) -> Page[TransferView]:
        path, what = f"/v1/stores/{_part(store)}/transfers", f"what shop {store} gives and gets"
        return await self._get(Page[TransferView], path, what)

    async def outlook(self, region: str = "", limit: int = MAX_ROWS) -> RegionalOutlook:
        what = "what regions will want"
        return await self._get(RegionalOutlook, "/v1/regions/outlook", what, region=region, limit=limit)

    async def alerts(self, store: str = "", *, only_open: bool = True) -> Page[AlertView]:
        asked = {"open": "true"} if only_open else {}
        return await self._get(Page[AlertView], "/v1/alerts", "the alerts", store=store, **asked)

    async def quarantine(self, store: str = "") -> Page[QuarantineView]:
        return await self._get(Page[QuarantineView], "/v1/quarantine", "the quarantine", store=store)

    async def gateways(self) -> Page[GatewayView]:
        return await self._get(Page[GatewayView], "/v1/gateways", "the gateways")

    async def suppliers(self) -> Page[SupplierView]:
        return await self._get(Page[SupplierView], "/v1/suppliers", "the suppliers")

    async def put_supplier(self, supplier: str, put: SupplierPut) -> SupplierView:
        path, what = f"/v1/suppliers/{_part(supplier)}", f"setting the calendar of supplier {supplier}"
        return await self._send("PUT", path, what, put, SupplierView)

    async def calendar(self, store: str) -> CalendarView:
        return await self._get(
            CalendarView, f"/v1/stores/{_part(store)}/calendar", f"calendar of shop {store}"
        )

    async def kept_calendar(self, region: str = "") -> KeptCalendar:
        whose = f"region {region}" if region else "the chain"
        return await self._get(KeptCalendar, "/v1/calendar", f"the calendar of {whose}", region=region)

    async def add_to_calendar(self, rows: str, store: str = "", region: str = "") -> dict[str, ImportReport]:
        """By store, what became of the file's rows; of the region's stores or the chain's where no store is given."""
        self._answers.clear()
        sent = {"content": rows.encode(), "headers": {"Content-Type": "text/csv"}}
        try:
            if store:
                path, what = f"/v1/stores/{_part(store)}/calendar", f"changing the calendar of shop {store}"
                return {store: await self._call("POST", path, what, ImportReport, **sent)}
            path, asked = "/v1/calendar", {"region": region} if region else {}
            what = "changing the calendar"
            return (await self._call("POST", path, what, CalendarsReport, params=asked, **sent)).stores
        finally:
            self._answers.clear()

    async def remove_from_calendar(
        self, removal: CalendarRemoval, store: str = "", region: str = ""
    ) -> dict[str, int]:
        """By store, how many rows its calendar lost."""
        if store:
            path, what = (
                f"/v1/stores/{_part(store)}/calendar/remove",
                f"changing the calendar of shop {store}",
            )
            return {store: (await self._send("POST", path, what, removal, Accepted)).accepted}
        path = f"/v1/calendar/remove?region={_part(region)}" if region else "/v1/calendar/remove"
        return (await self._send("POST", path, "changing the calendar", removal, CalendarsRemoved)).stores

    async def doors(self) -> DoorsView:
        return await self._get(DoorsView, "/v1/doors", "what the centre turned away")

    async def campaigns(self) -> Page[CampaignView]:
        return await self._get(Page[CampaignView], "/v1/campaigns", "the campaigns")

    async def change_campaign(self, campaign: str, change: CampaignChange) -> CampaignView:
        path, what = f"/v1/campaigns/{_part(campaign)}/change", f"changing campaign {campaign}"
        return await self._send("POST", path, what, change, CampaignView)

    async def config(self, store: str) -> ConfigView:
        path, what = f"/v1/stores/{_part(store)}/config", f"the configuration of shop {store}"
        return await self._get(ConfigView, path, what)

    async def put_config(self, store: str, put: ConfigPut) -> Accepted:
        path, what = f"/v1/stores/{_part(store)}/config", f"setting the configuration of shop {store}"
        return await self._send("PUT", path, what, put, Accepted)

    async def triggers(
        self,
        store: str = "",
        states: tuple[str, ...] = (),
        sku: str = "",
        after: str = "",
        limit: int = MAX_ROWS,
    ) -> Page[TriggerView]:
        """Newest first; of all states where `states` is empty."""
        asked: dict[str, str | int] = {
            "store": store,
            "state": ",".join(states),
            "sku": sku,
            "after": after,
            "limit": limit,
        }
        return await self._get(Page[TriggerView], "/v1/triggers", "the restock orders", **asked)

    async def evidence(self, trigger: str) -> Evidence:
        return await self._get(
            Evidence, f"/v1/triggers/{_part(trigger)}/evidence", f"the evidence of order {trigger}"
        )

    async def audit(self, store: str = "") -> Page[AuditView]:
        return await self._get(Page[AuditView], "/v1/audit", "the audit", store=store)

    async def replay(self, store: str, post: ReplayPost) -> ReplayView:
        """Changes nothing at the centre."""
        body = post.model_dump(mode="json")
        path, what = f"/v1/stores/{_part(store)}/replay", f"the replay of shop {store}"
        return await self._call("POST", path, what, ReplayView, json=body, timeout=REPLAY_TIMEOUT)

    async def kill_switches(self) -> Page[KillSwitch]:
        return await self._get(Page[KillSwitch], "/v1/kill-switches", "the kill-switches")

    async def approve(self, trigger: str, decision: Decision) -> TriggerView:
        return await self._send(
            "POST",
            f"/v1/triggers/{_part(trigger)}/approve",
            f"approving order {trigger}",
            decision,
            TriggerView,
        )

    async def reject(self, trigger: str, decision: Decision) -> TriggerView:
        return await self._send(
            "POST",
            f"/v1/triggers/{_part(trigger)}/reject",
            f"rejecting order {trigger}",
            decision,
            TriggerView,
        )

    async def put_kill_switch(self, switch: KillSwitch) -> KillSwitch:
        return await self._send("PUT", "/v1/kill-switches", "setting the kill-switch", switch, KillSwitch)

    async def bundles(self) -> Page[BundleView]:
        return await self._get(Page[BundleView], "/v1/bundles", "the bundles")

    async def rollouts(self) -> Page[RolloutView]:
        return await self._get(Page[RolloutView], "/v1/rollouts", "the roll-outs")

    async def begin_rollout(self, post: RolloutPost) -> RolloutView:
        return await self._send("POST", "/v1/rollouts", "beginning the roll-out", post, RolloutView)

    async def act_on_rollout(self, number: int, action: str, by: RolloutAction) -> RolloutView:
        path = f"/v1/rollouts/{number}/{_part(action)}"
        return await self._send("POST", path, f"changing roll-out {number}", by, RolloutView)

    async def acknowledge_alert(self, note: AlertNote) -> Accepted:
        what = f"noting the alert {note.code}"
        return await self._send("POST", "/v1/alerts/acknowledge", what, note, Accepted)

    async def _get(self, shape: type[Answer], path: str, what: str, **params: str | int) -> Answer:
        """The answer, at most FRESH_S old; pages that ask the same while it is under way share it.

        An answer with `Cache-Control: no-store` is not kept.
        """
        asked = {name: value for name, value in params.items() if value != ""}
        key = f"{path}?{sorted(asked.items())}"
        kept = self._answers.get(key)
        if kept is not None and self._monotonic_s() - kept.at_s < FRESH_S:
            return kept.answer  # type: ignore[return-value]  # the key determines the shape
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, shape, path, what, asked))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        # Shielded: a page that closes must not take the answer from the others.
        shared: Answer = await asyncio.shield(task)
        return shared

    async def _ask(
        self, key: str, shape: type[Answer], path: str, what: str, params: dict[str, str | int]
    ) -> BaseModel:
        response = await self._ask_for("GET", path, what, params=params)
        answer = _read(response, shape, what)
        if "no-store" in response.headers.get("cache-control", ""):
            return answer
        self._answers[key] = _Kept(self._monotonic_s(), answer)
        self._answers.move_to_end(key)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    def _asked(self, key: str, task: asyncio.Task[BaseModel]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen here, so that a page that left before the failure leaves no warning

    async def _send(self, method: str, path: str, what: str, body: BaseModel, shape: type[Answer]) -> Answer:
        self._answers.clear()
        try:
            return await self._call(method, path, what, shape, json=body.model_dump(mode="json"))
        finally:
            self._answers.clear()

    async def _call(self, method: str, path: str, what: str, shape: type[Answer], **rest: Any) -> Answer:
        return _read(await self._ask_for(method, path, what, **rest), shape, what)

    async def _ask_for(self, method: str, path: str, what: str, **rest: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **rest)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CentralAwayError(
                what,
                f"the centre at {self.url} does not answer ({_short(error)}).",
                f"{STILL_WORKS} Check that `shelfloop central run` is up.",
            ) from None
        if response.status_code >= 400 or response.is_redirect:
            raise _refusal(what, response, has_own_token=self._has_own_token)
        return response


@asynccontextmanager
async def central_api(url: str, token: str) -> AsyncIterator[CentralApi]:
    """A client that is closed at the end."""
    api = CentralApi(url, token)
    try:
        yield api
    finally:
        await api.close()


def _read(response: httpx.Response, shape: type[Answer], what: str) -> Answer:
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise CentralGarbledError(
            what,
            f"the centre's answer is not what the contract says ({where}: {first['msg']}).",
            "Run HQ and the centre in the same version.",
        ) from None


def _refusal(
    what: str, response: httpx.Response, *, has_own_token: bool
) -> CentralRefusedError | CentralAwayError:
    status = response.status_code
    try:
        problem = Problem.model_validate_json(response.content)
        why = f"{problem.title}. {problem.detail}".strip()
    except ValidationError:
        why = f"the centre answered {status} without saying why."
    if status in (429, 502, 503, 504):
        return CentralAwayError(what, why, f"The centre is busy or starting. {STILL_WORKS}")
    if status == 401 and not has_own_token:
        do = "Log in again: reload the page."
    elif status == 403 and not has_own_token:
        do = "Ask somebody whose role may do this, or an admin for another role."
    elif status in (401, 403):
        do = "Make a token with `shelfloop central token create --scope hq` and name its file in token_file of hq.toml."
    elif status == 404:
        do = "Go back to the list: it may have been removed or renamed."
    elif status == 409:
        do = "Somebody or something else was quicker: look at the newest state below."
    else:
        do = "If it stays, look into the centre's log."
    return CentralRefusedError(what, why, do, status)


def _part(name: str) -> str:
    return quote(name, safe="")


def _short(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if len(text) <= 120 else f"{text[:119]}…"
