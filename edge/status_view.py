"""A gateway's whole report in the shop's words, for the page and for `shelfloop edge status` alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

MAX_DEVICES = 300
PLAIN_WORDS = {
    "broker": "Tills and shelves cannot reach the gateway. They keep their sales until it answers",
    "centre": "The centre cannot be reached. The shop goes on alone and sends everything later; if it lasts, look at the router",
    "disk": "The gateway cannot save. Tills keep their sales until it can",
    "clock": "The gateway does not know the time",
    "loop": "The gateway hangs; it starts itself again",
    "outbox": "The centre has been away so long that old figures are being summed up",
}
"""What a condition means in the shop; its own text says what a technician needs."""
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Fact:
    """is_well: False when somebody should look at it."""

    name: str
    value: str
    is_well: bool = True


@dataclass(frozen=True, slots=True)
class AlertLine:
    text: str
    since: str


@dataclass(frozen=True, slots=True)
class DeviceLine:
    device: str
    kind: str
    state: str
    last_data: str
    messages: str
    is_well: bool


@dataclass(frozen=True, slots=True)
class StatusView:
    title: str
    headline: str
    is_well: bool
    problems: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    stock_alerts: list[AlertLine] = field(default_factory=list)
    other_alerts: list[AlertLine] = field(default_factory=list)
    alerts_not_shown: int = 0
    devices: list[DeviceLine] = field(default_factory=list)
    devices_not_shown: int = 0
    at: str = ""


def view_from(report: Mapping[str, Any]) -> StatusView:
    """report: what GET /report of a gateway answers."""
    now_ms, zone = report["clock"]["now_ms"], ZoneInfo(report["timezone"])
    problems = [
        f"{PLAIN_WORDS[code]} ({text})" if code in PLAIN_WORDS else text
        for code, text in report["conditions"].items()
    ]
    alerts = report["alerts"]
    lines = sorted(_device_lines(report["devices"], now_ms), key=lambda line: (line.is_well, line.device))
    absent = sum(not line.is_well for line in lines)
    shop = report["store_name"] or report["store"]
    return StatusView(
        title=f"{shop} · gateway {report['gateway']}",
        headline=_headline(problems, report["alerts_open"], absent),
        is_well=not problems,
        problems=problems,
        facts=list(_facts(report, now_ms, zone)),
        stock_alerts=[_alert(alert, now_ms) for alert in alerts if alert["is_stock"]],
        other_alerts=[_alert(alert, now_ms) for alert in alerts if not alert["is_stock"]],
        alerts_not_shown=report["alerts_open"] - len(alerts),
        devices=lines[:MAX_DEVICES],
        devices_not_shown=max(0, len(lines) - MAX_DEVICES),
        at=_wall(now_ms, zone),
    )


def age(seconds: float) -> str:
    """A span as people say it, in one or two units."""
    whole = max(0, int(seconds))
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def size(count_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count_bytes >= factor:
            return f"{count_bytes / factor:.1f} {unit}"
    return f"{count_bytes} bytes"


def _headline(problems: list[str], alerts: int, absent: int) -> str:
    if problems:
        return (
            "Somebody should look at this" if len(problems) == 1 else f"{len(problems)} things need somebody"
        )
    if alerts or absent:
        parts = [f"{alerts} alert{'s' * (alerts != 1)}"] * bool(alerts)
        parts += [f"{absent} device{'s' * (absent != 1)} not heard"] * bool(absent)
        return f"The gateway is well; {' and '.join(parts)}"
    return "All is well"


def _facts(report: Mapping[str, Any], now_ms: int, zone: ZoneInfo) -> list[Fact]:
    heard = [row["last_heard_ms"] for row in report["devices"].values()]
    last = f"{age((now_ms - max(heard)) / 1000)} ago" if heard else "nothing yet"
    aside = report["quarantine_rows"]
    broker = report["broker"]
    connection = "connected" if broker["is_connected"] else "not connected"
    return [
        Fact("Last data", last, is_well=bool(heard)),
        _centre(report),
        *([Fact("Waiting for the centre", _backlog(report))] if report["uplink"] is not None else []),
        Fact(
            "Broker",
            f"{connection}, {broker['address']}{' by TLS' * broker['has_tls']}",
            broker["is_connected"],
        ),
        _clock(report["clock"], now_ms, zone),
        Fact("Items known", f"{report['items']:,}", is_well=report["items"] > 0),
        Fact(
            "Put aside as unreadable",
            f"{aside:,} kept; shelfloop edge dump shows them" if aside else "nothing",
        ),
        Fact(
            "Models",
            report["bundle"]
            + ("" if report["order_graph"] else ", without an order graph: orders up to a quantile"),
        ),
        _drift(report["drift"]),
        Fact("Version", f"{report['version']}, running for {age(report['uptime_s'])}"),
    ]


def _drift(drift: Mapping[str, Mapping[str, Any]]) -> Fact:
    """The levels are put right by themselves; somebody should train on newer days all the same."""
    over = [
        f"{name} SKUs by {of['levels']:.0%}, their mean by {of['bias']:+.0%}"
        for name, of in drift.items()
        if of["is_over"]
    ]
    if not over:
        return Fact("Forecast levels", "hold")
    return Fact("Forecast levels", f"are off and put right: {', '.join(over)}", is_well=False)


def _centre(report: Mapping[str, Any]) -> Fact:
    uplink = report["uplink"]
    if uplink is None:
        return Fact("Centre", "none is set: the shop works alone")
    since = age(uplink["silent_s"])
    if uplink["is_up"]:
        return Fact("Centre", f"answered {since} ago")
    return Fact("Centre", f"has not answered for {since}; the shop goes on alone", is_well=False)


def _backlog(report: Mapping[str, Any]) -> str:
    rows = report["outbox_rows"]
    if not rows:
        return "nothing"
    return f"{rows:,} record{'s' * (rows != 1)}, {size(report['outbox_bytes'])} of {size(report['outbox_max_bytes'])}"


def _clock(clock: Mapping[str, Any], now_ms: int, zone: ZoneInfo) -> Fact:
    shown = f"{_wall(now_ms, zone)} ({zone.key})"
    if clock["is_simulated"]:
        return Fact("Clock", f"{shown}, a simulation's")
    if clock["is_synchronised"] is None:
        return Fact("Clock", f"{shown}; nobody can say whether the network keeps it")
    if clock["is_synchronised"]:
        return Fact("Clock", f"{shown}, kept by the network")
    return Fact("Clock", f"{shown}, not kept by the network: switch time sync on", is_well=False)


def _alert(alert: Mapping[str, Any], now_ms: int) -> AlertLine:
    noted = f" (noted by {alert['acknowledged_by']})" if alert.get("acknowledged_by") else ""
    return AlertLine(alert["text"] + noted, age((now_ms - alert["since_ms"]) / 1000))


def _device_lines(devices: Mapping[str, Mapping[str, Any]], now_ms: int) -> list[DeviceLine]:
    return [
        DeviceLine(
            device, row["kind"] or "unknown", row["state"], f"{age((now_ms - row['last_heard_ms']) / 1000)} ago",
            f"{row['accepted']:,}" + (f", {row['rejected']:,} refused" if row["rejected"] else ""),
            row["state"] == "online",
        )
        for device, row in devices.items()
    ]  # fmt: skip


def _wall(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
