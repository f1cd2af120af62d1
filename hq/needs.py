"""What needs a person, most urgent first: the first thing on the first page."""

from dataclasses import dataclass
from urllib.parse import quote

from contract.api.restock import TriggerView
from contract.api.stores import Accounting, AlertView, GatewayView, Overview, StoreView
from hq.alert_link import alert_link
from hq.words import ago, counted, money, number

MAX_TRIGGERS_NAMED = 5
MAX_OF_A_KIND = 3
"""Lines of one kind of trouble: a chain has hundreds of shops, and what one of them lacks must not hide what others need."""
NAMED_TOGETHER = 3
LEVELS = ("critical", "warning")
SIGN_ICONS = {
    "twin": "group", "disk-refuses": "storage", "disk-stalls": "storage", "disk-slow": "storage", "disk-damaged": "storage",
    "outbox-full": "outbox", "outbox-filling": "outbox", "records-late": "hourglass_top", "clock-off": "schedule",
    "clock-unkept": "schedule", "silent": "cloud_off",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """tone: bad, warn or quiet. title says what; detail why or what to do; href leads to the rows it came from."""

    tone: str
    icon: str
    title: str
    detail: str
    href: str


def needs_from(
    overview: Overview,
    waiting: list[TriggerView],
    alerts: list[AlertView],
    accounting: Accounting | None,
    gateways: list[GatewayView],
    stores: list[StoreView],
) -> list[Need]:
    """The list for `stores`, which may be fewer than the overview's: the reader's scope."""
    names = {store.store: store for store in stores}
    asking = [alert for alert in alerts if not alert.acknowledged_by]
    asked = {
        level: [one for one in asking if one.store in names and one.severity == level] for level in LEVELS
    }
    mine = [gateway for gateway in gateways if gateway.store in names]
    silent = [gateway for gateway in mine if not gateway.online]
    orders = _waiting([trigger for trigger in waiting if trigger.store in names], names)
    return [
        *_unbalanced(accounting),
        *_losses(overview, stores),
        *_few(_alerts(asked["critical"], names, overview.now_ms), "more urgent alerts", "/fleet#alerts"),
        *_few(_signs(mine, names, "bad"), "more gateways out of order", "/fleet#signs"),
        *_few(_silent(silent, names, overview.now_ms), "more silent gateways", "/fleet"),
        *(
            orders
            if len(orders) <= MAX_TRIGGERS_NAMED
            else _few(orders, "more shops have orders that wait", "/restock")
        ),
        *_few(_out_of_stock(stores), "more shops have SKUs out of stock", "/shops"),
        *_few(_alerts(asked["warning"], names, overview.now_ms), "more warnings", "/fleet#alerts"),
        *_few(_signs(mine, names, "warn"), "more gateways are worth a look", "/fleet#signs"),
        *_put_aside(stores),
    ]


def _few(needs: list[Need], others: str, href: str) -> list[Need]:
    """The first ones, and one line for all others when there are many."""
    if len(needs) <= MAX_OF_A_KIND:
        return needs
    shown, rest = needs[: MAX_OF_A_KIND - 1], needs[MAX_OF_A_KIND - 1 :]
    named = ", ".join(dict.fromkeys(need.title.partition(":")[0] for need in rest[:NAMED_TOGETHER]))
    more = " and others" if len(rest) > NAMED_TOGETHER else ""
    return [
        *shown,
        Need(rest[0].tone, rest[0].icon, f"{number(len(rest))} {others}", f"{named}{more}.", href),
    ]


def _unbalanced(accounting: Accounting | None) -> list[Need]:
    if accounting is None or accounting.balanced:
        return []
    detail = f"{counted(accounting.wrong_days, 'till day')} differ. The table below says which."
    return [Need("bad", "balance", "The tills and the ledger do not balance", detail, "/#accounting")]


def _losses(overview: Overview, stores: list[StoreView]) -> list[Need]:
    gaps = sum(store.gaps_total for store in stores)
    if not gaps and not overview.losses:
        return []
    count = max(gaps, overview.losses)
    return [
        Need(
            "bad",
            "report",
            f"{counted(count, 'declared loss', 'declared losses')}",
            "Gateways declared data that they could not keep.",
            "/fleet#gaps",
        )
    ]


def _alerts(alerts: list[AlertView], names: dict[str, StoreView], now_ms: int) -> list[Need]:
    grouped: dict[tuple[str, str], list[AlertView]] = {}
    for alert in alerts:
        grouped.setdefault((alert.store, alert.code), []).append(alert)
    needs = []
    for (store, code), group in grouped.items():
        newest = max(group, key=lambda alert: alert.at_ms)
        tone = "bad" if newest.severity == "critical" else "warn"
        title = f"{names[store].name}: {code.replace('-', ' ')}" + (
            f" ({len(group)})" if len(group) > 1 else ""
        )
        needs.append(
            Need(
                tone,
                "notifications_active",
                title,
                f"{newest.text} · {ago(newest.at_ms, now_ms)}",
                alert_link(newest) if len(group) == 1 else f"/fleet?scope=store:{store}#alerts",
            )
        )
    return needs


def _silent(gateways: list[GatewayView], names: dict[str, StoreView], now_ms: int) -> list[Need]:
    return [
        Need(
            "warn",
            "cloud_off",
            f"{names[gateway.store].name}: gateway {gateway.gateway} is silent",
            f"Last heard {ago(gateway.last_heard_ms, now_ms)}. The shop works on alone; orders wait for a person until it is back.",
            f"/fleet?scope=store:{gateway.store}",
        )
        for gateway in gateways
    ]


def _signs(gateways: list[GatewayView], names: dict[str, StoreView], tone: str) -> list[Need]:
    """What is out of order at gateways, a line each; that one is silent has a line of its own."""
    return [
        Need(
            tone,
            SIGN_ICONS.get(sign.code, "router"),
            f"{names[gateway.store].name}: {sign.text}",
            sign.do,
            f"/fleet?scope=store:{gateway.store}#signs",
        )
        for gateway in gateways
        for sign in gateway.signs
        if sign.tone == tone and sign.code != "silent"
    ]


def _waiting(triggers: list[TriggerView], names: dict[str, StoreView]) -> list[Need]:
    """Each order with its reason while they are few, one line a shop when they are many."""
    urgent = sorted(triggers, key=lambda trigger: (-trigger.expected_stock_out_units, trigger.created_ms))
    if len(urgent) <= MAX_TRIGGERS_NAMED:
        return [
            Need(
                "warn",
                "pan_tool_alt",
                f"{trigger.store_name}: order {counted(trigger.quantity_units, 'unit')} of {trigger.name}?",
                f"{trigger.why}{f' · {trigger.doubt}' if trigger.doubt else ''}",
                f"/restock?scope=store:{trigger.store}",
            )
            for trigger in urgent
        ]
    by_store: dict[str, list[TriggerView]] = {}
    for trigger in urgent:
        by_store.setdefault(trigger.store, []).append(trigger)
    return [
        Need(
            "warn",
            "pan_tool_alt",
            f"{names[store].name}: {counted(len(group), 'order waits', 'orders wait')} for you",
            f"{money(sum(trigger.value_cents for trigger in group), names[store].currency)}; first: {group[0].name}. {group[0].why}",
            f"/restock?scope=store:{store}",
        )
        for store, group in by_store.items()
    ]


def _out_of_stock(stores: list[StoreView]) -> list[Need]:
    return [
        Need(
            "bad",
            "remove_shopping_cart",
            f"{store.name}: {number(store.skus_out_of_stock)} of {counted(store.skus, 'SKU')} out of stock",
            "Nothing on hand now.",
            f"/shops/{quote(store.store)}?sort=-stock_out_today_ms",
        )
        for store in sorted(stores, key=lambda store: -store.skus_out_of_stock)
        if store.skus_out_of_stock
    ]


def _put_aside(stores: list[StoreView]) -> list[Need]:
    total = sum(store.quarantined_total for store in stores)
    if not total:
        return []
    title = f"{counted(total, 'input', 'inputs')} put aside"
    return [
        Need(
            "quiet",
            "rule",
            title,
            "Messages that broke a rule; the rest goes on. The list says which rule.",
            "/fleet#quarantine",
        )
    ]
