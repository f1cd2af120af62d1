"""Why a SKU is not being ordered in a store: what holds it, the weightiest first. Never empty: no reason is no need."""

from dataclasses import dataclass
from datetime import date

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What the centre knows of one SKU in one store at now_ms. None and "" are unknown, or not so.

    known, managed: of the items list. supplier: of the supply line, "" without one. unlisted, switches, open_order: in words, for a person.
    heard_ms: when a gateway of the store was last heard. expected_units: of the forecast, until the order after the next one would
    come, cover_days ahead. outcome: of the newest proposal, proposed_ms ago.
    """

    now_ms: int
    known: bool
    managed: bool
    supplier: str
    unlisted: str
    switches: tuple[str, ...]
    open_order: str
    heard_ms: int | None
    first_day: date | None
    today: date
    on_hand_units: int | None
    on_order_units: int
    expected_units: float
    cover_days: int
    outcome: str
    proposed_ms: int | None
    stale_after_ms: int
    stale_forecast_days: int


@dataclass(frozen=True, slots=True)
class Reason:
    """code: a stable word. text: a sentence with what to do, where something is to be done."""

    code: str
    text: str


def why_not(standing: Standing) -> list[Reason]:
    """All that holds an order of it back, or asks a person first; what stands first has to go first."""
    if not standing.known:
        return [Reason("no-item", "it is no item of this store; send it with the items list")]
    if not standing.managed:
        return [
            Reason(
                "not-managed",
                "it is not managed here: neither forecast nor ordered; set `managed` in the items list",
            )
        ]
    found = []
    if not standing.supplier:
        found.append(
            Reason(
                "no-supply",
                "it has no supply line in this store, so nobody delivers it; send one with PUT …/supply",
            )
        )
    if standing.unlisted:
        found.append(Reason("unlisted", f"it is {standing.unlisted}"))
    found += [Reason("kill-switch", f"{switch}: orders wait for a person") for switch in standing.switches]
    if standing.open_order:
        found.append(Reason("open-order", standing.open_order))
    found += _of_the_gateway(standing)
    if standing.outcome and standing.proposed_ms is not None:
        ago = _ago(standing.now_ms - standing.proposed_ms)
        found.append(Reason("last-proposal", f"the newest proposal, {ago} ago, became: {standing.outcome}"))
    if not found or {one.code for one in found} <= {"last-proposal"}:
        found.append(_no_need(standing))
    return found


def _of_the_gateway(standing: Standing) -> list[Reason]:
    found = []
    if standing.heard_ms is None:
        found.append(Reason("never-heard", "no gateway of this store was ever heard; nobody asks for it"))
    elif standing.now_ms - standing.heard_ms > standing.stale_after_ms:
        found.append(Reason("silent", f"no gateway of this store was heard for {_ago(standing.now_ms - standing.heard_ms)}: what it proposes later waits for a person"))  # fmt: skip
    if standing.first_day is None:
        found.append(
            Reason(
                "no-forecast",
                "there is no forecast of it yet: a gateway makes one each morning, from its sales or its category's",
            )
        )
    elif (standing.today - standing.first_day).days > standing.stale_forecast_days:
        days = (standing.today - standing.first_day).days
        found.append(
            Reason("old-forecast", f"its newest forecast is {days} days old: orders wait for a person")
        )
    if standing.on_hand_units is None:
        found.append(Reason("stock-unknown", "its stock is unknown: orders wait for a person; count it"))
    return found


def _no_need(standing: Standing) -> Reason:
    there = f"{standing.on_hand_units} on hand and {standing.on_order_units} on order"
    wanted = f"{standing.expected_units:.1f} expected to sell in {standing.cover_days} days, until the order after the next one"
    position = (standing.on_hand_units or 0) + standing.on_order_units
    if position >= standing.expected_units:
        return Reason("covered", f"there is no need: {there}, {wanted}")
    return Reason(
        "below",
        f"{there}, {wanted}: the gateway asks with its next look, or found that less than a pack is missing",
    )


def _ago(span_ms: int) -> str:
    if span_ms < 2 * HOUR_MS:
        return f"{max(0, span_ms) // 60_000} min"
    return f"{span_ms // HOUR_MS} h" if span_ms < 2 * DAY_MS else f"{span_ms // DAY_MS} days"
