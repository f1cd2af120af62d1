"""Gateways: who is online, how far behind, what was lost, what was put aside and why."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from contract.api.doors import DoorsView
from contract.api.rollouts import AlertNote
from contract.api.stores import AlertView, GatewayView, QuarantineView, StoreView
from hq.alert_link import SKU_CODES, alert_link
from hq.central_api import CentralApi
from hq.desk import Desk
from hq.errors import CentralRefusedError, HqError
from hq.pages.doors_box import DoorsBox
from hq.pages.frame import figures, frame, section
from hq.pages.gateway_box import GATEWAYS, SignsBox, gateway_row, show_gateway
from hq.pages.live import Live
from hq.pages.person import remember, who_input
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import UNKNOWN, ago, number, span

_SEVERITIES = {"critical": ("error", "bad"), "warning": ("warning", "warn"), "info": ("info", "quiet")}


@dataclass(frozen=True, slots=True)
class Seen:
    """more_alerts: there are more than are shown."""

    gateways: list[GatewayView]
    stores: list[StoreView]
    alerts: list[AlertView]
    more_alerts: bool
    quarantine: list[QuarantineView]
    doors: DoorsView | None
    now_ms: int


def register(desk: Desk) -> None:
    @ui.page("/fleet")
    def fleet_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "fleet", "Fleet", chosen):
            _Fleet(desk, chosen)


async def _doors(central: CentralApi) -> DoorsView | None:
    """None for those who see some shops only: the doors are the whole chain's."""
    try:
        return await central.doors()
    except CentralRefusedError as error:
        if error.status != 403:
            raise
        return None


async def _alerts(central: CentralApi, store: str) -> tuple[list[AlertView], bool]:
    """Those that are open and the newest, and whether there are more."""
    still_open, newest = await asyncio.gather(central.alerts(store), central.alerts(store, only_open=False))
    return together(still_open.rows, newest.rows), still_open.next is not None or newest.next is not None


def together(still_open: Sequence[AlertView], newest: Sequence[AlertView]) -> list[AlertView]:
    """Each alert once: what has been open for long is not among the newest."""
    found = {(alert.store, alert.code, alert.subject, alert.at_ms): alert for alert in (*still_open, *newest)}
    return list(found.values())


class _Fleet:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._seen: Seen | None = None
        self._alerts: dict[str, AlertView] = {}
        self._toast = Toast()
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=10)

    async def _load(self) -> Seen:
        central = self._desk.central
        gateways, stores, (alerts, more_alerts), quarantine, doors, health = await asyncio.gather(
            central.gateways(),
            central.stores(),
            _alerts(central, self._scope.store),
            central.quarantine(self._scope.store),
            _doors(central),
            central.health(),
        )
        mine = self._scope.stores(stores.rows)
        names = {store.store for store in mine}
        return Seen(
            [gateway for gateway in gateways.rows if gateway.store in names],
            mine,
            [alert for alert in alerts if alert.store in names],
            more_alerts,
            [row for row in quarantine.rows if row.store in names],
            doors,
            health.now_ms,
        )

    def _build(self, first: Seen) -> Callable[[Seen], None]:
        with section("Now"):
            show_figures = figures(
                [
                    ("online", "Gateways online"),
                    ("lag", "Slowest gateway"),
                    ("devices", "Devices online"),
                    ("losses", "Declared losses"),
                    ("rejected", "Rejected by the centre"),
                    ("aside", "Put aside"),
                ]
            )
        signs = SignsBox()
        with section(
            "Gateways", "watermark: the time up to which a gateway's data is complete", anchor="gaps"
        ):
            gateways = DataTable(
                GATEWAYS,
                empty="No gateway has called yet. Make its key with “shelfloop central gateway add”, then start “shelfloop edge run”.",
                filtered="Filter gateways",
                page_rows=50,
                actions=(Action("more", "More"),),
                on_act=self._act,
                sort=("online", False),
            )
        with section("Alerts", "open ones first", anchor="alerts"):
            alerts = DataTable(
                _ALERTS,
                empty="No alert: nothing has been out of order.",
                filtered="Filter alerts",
                page_rows=10,
                actions=(Action("note", "Acknowledge"),),
                on_act=self._note,
            )
            more_alerts = ui.label(
                "The newest are shown, and those that are open. Choose a shop above for more of its own."
            ).classes("panel-note")
        with section("Put aside", "input that broke a rule; the rest went on", anchor="quarantine"):
            ui.link("Download as CSV", f"/export/quarantine.csv?store={quote(self._scope.store)}").classes(
                "csv"
            )
            quarantine = DataTable(
                _QUARANTINE,
                empty="Nothing was put aside: every message kept the rules.",
                filtered="Filter by source or reason",
                page_rows=10,
                sort=("at", True),
            )
        doors = DoorsBox() if first.doors is not None else None

        def update(seen: Seen) -> None:
            self._seen = seen
            names = {store.store: store.name for store in seen.stores}
            show_figures(_figures(seen))
            signs.show(seen.gateways, names)
            gateways.set_rows([gateway_row(gateway, names, seen.now_ms) for gateway in seen.gateways])
            ordered = sorted(
                seen.alerts,
                key=lambda alert: (alert.cleared_ms is not None, bool(alert.acknowledged_by), -alert.at_ms),
            )
            rows = [_alert_row(place, alert, names, seen.now_ms) for place, alert in enumerate(ordered)]
            more_alerts.set_visibility(seen.more_alerts)
            self._alerts = {row["id"]: alert for row, alert in zip(rows, ordered, strict=True)}
            alerts.set_rows(rows)
            quarantine.set_rows(
                [_aside_row(place, row, names, seen.now_ms) for place, row in enumerate(seen.quarantine)]
            )
            if doors is not None and seen.doors is not None:
                doors.show(seen.doors, seen.now_ms)

        return update

    def _note(self, key: str, _: str) -> None:
        """Asks who takes note of the alert; the shop sees it, too."""
        alert = self._alerts.get(key)
        if alert is None:
            return
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label(f"Acknowledge: {alert.code.replace('-', ' ')}, {alert.subject}").classes("panel-title")
            ui.label(alert.text).classes("consequence")
            ui.label("It stays open until its cause is gone, and the shop sees who took note.").classes(
                "panel-note"
            )
            who = who_input(self._desk.me)
            problem = ui.label().classes("tone-bad")

            async def go() -> None:
                name = (who.value or "").strip()
                if not name:
                    problem.set_text("Give your name: the shop and the audit see who took note.")
                    return
                remember(name)
                dialog.close()
                await self._send_note(
                    AlertNote(store=alert.store, code=alert.code, subject=alert.subject, who=name)
                )

            with ui.element("div").classes("dialog-acts"):
                ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
                ui.button("Acknowledge", on_click=go).props("unelevated no-caps color=primary").classes("go")
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _send_note(self, note: AlertNote) -> None:
        try:
            done = await self._desk.central.acknowledge_alert(note)
        except HqError as error:
            self._toast.show(f"{error.why} {error.do}", tone="bad")
            return
        self._toast.show("Acknowledged." if done.accepted else "It is not open any more.")
        await self._live.look()

    def _act(self, key: str, _: str) -> None:
        gateway = (
            next((one for one in self._seen.gateways if one.gateway == key), None) if self._seen else None
        )
        if gateway is not None:
            show_gateway(gateway, self._seen.now_ms if self._seen else 0)


_ALERTS = [
    Column("severity", "Severity"),
    Column("code", "What"),
    Column("subject", "Where"),
    Column("text", "Text", wide=True, sortable=False),
    Column("at", "Since", numeric=True),
    Column("cleared", "Cleared", numeric=True),
]
_QUARANTINE = [
    Column("at", "When", numeric=True),
    Column("store", "Shop"),
    Column("source", "From"),
    Column("reason", "Reason", wide=True),
    Column("sample", "What came", wide=True, sortable=False),
]


def _figures(seen: Seen) -> dict[str, tuple[str, str]]:
    gateways = seen.gateways
    lags = [seen.now_ms - gateway.watermark_ms for gateway in gateways if gateway.watermark_ms is not None]
    on = sum(len(gateway.devices_online) for gateway in gateways)
    off = sum(len(gateway.devices_offline) for gateway in gateways)
    return {
        "online": (f"{sum(gateway.online for gateway in gateways)} of {len(gateways)}", ""),
        "lag": (span(max(lags)) if lags else UNKNOWN, "behind, by its watermark"),
        "devices": (f"{number(on)} of {number(on + off)}", f"{number(off)} offline" if off else ""),
        "losses": (number(sum(gateway.gaps_total for gateway in gateways)), "since the beginning"),
        "rejected": (number(sum(gateway.rejected_total for gateway in gateways)), "records"),
        "aside": (number(sum(gateway.quarantined_total for gateway in gateways)), "messages"),
    }


def _alert_row(place: int, alert: AlertView, names: dict[str, str], now_ms: int) -> Row:
    icon, tone = _SEVERITIES.get(alert.severity, ("help", "quiet"))
    cleared = alert.cleared_ms is not None
    return {
        "id": f"{alert.store}/{alert.code}/{alert.subject}/{alert.at_ms}/{place}",
        "severity": cell(
            alert.severity, f"{cleared:d}{alert.severity}", icon=icon, tone="quiet" if cleared else tone
        ),
        "code": cell(alert.code.replace("-", " ")),
        "subject": cell(
            alert.subject,
            href=alert_link(alert) if alert.code in SKU_CODES else "",
            sub=names.get(alert.store, alert.store),
        ),
        "text": cell(alert.text),
        "at": cell(ago(alert.at_ms, now_ms), alert.at_ms),
        "cleared": cell(
            f"after {span((alert.cleared_ms or 0) - alert.at_ms)}" if cleared else "still open",
            alert.cleared_ms or 2**53,
            tone="" if cleared or alert.acknowledged_by else tone,
            sub=f"noted by {alert.acknowledged_by}" if alert.acknowledged_by else "",
        ),
        "acts": not cleared and not alert.acknowledged_by,
    }


def _aside_row(place: int, row: QuarantineView, names: dict[str, str], now_ms: int) -> Row:
    return {
        "id": f"{row.at_ms}/{place}",
        "at": cell(ago(row.at_ms, now_ms), row.at_ms),
        "store": cell(names.get(row.store, row.store), sub=f"at the {row.where}"),
        "source": cell(row.source, sub=row.stream),
        "reason": cell(row.reason),
        "sample": cell(row.sample[:120]),
    }
