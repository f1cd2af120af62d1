"""Stores, their desired state, their stock and what HQ sees of them."""

from typing import Annotated, Literal

from pydantic import Field

from contract.api.common import ApiModel
from contract.api.gateways import GatewaySign, TwinView
from contract.documents import DailyUnits, Facing, Item, OpeningHours, Price, SupplyLine
from contract.gateway_state import GatewayState
from contract.ids import DayText, EpochMs, Id

H3Cell = Annotated[str, Field(pattern=r"^[0-9a-f]{15}$")]


class StorePut(ApiModel):
    """h3_cell: where the shop is, resolution 8; it decides which members are near."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    region: Annotated[str, Field(max_length=60)] = ""
    timezone: Annotated[str, Field(max_length=60)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    h3_cell: H3Cell | None = None
    hours: Annotated[list[OpeningHours], Field(max_length=7)]
    closed_days: list[DayText] = []


class ItemsPut(ApiModel):
    items: Annotated[list[Item], Field(max_length=50_000)]


class PlanogramPut(ApiModel):
    facings: Annotated[list[Facing], Field(max_length=20_000)]
    esl_base: Id | None = None


class PricesPut(ApiModel):
    prices: Annotated[list[Price], Field(max_length=100_000)]


class SupplyPut(ApiModel):
    """on_order_units of the lines is ignored: the centre knows what is on order."""

    lines: Annotated[list[SupplyLine], Field(max_length=50_000)]


class HistoryPut(ApiModel):
    """Daily sales from before the gateway: seeds forecasts; never counted as sales."""

    first_live_day: DayText
    rows: Annotated[list[DailyUnits], Field(max_length=50_000)]


class StoreView(ApiModel):
    """today: the store's business day of the newest data. Counts are of today unless named otherwise.

    skus: those whose stock is minded: managed ones, and others whose stock is known.
    """

    store: str
    name: str
    region: str
    timezone: str
    currency: str
    h3_cell: str | None
    today: DayText | None
    receipts: int
    units: int
    cents: int
    skus: int
    skus_out_of_stock: int
    open_triggers: int
    waiting_triggers: int
    open_alerts: int
    quarantined_total: int
    gaps_total: int
    newest_ms: EpochMs | None
    watermark_ms: EpochMs | None


class SkuView(ApiModel):
    """One SKU in one shop. on_hand_units None: unknown. forecast: of the days from today on, as many as the gateway sent."""

    store: str
    sku: str
    name: str
    category: str
    price_cents: int | None
    on_hand_units: int | None
    on_shelf_units: int | None
    on_order_units: int
    sold_today_units: int
    sold_7_days_units: int
    forecast_7_days_units: float | None
    stock_out_today_ms: int
    shrink_units: int
    open_trigger: str | None
    newest_ms: EpochMs | None


class SeriesPoint(ApiModel):
    """[at_ms, at_ms + step). on_hand_units: at its end; None unknown. Sales are from receipts; stock_out_ms from the shelf."""

    at_ms: EpochMs
    sold_units: int
    sold_cents: int
    on_hand_units: int | None
    picked_units: int
    delivered_units: int
    stock_out_ms: int
    covered: bool


class ForecastPoint(ApiModel):
    day: DayText
    at_ms: EpochMs
    mean: float
    quantiles: list[float]


class OrderFlag(ApiModel):
    """A trigger or an outside order on the time axis."""

    at_ms: EpochMs
    trigger: str
    quantity_units: int
    state: str


class PriceStep(ApiModel):
    at_ms: EpochMs
    price_cents: int


class SkuSeries(ApiModel):
    store: str
    sku: str
    name: str
    currency: str
    timezone: str
    step_ms: int
    points: list[SeriesPoint]
    forecast: list[ForecastPoint]
    orders: list[OrderFlag]
    prices: list[PriceStep]


class DayPoint(ApiModel):
    """One business day of one store."""

    day: DayText
    store: str
    receipts: int
    units: int
    cents: int
    stock_out_ms: int
    shrink_units: int


class Overview(ApiModel):
    """Of the chain. lag_ms: how old the newest data of the slowest store is."""

    now_ms: EpochMs
    stores: list[StoreView]
    days: list[DayPoint]
    triggers_by_state: dict[str, int]
    waiting_triggers: int
    open_alerts: int
    coupons: dict[str, int]
    gateways_online: int
    gateways_total: int
    losses: int
    quarantined_total: int
    lag_ms: int | None


class GatewayView(ApiModel):
    """One gateway. epochs: how many it has opened; gaps: declared losses. counters: of its last health record.

    state: what it told of itself at told_ms; clock_ahead_ms: of its clock then, before the centre's. signs: what is out of
    order, the worst first. twin: a second box that has its identity, of the last one that was refused.
    """

    gateway: str
    store: str
    version: str
    bundle: str
    online: bool
    last_heard_ms: EpochMs | None
    watermark_ms: EpochMs | None
    epochs: int
    through_seq: int
    rejected_total: int
    quarantined_total: int
    gaps_total: int
    counters: dict[str, int]
    devices_online: list[str]
    devices_offline: list[str]
    state: GatewayState | None = None
    told_ms: EpochMs | None = None
    clock_ahead_ms: int = 0
    twin: TwinView | None = None
    signs: list[GatewaySign] = []


class AlertView(ApiModel):
    """acknowledged_by: who took note of it, at HQ or in the shop; "" while nobody did."""

    at_ms: EpochMs
    store: str
    code: str
    subject: str
    severity: str
    text: str
    cleared_ms: EpochMs | None
    acknowledged_by: str = ""


class QuarantineView(ApiModel):
    """Bad input that the gateway or the centre put aside. where: `gateway` or `centre`."""

    at_ms: EpochMs
    store: str
    where: Literal["gateway", "centre"]
    source: str
    stream: str
    reason: str
    sample: str


class Balance(ApiModel):
    """tills: what the tills say of themselves (day_close); ledger: what arrived."""

    tills: int
    ledger: int


class DayBalance(ApiModel):
    """A closed day of a till. missing_numbers: of receipts, between the ledger's first and last number of the day."""

    store: str
    register_id: str
    business_date: DayText
    receipts: Balance
    lines: Balance
    units: Balance
    cents: Balance
    balanced: bool
    first_number: int | None = None
    last_number: int | None = None
    missing_numbers: int = 0


class TransmissionTally(ApiModel):
    """What devices sent, by the gateways' newest health records. rejected: new, but malformed; quarantined: all put aside."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    quarantined: int = 0


class CellTally(ApiModel):
    """What shelf cells felt, by the gateways' newest health records. unresolved: weight that no whole units explain."""

    picked_units: int = 0
    put_back_units: int = 0
    unresolved_units: int = 0


class TriggerTally(ApiModel):
    """Triggers since the beginning. sent: placed in the feed; acknowledged: the replenishment system answered; waiting: now."""

    created: int = 0
    sent: int = 0
    acknowledged: int = 0
    waiting: int = 0


class Accounting(ApiModel):
    """Only closed days are compared, and all of them; how many are open is in `open_days`.

    days: all of `closed_days`, newest first; where they are more than were asked for, only those that differ (`wrong_days`).
    """

    balanced: bool
    receipts: Balance
    lines: Balance
    units: Balance
    cents: Balance
    declared_gaps: int
    days: list[DayBalance]
    open_days: int
    closed_days: int = 0
    wrong_days: int = 0
    missing_numbers: int = 0
    transmissions: TransmissionTally = TransmissionTally()
    cells: CellTally = CellTally()
    triggers: TriggerTally = TriggerTally()
