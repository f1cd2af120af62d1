"""What a gateway streams to the centre: one frozen row class a record kind.

Every row has `seq`, its place in the gateway's epoch, and `at_ms`, when it happened (UTC). Integers
everywhere (units, grams, cents, ms); floats only in forecasts. Rows travel as columns (`contract.batch`).
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from contract.devices import Cents, ClockQuality, Place, ReceiptLine, SignedUnits, Text, Units
from contract.ids import DayText, EpochMs, Id, MemberRef, Seq, SkuText
from contract.message import Message
from contract.order_question import OrderQuestion
from contract.severity import Severity as Severity  # noqa: PLC0414 - it is part of this page of the wire

QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
"""The levels of every forecast on the wire: the 95 % and 80 % bands, the quartiles, and the tail that orders use."""

MAX_HORIZON_DAYS = 28

Duration = Annotated[int, Field(ge=0, le=31 * 86_400_000)]
Quantity = Annotated[float, Field(ge=0, le=1_000_000)]
Quantiles = Annotated[list[Quantity], Field(min_length=len(QUANTILE_LEVELS), max_length=len(QUANTILE_LEVELS))]


class Record(Message):
    kind: ClassVar[str]

    seq: Seq
    at_ms: EpochMs


class SkuWindow(Record):
    """What the shelf saw of one SKU in [at_ms, at_ms + span_ms). Sales are not here: they come from receipts.

    seq_from: set when coarsening merged several rows: this row stands for seq_from..seq of them.
    on_hand_units, on_shelf_units: at the window's end; None is unknown. stock_out_ms: opening time with an empty facing.
    unresolved_g: weight changes that no unit count explains, absolute sum.
    """

    kind: ClassVar[str] = "sku_window"
    seq_from: Seq | None = None
    sku: SkuText
    span_ms: Duration
    picked_units: Units
    put_back_units: Units
    refilled_units: Units
    unresolved_g: Annotated[int, Field(ge=0, le=10_000_000)]
    on_hand_units: SignedUnits | None
    on_shelf_units: Units | None
    stock_out_ms: Duration


class SoldLine(ReceiptLine):
    """A receipt line with the chain's SKU, None where the gateway's item list does not know the GTIN."""

    sku: SkuText | None = None


class ReceiptRecord(Record):
    kind: ClassVar[str] = "receipt"
    register_id: Id
    business_date: DayText
    sequence: Annotated[int, Field(ge=1, le=2**31)]
    clock_quality: ClockQuality
    total_cents: Cents
    member: MemberRef | None
    lines: Annotated[list[SoldLine], Field(min_length=1, max_length=500)]


class DayCloseRecord(Record):
    kind: ClassVar[str] = "day_close"
    register_id: Id
    business_date: DayText
    receipts: Units
    lines: Annotated[int, Field(ge=0, le=50_000_000)]
    units: Annotated[int, Field(ge=-50_000_000, le=50_000_000)]
    grams: Annotated[int, Field(ge=-(10**12), le=10**12)]
    cents: Annotated[int, Field(ge=-(10**12), le=10**12)]


class StockFactKind(StrEnum):
    OPENING = "opening"
    DELIVERY = "delivery"
    STOCKTAKE = "stocktake"
    ADJUSTMENT = "adjustment"
    FACING = "facing"
    SHRINK = "shrink"
    LEVEL = "level"


class StockFact(Record):
    """A change or a statement of stock of one SKU.

    units: signed change for delivery, adjustment and shrink; an absolute count for opening, stocktake and level.
    level: the gateway's on-hand after reconciling till, shelf and delivery, sent when it changes (on_hand_units says it too).
    expected_units: of a delivery, as despatched. shrink: book minus shelf, negative when goods are missing.
    """

    kind: ClassVar[str] = "stock_fact"
    fact: StockFactKind
    sku: SkuText
    units: SignedUnits
    place: Place
    on_hand_units: SignedUnits | None = None
    on_shelf_units: Units | None = None
    expected_units: Units | None = None
    despatch: Annotated[str, Field(max_length=64)] | None = None
    reason: Text = ""


class ForecastRecord(Record):
    """Daily demand of one SKU from `first_day` on: `mean[i]` and `quantiles[i]` (levels QUANTILE_LEVELS) for day i.

    Rounded to two decimals by the sender: full float32 costs 17 bytes a number on the wire.
    """

    kind: ClassVar[str] = "forecast"
    sku: SkuText
    first_day: DayText
    mean: Annotated[list[Quantity], Field(min_length=1, max_length=MAX_HORIZON_DAYS)]
    quantiles: Annotated[list[Quantiles], Field(min_length=1, max_length=MAX_HORIZON_DAYS)]
    bundle: Text


class ProposalRecord(Record):
    """What the gateway would order, with all that is needed to compute it again.

    cumulative_quantiles: demand over lead time plus review period, at QUANTILE_LEVELS.
    doubt: why a person should look, "" when nothing speaks against it (unknown stock, silent cell, baseline model…).
    watermark_ms: event time up to which the inputs are complete. target_units: the stock position that the order makes up for
    what is missing to. expected_stock_out_units: if nothing is ordered; expected_unmet_units, expected_waste_units: the order
    included, None: the models do not say. question: what the order graph with the sha256 `order_graph` was asked, None where
    the models have none.
    """

    kind: ClassVar[str] = "proposal"
    sku: SkuText
    quantity_units: Units
    on_hand_units: SignedUnits | None
    on_order_units: Units
    cumulative_quantiles: Quantiles
    window_days: Annotated[int, Field(ge=1, le=MAX_HORIZON_DAYS)]
    service_level: Annotated[float, Field(gt=0, lt=1)]
    pack_units: Annotated[int, Field(ge=1, le=10_000)]
    min_order_units: Units
    max_stock_units: Units | None
    target_units: Quantity
    expected_stock_out_units: Quantity
    reasons: Annotated[list[Text], Field(max_length=10)]
    doubt: Text
    bundle: Text
    watermark_ms: EpochMs
    expected_unmet_units: Quantity | None = None
    expected_waste_units: Quantity | None = None
    order_graph: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    question: OrderQuestion | None = None


class AlertRecord(Record):
    """A change of a condition: raised, cleared, or acknowledged. `subject` names the device, cell, SKU or tag.

    acknowledged_by: set when a person took note of the open alert; the record then neither raises nor clears it.
    """

    kind: ClassVar[str] = "alert"
    code: Id
    subject: Text
    severity: Severity
    cleared: bool
    text: Annotated[str, Field(max_length=300)]
    acknowledged_by: Annotated[str, Field(max_length=80)] = ""


class QuarantineRecord(Record):
    """Bad input that the gateway put aside: HQ sees it, the gateway keeps the bytes."""

    kind: ClassVar[str] = "quarantine"
    source: Text
    stream: Text
    reason: Annotated[str, Field(max_length=300)]
    sample: Annotated[str, Field(max_length=400)]


class HealthRecord(Record):
    """Counters since the epoch began, and levels now. Names end in their unit; totals in `_total`."""

    kind: ClassVar[str] = "health"
    version: Text
    bundle: Text
    watermark_ms: EpochMs
    counters: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")], Annotated[int, Field(ge=0)]]
    devices_online: Annotated[list[Id], Field(max_length=500)]
    devices_offline: Annotated[list[Id], Field(max_length=500)]


class StagingState(StrEnum):
    """Where what the centre sent stands. staged: whole on the disk. good: passed its trial. reverted: taken back."""

    STAGED = "staged"
    SHADOW = "shadow"
    APPLIED = "applied"
    GOOD = "good"
    REFUSED = "refused"
    REVERTED = "reverted"


class StagingRecord(Record):
    """What became of a document or a bundle that the centre sent, and why.

    what: `bundle`, or the document's kind. name: the bundle's name@version, or `version N`. sha256: the bundle's.
    """

    kind: ClassVar[str] = "staging"
    what: Id
    name: Text
    state: StagingState
    reason: Annotated[str, Field(max_length=300)] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class ScoreRole(StrEnum):
    CURRENT = "current"
    CANDIDATE = "candidate"


class ModelScore(Record):
    """How a bundle forecast one business day, a day ahead, over the SKUs whose sales of that day are known.

    pinball: summed over SKUs and QUANTILE_LEVELS, units. WQL = 2 * pinball / (levels * units).
    inside_80, inside_95: SKUs whose sales lay within the central band. mean_units: what was expected in sum.
    """

    kind: ClassVar[str] = "model_score"
    day: DayText
    bundle: Text
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    role: ScoreRole
    skus: Annotated[int, Field(ge=0, le=1_000_000)]
    units: Annotated[int, Field(ge=0, le=1_000_000_000)]
    mean_units: Annotated[float, Field(ge=0, le=1e9)]
    pinball: Annotated[float, Field(ge=0, le=1e9)]
    inside_80: Annotated[int, Field(ge=0, le=1_000_000)]
    inside_95: Annotated[int, Field(ge=0, le=1_000_000)]


class GapRecord(Record):
    """A declared loss. units, cents: None when their extent is unknown."""

    kind: ClassVar[str] = "gap"
    what: Text
    reason: Text
    lost_epoch: Id | None = None
    seq_from: Seq | None = None
    seq_to: Seq | None = None
    units: SignedUnits | None = None
    cents: Annotated[int, Field(ge=-(10**12), le=10**12)] | None = None


RECORD_CLASSES: tuple[type[Record], ...] = (
    SkuWindow, ReceiptRecord, DayCloseRecord, StockFact, ForecastRecord, ProposalRecord, AlertRecord,
    QuarantineRecord, HealthRecord, GapRecord, StagingRecord, ModelScore,
)  # fmt: skip
RECORD_BY_KIND: dict[str, type[Record]] = {record.kind: record for record in RECORD_CLASSES}
