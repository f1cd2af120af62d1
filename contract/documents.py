"""Desired state that the centre returns to a gateway: whole documents with a version, newest wins.

A gateway says in each batch which versions it has (`Batch.have`); the centre answers with the documents that
are newer. Nothing needs an acknowledgement of its own: a lost reply is asked for again by the next batch.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contract.calendar import Calendar
from contract.devices import Cents, Text, Units
from contract.ids import DayText, EpochMs, Gtin, Id, SkuText
from contract.message import Message
from contract.rules import Gates, Rules


class DocumentKind(StrEnum):
    STORE = "store"
    ITEMS = "items"
    PLANOGRAM = "planogram"
    PRICES = "prices"
    SUPPLY = "supply"
    HISTORY = "history"
    COUPONS = "coupons"
    CONFIG = "config"
    ACKS = "acks"
    MODELS = "models"
    BUNDLE = "bundle"
    DELIVERIES = "deliveries"
    CALENDAR = "calendar"


class Document(Message):
    version: Annotated[int, Field(ge=1)]


class OpeningHours(Message):
    """Of one weekday, minutes after local midnight, [opens, closes)."""

    weekday: Annotated[int, Field(ge=0, le=6, description="0 is Monday")]
    opens_minute: Annotated[int, Field(ge=0, le=1440)]
    closes_minute: Annotated[int, Field(ge=0, le=1440)]


class StoreDocument(Document):
    """closed_days: business days on which the shop does not open. Days absent from `hours` are closed too."""

    kind: Literal["store"] = "store"
    store: Id
    name: Text
    timezone: Annotated[str, Field(max_length=60)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    hours: Annotated[list[OpeningHours], Field(max_length=7)]
    closed_days: Annotated[list[DayText], Field(max_length=200)] = []


class Item(Message):
    """unit_weight_g: of one unit as sold, None for what is not on a weighing cell. managed: forecast and reordered here."""

    sku: SkuText
    gtins: Annotated[list[Gtin], Field(min_length=1, max_length=20)]
    name: Text
    category: Text
    unit_weight_g: Annotated[float, Field(gt=0, le=100_000)] | None = None
    managed: bool = True


class ItemsDocument(Document):
    kind: Literal["items"] = "items"
    items: Annotated[list[Item], Field(max_length=50_000)]


class Facing(Message):
    """Cell `cell` of device `device` carries `sku` from `from_ms` on, until a later entry for the cell (sku None: nothing)."""

    device: Id
    cell: Id
    sku: SkuText | None
    from_ms: EpochMs
    capacity_units: Annotated[int, Field(ge=1, le=10_000)]
    tare_g: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    tag: Id | None = None


class PlanogramDocument(Document):
    """esl_base: the device that serves the tags, None when the shop has no labels."""

    kind: Literal["planogram"] = "planogram"
    facings: Annotated[list[Facing], Field(max_length=20_000)]
    esl_base: Id | None = None


class Price(Message):
    sku: SkuText
    price_cents: Annotated[int, Field(ge=0, le=100_000_000)]
    from_ms: EpochMs


class PricesDocument(Document):
    kind: Literal["prices"] = "prices"
    prices: Annotated[list[Price], Field(max_length=100_000)]


MAX_ON_ORDER = 20
"""Of one SKU; more orders of one day are told as one."""


class OnOrder(Message):
    """A part of what is on order. day: on which it is expected in the store, None: not known."""

    day: DayText | None = None
    units: Units


class OrderSlot(Message):
    """Orders placed until `until_ms` arrive on `arrives_day`."""

    until_ms: EpochMs
    arrives_day: DayText


class SupplyLine(Message):
    """How one SKU reaches this store. on_order_units: all that is on order; on_order: the same, with expected days.

    presentation_units: what the shelf must show beside the demand until the next delivery. order_cost_cents: of ordering this
    SKU once, whatever the quantity; it counts beside what `cost_cents` tie up in stock, and only where both are known. leaving_units:
    promised to other stores and still here; what is on hand is less by it for orders.
    """

    sku: SkuText
    supplier: Id
    lead_time_days: Annotated[int, Field(ge=1, le=21)]
    review_days: Annotated[int, Field(ge=1, le=7)]
    pack_units: Annotated[int, Field(ge=1, le=10_000)]
    min_order_units: Units = 0
    shelf_life_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    max_stock_units: Annotated[int, Field(ge=1, le=100_000)] | None = None
    service_level: Annotated[float, Field(ge=0.5, le=0.99)] = 0.95
    cost_cents: Cents = 0
    on_order_units: Units = 0
    on_order: Annotated[list[OnOrder], Field(max_length=MAX_ON_ORDER)] = []
    presentation_units: Annotated[int, Field(ge=0, le=10_000)] = 0
    order_cost_cents: Annotated[int, Field(ge=0, le=100_000)] = 0
    leaving_units: Units = 0


class SupplyDocument(Document):
    """slots: by supplier, its next cut-offs and what arrives when, oldest first; a supplier without any delivers by the line's
    lead time and review days.
    """

    kind: Literal["supply"] = "supply"
    lines: Annotated[list[SupplyLine], Field(max_length=50_000)]
    slots: dict[Id, Annotated[list[OrderSlot], Field(max_length=60)]] = {}


Percent = Annotated[int, Field(ge=0, le=100)]


class DailyUnits(Message):
    """Units sold a day, oldest first; None where unknown (not listed, not heard).

    served_percent: of the newest days, how much of the day's demand the shelf could serve; the last one belongs to units[-1].
    Below 100 the day's units are a lower bound of demand. What is not told is taken as 100: None, and days before the first.
    """

    sku: SkuText
    units: Annotated[list[Units | None], Field(max_length=400)]
    served_percent: Annotated[list[Percent | None], Field(max_length=400)] | None = None


class HistoryDocument(Document):
    """Daily sales before `first_live_day`: row.units[-1] is the day before it. Seeds a gateway's features."""

    kind: Literal["history"] = "history"
    first_live_day: DayText
    rows: Annotated[list[DailyUnits], Field(max_length=50_000)]


class CouponKey(Message):
    """What lets a gateway verify codes of one campaign alone.

    The code's last characters are a truncated HMAC-SHA256 over its body with `key_hex` (see contract.coupons).
    quota: redemptions that this store may accept while it cannot ask.
    """

    campaign: Id
    prefix: Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{3}$")]
    key_hex: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    valid_from_ms: EpochMs
    valid_until_ms: EpochMs
    quota: Units


class CouponsDocument(Document):
    kind: Literal["coupons"] = "coupons"
    keys: Annotated[list[CouponKey], Field(max_length=1000)]


class ConfigDocument(Document):
    """How a gateway behaves, whole: what is left out has its default. Applied without a restart."""

    kind: Literal["config"] = "config"
    rules: Rules = Rules()
    gates: Gates = Gates()


class AlertAck(Message):
    """A person at HQ took note of the alert (code, subject) that was raised at `raised_ms`."""

    code: Id
    subject: Text
    raised_ms: EpochMs
    who: Annotated[str, Field(min_length=1, max_length=80)]


class AcksDocument(Document):
    kind: Literal["acks"] = "acks"
    acks: Annotated[list[AlertAck], Field(max_length=2000)]


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleRef(Message):
    """name: name@version, for people. sha256: of the manifest's bytes, which name every file's own."""

    name: Text
    sha256: Sha256


class ModelsDocument(Document):
    """Which bundle the gateway runs (None: the one it was installed with) and which it only scores beside it.

    trial_days: business days over which a new current bundle must hold its bands before it counts as good; until then the
    one before stays ready.
    """

    kind: Literal["models"] = "models"
    current: BundleRef | None = None
    candidate: BundleRef | None = None
    trial_days: Annotated[int, Field(ge=0, le=28)] = 2


FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}\.[a-z]{1,10}$")]
MAX_BUNDLE_BYTES = 8_000_000


class BundleDocument(Document):
    """A bundle's files, each as base64. Sent when `models` names a bundle that `have` lacks as `bundle:{sha256}`."""

    kind: Literal["bundle"] = "bundle"
    name: Text
    sha256: Sha256
    files: Annotated[
        dict[FileName, Annotated[str, Field(max_length=MAX_BUNDLE_BYTES * 4 // 3 + 4)]],
        Field(min_length=2, max_length=12),
    ]


class NotedLine(Message):
    """One SKU of a load that arrived, as a delivery note says. at_ms: when. instead_of: the SKU that it substitutes."""

    note: Annotated[str, Field(min_length=1, max_length=64)]
    despatch: Annotated[str, Field(min_length=1, max_length=64)]
    sku: SkuText
    quantity_units: Annotated[int, Field(ge=1, le=100_000)]
    expected_units: Units
    at_ms: EpochMs
    instead_of: SkuText | None = None


class DeliveriesDocument(Document):
    """Loads that the centre knows by their notes and the gateway has not told yet. One that its dock scanned counts once."""

    kind: Literal["deliveries"] = "deliveries"
    lines: Annotated[list[NotedLine], Field(max_length=5000)]


class CalendarDocument(Calendar, Document):
    """What is known beforehand of the shop's days. Only gateways that name it in `have` get it: earlier ones cannot read it."""

    kind: Literal["calendar"] = "calendar"


AnyDocument = Annotated[
    StoreDocument
    | ItemsDocument
    | PlanogramDocument
    | PricesDocument
    | SupplyDocument
    | HistoryDocument
    | CouponsDocument
    | ConfigDocument
    | AcksDocument
    | ModelsDocument
    | BundleDocument
    | DeliveriesDocument
    | CalendarDocument,
    Field(discriminator="kind"),
]
