"""What stands about a gateway: its row, what is out of order there, and all it tells of itself."""

from nicegui import ui

from contract.api.gateways import GatewaySign
from contract.api.stores import GatewayView
from contract.devices import ClockQuality
from hq.needs import SIGN_ICONS
from hq.pages.frame import section
from hq.pages.table import Column, Row, cell
from hq.words import UNKNOWN, ago, counted, instant_with_year, number, percent, size, span, zone_from_name

GATEWAYS = [
    Column("name", "Gateway"),
    Column("online", "State"),
    Column("heard", "Last heard", numeric=True),
    Column("lag", "Watermark", numeric=True),
    Column("waits", "Waits to be sent", numeric=True),
    Column("disk", "Slowest commit", numeric=True),
    Column("devices", "Devices", numeric=True),
    Column("gaps", "Losses", numeric=True),
]
SHORT = {
    "twin": "two boxes", "silent": "silent", "disk-refuses": "cannot save", "disk-stalls": "disk hangs",
    "disk-slow": "slow disk", "disk-damaged": "damaged disk", "outbox-full": "outbox full",
    "outbox-filling": "outbox fills", "records-late": "sends late", "clock-off": "clock off",
    "clock-unkept": "clock not kept",
}  # fmt: skip
CLOCKS = {
    ClockQuality.SYNCED: "kept by the network",
    ClockQuality.ESTIMATED: "not kept by the network",
    ClockQuality.UNKNOWN: "nobody can say whether the network keeps it",
}
_SIGNS_SHOWN = 50


class SignsBox:
    """What is out of order, gateway by gateway, with the next step; gone while all is well."""

    def __init__(self) -> None:
        self._block = section("Out of order", "what to do stands below each", anchor="signs")
        with self._block:
            self._list = ui.element("div").classes("needs")
        self._shown: list[tuple[str, str, GatewaySign]] | None = None

    def show(self, gateways: list[GatewayView], names: dict[str, str]) -> None:
        found = [
            (one.gateway, names.get(one.store, one.store), sign) for one in gateways for sign in one.signs
        ]
        found.sort(key=lambda item: item[2].tone != "bad")
        self._block.set_visibility(bool(found))
        if found == self._shown:
            return
        self._shown = found
        self._list.clear()
        with self._list:
            for gateway, shop, sign in found[:_SIGNS_SHOWN]:
                with ui.element("div").classes(f"need tone-{sign.tone}"):
                    ui.icon(SIGN_ICONS.get(sign.code, "router"))
                    with ui.element("div"):
                        ui.label(f"{shop} ({gateway}): {sign.text}").classes("need-title")
                        ui.label(sign.do).classes("need-detail")
            if len(found) > _SIGNS_SHOWN:
                ui.label(f"and {len(found) - _SIGNS_SHOWN} more: choose a region above").classes("panel-note")


def gateway_row(gateway: GatewayView, names: dict[str, str], now_ms: int) -> Row:
    off = len(gateway.devices_offline)
    lag_ms = None if gateway.watermark_ms is None else now_ms - gateway.watermark_ms
    return {
        "id": gateway.gateway,
        "name": cell(gateway.gateway, sub=names.get(gateway.store, gateway.store)),
        "online": _state_cell(gateway),
        "heard": cell(ago(gateway.last_heard_ms, now_ms), gateway.last_heard_ms or -1),
        "lag": cell(
            UNKNOWN if lag_ms is None else f"{span(lag_ms)} behind", -1 if lag_ms is None else lag_ms
        ),
        "waits": _waits_cell(gateway),
        "disk": _disk_cell(gateway),
        "devices": cell(
            f"{len(gateway.devices_online)} of {len(gateway.devices_online) + off}",
            -off,
            tone="warn" if off else "",
            sub=", ".join(gateway.devices_offline[:3]) + (" …" if off > 3 else ""),
        ),
        "gaps": _losses_cell(gateway),
        "acts": True,
    }


def _state_cell(gateway: GatewayView) -> Row:
    """The worst sign in a word, with how many more there are; silent ones first when sorted."""
    if not gateway.signs:
        word, icon, tone = (
            ("online", "check_circle", "ok") if gateway.online else ("silent", "cloud_off", "warn")
        )
        return cell(word, int(gateway.online), icon=icon, tone=tone)
    worst, more = gateway.signs[0], len(gateway.signs) - 1
    others = ", ".join(SHORT.get(sign.code, sign.code) for sign in gateway.signs[1:4])
    rank = -2.0 if worst.tone == "bad" else -1.0 if gateway.online else 0.0
    icon = SIGN_ICONS.get(worst.code, "router")
    return cell(
        SHORT.get(worst.code, worst.code), rank, icon=icon, tone=worst.tone, sub=others if more else ""
    )


def _losses_cell(gateway: GatewayView) -> Row:
    """Declared losses; below them what the centre rejected and what was put aside, where there is any."""
    others = [
        f"{number(count)} {word}"
        for count, word in ((gateway.rejected_total, "rejected"), (gateway.quarantined_total, "put aside"))
        if count
    ]
    tone = "bad" if gateway.gaps_total else ""
    return cell(number(gateway.gaps_total), gateway.gaps_total, tone=tone, sub=", ".join(others))


def _waits_cell(gateway: GatewayView) -> Row:
    state = gateway.state
    if state is None:
        return cell(UNKNOWN, -1)
    oldest = (
        f"oldest {span(state.oldest_waiting_ms)}"
        if state.outbox_rows and state.oldest_waiting_ms >= 1000
        else ""
    )
    codes = {sign.code for sign in gateway.signs}
    tone = "bad" if "outbox-full" in codes else "warn" if codes & {"outbox-filling", "records-late"} else ""
    return cell(number(state.outbox_rows), state.outbox_rows, tone=tone, sub=oldest)


def _disk_cell(gateway: GatewayView) -> Row:
    state = gateway.state
    if state is None:
        return cell(UNKNOWN, -1)
    tones = {sign.code: sign.tone for sign in gateway.signs if sign.code.startswith("disk")}
    tone = "bad" if "bad" in tones.values() else "warn" if tones else ""
    shown = (
        f"{state.slowest_commit_ms:,} ms"
        if state.slowest_commit_ms < 10_000
        else span(state.slowest_commit_ms)
    )
    return cell(shown, state.slowest_commit_ms, tone=tone, sub="cannot save" if state.disk_problem else "")


def gateway_facts(gateway: GatewayView, now_ms: int) -> list[tuple[str, str]]:
    """What it told of itself, in a person's words."""
    facts = [
        ("Version", f"{gateway.version or UNKNOWN}, models {gateway.bundle or UNKNOWN}"),
        ("Epochs", f"{number(gateway.epochs)}, the newest through {number(gateway.through_seq)}"),
    ]
    state = gateway.state
    if state is not None:
        room = f"{size(state.outbox_bytes)}, {percent(state.outbox_bytes, state.outbox_max_bytes)} of the room for them"
        facts += [
            ("Machine", state.host or UNKNOWN),
            ("Running for", span(state.uptime_s * 1000)),
            ("Waits to be sent", f"{counted(state.outbox_rows, 'record')}, {room}"),
            (
                "Oldest of them",
                f"has waited {span(state.oldest_waiting_ms)}" if state.outbox_rows else "none waits",
            ),
            ("Slowest commit", f"{state.slowest_commit_ms:,} ms in ten minutes"),
            ("Disk", state.disk_problem or "saves"),
            ("Damaged records", number(state.damaged_rows)),
            ("Bad input kept", counted(state.quarantine_messages, "message")),
            ("Clock", f"{CLOCKS[state.clock_quality]}; {_ahead(gateway.clock_ahead_ms)}"),
            ("Told", ago(gateway.told_ms, now_ms)),
        ]
    twin = gateway.twin
    if twin is not None:
        utc = zone_from_name("UTC")
        when = f"{instant_with_year(twin.first_ms, utc)} to {instant_with_year(twin.last_ms, utc)} UTC"
        facts.append(
            (
                "Second box",
                f"{twin.host or 'another machine'} was refused {number(twin.refusals)} times, {when}",
            )
        )
    return facts


def _ahead(ahead_ms: int) -> str:
    if abs(ahead_ms) < 1000:
        return "as the centre's"
    return f"{span(abs(ahead_ms))} {'ahead of' if ahead_ms > 0 else 'behind'} the centre's"


def show_gateway(gateway: GatewayView, now_ms: int) -> None:
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label(f"Gateway {gateway.gateway}").classes("panel-title")
        for sign in gateway.signs:
            with ui.element("div").classes("consequence"):
                ui.label(f"{sign.text[:1].upper()}{sign.text[1:]}.").classes("need-title")
                ui.label(sign.do)
        _list(gateway_facts(gateway, now_ms), "facts")
        ui.label("Counters of its last health record").classes("panel-note")
        counters = [
            (name.replace("_", " "), number(value)) for name, value in sorted(gateway.counters.items())
        ]
        _list(counters, "facts numbers")
        if not counters:
            ui.label("It has sent no health record yet.").classes("empty")
        ui.label(f"Online: {', '.join(gateway.devices_online) or 'none'}").classes("panel-note")
        ui.label(f"Offline: {', '.join(gateway.devices_offline) or 'none'}").classes("panel-note")
        ui.button("Close", on_click=dialog.close).props("flat no-caps color=link").classes("dialog-close")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _list(rows: list[tuple[str, str]], classes: str) -> None:
    with ui.element("dl").classes(classes):
        for name, value in rows:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(value)
