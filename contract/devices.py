"""What devices publish on `shelfloop/1/{device}/{stream}`, one class a stream, as flat JSON.

Signs: a line's `quantity` is never negative; its `kind` says which way goods move. `extended_cents` is
signed: the lines' sum is the receipt's total.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from contract.errors import MalformedMessageError
from contract.ids import DayText, EpochMs, Gtin, Id, MemberRef, Seq
from contract.message import Message

Grams = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]
Cents = Annotated[int, Field(ge=-100_000_000, le=100_000_000)]
Units = Annotated[int, Field(ge=0, le=100_000)]
SignedUnits = Annotated[int, Field(ge=-100_000, le=100_000)]
Text = Annotated[str, Field(max_length=200)]


class ClockQuality(StrEnum):
    SYNCED = "synced"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class DeviceEvent(Message):
    """The envelope. Identity is (device, boot_id, seq): `boot_id` is new at each start, `seq` counts from 1.

    kept_from_seq: the lowest seq of this boot that the device can still resend; None when it keeps nothing.
    t_device_ms: monotonic since the device's start. t_event_ms: UTC, None when the device has no clock.
    """

    stream: ClassVar[str]

    device: Id
    boot_id: Id
    seq: Seq
    kept_from_seq: Seq | None = None
    t_device_ms: Annotated[int, Field(ge=0, le=2**53 - 1)]
    t_event_ms: EpochMs | None = None
    clock_quality: ClockQuality = ClockQuality.UNKNOWN


class CellReading(Message):
    """One load cell under one facing. `age_ms`: how long before the event's time it was taken."""

    cell: Id
    weight_g: Grams
    stable: bool
    sd_g: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    n: Annotated[int, Field(ge=1, le=100_000)] = 1
    age_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0


class Weight(DeviceEvent):
    stream: ClassVar[str] = "weight"
    readings: Annotated[list[CellReading], Field(min_length=1, max_length=64)]


class FaultCode(StrEnum):
    SATURATED = "saturated"
    DISCONNECTED = "disconnected"
    STUCK = "stuck"
    DESYNC = "desync"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    CALIBRATION_MISSING = "calibration-missing"


class Fault(DeviceEvent):
    stream: ClassVar[str] = "fault"
    code: FaultCode
    cell: Id | None = None
    text: Text = ""


class Calibration(DeviceEvent):
    """The cell now reads `offset_g` when empty (after a person tared it)."""

    stream: ClassVar[str] = "calibration"
    cell: Id
    offset_g: Grams


class LineKind(StrEnum):
    SALE = "sale"
    RETURN = "return"
    VOID = "void"
    DEPOSIT = "deposit"
    DISCOUNT = "discount"
    NOT_FOUND = "not-found"


GOODS_DIRECTION = {LineKind.SALE: 1, LineKind.RETURN: -1, LineKind.VOID: -1}
"""Which way a line moves goods out of the shop; kinds not named move none."""


class ReceiptLine(Message):
    """One line. A weighed line has `quantity_g`, a counted one `quantity_units`; a discount or deposit has neither.

    gtin: None for discounts, deposits and what the till could not identify (`raw_code` then says what was scanned).
    """

    kind: LineKind
    gtin: Gtin | None = None
    raw_code: Annotated[str, Field(max_length=80)] = ""
    quantity_units: Units = 0
    quantity_g: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    unit_price_cents: Cents = 0
    extended_cents: Cents
    coupon_code: Annotated[str, Field(max_length=32)] | None = None

    @property
    def sold_units(self) -> int:
        """Units that left the shop by this line: negative for returns and voids."""
        return GOODS_DIRECTION.get(self.kind, 0) * self.quantity_units

    @property
    def sold_g(self) -> int:
        return GOODS_DIRECTION.get(self.kind, 0) * self.quantity_g


class Receipt(DeviceEvent):
    """One sale at a till. Identity for life: (store, register, business_date, sequence)."""

    stream: ClassVar[str] = "receipt"
    register_id: Id
    business_date: DayText
    sequence: Annotated[int, Field(ge=1, le=2**31)]
    lines: Annotated[list[ReceiptLine], Field(min_length=1, max_length=500)]
    total_cents: Cents
    member: MemberRef | None = None

    @model_validator(mode="after")
    def _lines_add_up(self) -> "Receipt":
        total = sum(line.extended_cents for line in self.lines)
        if total != self.total_cents:
            raise ValueError(f"total_cents is {self.total_cents} but the lines add up to {total}")
        return self


class DayClose(DeviceEvent):
    """The till's own totals of its business day: the independent side of every balance."""

    stream: ClassVar[str] = "day_close"
    register_id: Id
    business_date: DayText
    receipts: Units
    lines: Annotated[int, Field(ge=0, le=50_000_000)]
    units: Annotated[int, Field(ge=-50_000_000, le=50_000_000)]
    grams: Annotated[int, Field(ge=-(10**12), le=10**12)] = 0
    cents: Annotated[int, Field(ge=-(10**12), le=10**12)]


class Scan(DeviceEvent):
    stream: ClassVar[str] = "scan"
    raw: Annotated[str, Field(min_length=1, max_length=200)]


class EslStatus(DeviceEvent):
    """A label's check-in. battery_mv: None when it cannot measure."""

    stream: ClassVar[str] = "esl_status"
    tag: Id
    battery_mv: Annotated[int, Field(ge=0, le=10_000)] | None = None
    rssi_dbm: Annotated[int, Field(ge=-150, le=20)] | None = None
    content_hash: Annotated[str, Field(max_length=16)] = ""


class EslResult(StrEnum):
    DISPLAYED = "displayed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class EslAck(DeviceEvent):
    """A label's answer to a price command: the hash of what it now shows."""

    stream: ClassVar[str] = "esl_ack"
    tag: Id
    command_id: Id
    content_hash: Annotated[str, Field(max_length=16)]
    result: EslResult
    text: Text = ""


class DeliveryLine(Message):
    """quantity_units arrived; expected_units as the despatch note says (equal unless short or over)."""

    gtin: Gtin
    quantity_units: Units
    expected_units: Units
    substitutes_gtin: Gtin | None = None


class Delivery(DeviceEvent):
    stream: ClassVar[str] = "delivery"
    despatch: Annotated[str, Field(min_length=1, max_length=64)]
    lines: Annotated[list[DeliveryLine], Field(min_length=1, max_length=500)]


class Place(StrEnum):
    SHELF = "shelf"
    BACK_ROOM = "back-room"
    STORE = "store"


class StocktakeLine(Message):
    gtin: Gtin
    counted_units: Units


class Stocktake(DeviceEvent):
    """A count by a person. `opening`: the first one, which is no correction and makes no shrink."""

    stream: ClassVar[str] = "stocktake"
    place: Place
    opening: bool = False
    lines: Annotated[list[StocktakeLine], Field(min_length=1, max_length=2000)]


class AdjustmentReason(StrEnum):
    DAMAGE = "damage"
    WASTE = "waste"
    THEFT = "theft"
    OWN_USE = "own-use"
    OTHER = "other"


class Adjustment(DeviceEvent):
    """delta_units is signed: goods written off are negative."""

    stream: ClassVar[str] = "adjustment"
    gtin: Gtin
    delta_units: SignedUnits
    place: Place
    reason: AdjustmentReason


class Birth(DeviceEvent):
    """First message of a boot. `kind`: till, shelf, esl-base, dock, bridge."""

    stream: ClassVar[str] = "birth"
    kind: Id
    firmware: Text = ""
    hardware: Text = ""
    protocol: Annotated[int, Field(ge=0, le=1000)] = 1
    uid: Text = ""
    reset_reason: Text = ""


class Death(DeviceEvent):
    stream: ClassVar[str] = "death"
    reason: Text


class Rejected(DeviceEvent):
    """What a bridge received from a device and could not pass on: the gateway keeps it in quarantine.

    source: the device (or port) it came from; sample: its first bytes, printable.
    of_boot_id, of_seq: the identity of the rejected event of `source`, where its envelope was readable: it is then
    dealt with (quarantined), so `stored` may pass over it. Else the device would resend it for ever.
    """

    stream: ClassVar[str] = "rejected"
    source: Text
    reason: Annotated[str, Field(min_length=1, max_length=300)]
    sample: Annotated[str, Field(max_length=400)] = ""
    of_boot_id: Id | None = None
    of_seq: Seq | None = None


class Heartbeat(DeviceEvent):
    """Counters of the device or of the link to it; all grow until the next boot."""

    stream: ClassVar[str] = "heartbeat"
    uptime_ms: Annotated[int, Field(ge=0)]
    counters: dict[Id, Annotated[int, Field(ge=0)]] = {}
    temperature_c: Annotated[float, Field(ge=-60, le=125)] | None = None


class DeviceState(Message):
    """Retained on `…/state`; `offline` comes by last will. Not an event: it has no seq."""

    state: Literal["online", "offline"]


class Stored(Message):
    """The gateway's end-to-end receipt on `…/cmd/stored`: everything up to `through_seq` of this boot is on its disk."""

    boot_id: Id
    through_seq: Annotated[int, Field(ge=0)]


class PriceCommand(Message):
    """The gateway to a label base on `…/cmd/price`. Equal `content_hash` is success without a redraw."""

    command_id: Id
    tag: Id
    sku: Text
    name: Text
    price_cents: Cents
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    content_hash: Annotated[str, Field(max_length=16)]


EVENT_CLASSES: tuple[type[DeviceEvent], ...] = (
    Weight, Fault, Calibration, Receipt, DayClose, Scan, EslStatus, EslAck, Delivery, Stocktake, Adjustment,
    Birth, Death, Rejected, Heartbeat,
)  # fmt: skip
EVENT_BY_STREAM: dict[str, type[DeviceEvent]] = {event.stream: event for event in EVENT_CLASSES}

COUNTED_STREAMS = frozenset({"receipt", "day_close", "delivery", "stocktake", "adjustment"})
"""Streams whose devices keep events until `stored`; weights are state and heal themselves."""


def event_from_json(device: str, stream: str, payload: bytes) -> DeviceEvent:
    """The event in `payload`. Raises MalformedMessageError for an unknown stream, a bad field or another device's name."""
    cls = EVENT_BY_STREAM.get(stream)
    what = f"{stream[:40]} event of device {device}"
    if cls is None:
        raise MalformedMessageError(what, f"unknown stream; known are {', '.join(sorted(EVENT_BY_STREAM))}")
    event = cls.from_json(payload, what)
    if event.device != device:
        raise MalformedMessageError(what, f"device: the payload says {event.device!r}, the topic {device!r}")
    return event
