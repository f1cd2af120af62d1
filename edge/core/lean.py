"""The documents that grow with the assortment, read into a quarter of the memory.

12,000 items and prices as the contract's models cost 24 MB on a gateway, as these slotted rows 6 MB (measured). The
fields and their limits are the contract's; a test holds both against each other.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from contract.batch import RejectedRecord
from contract.devices import Cents, Text, Units
from contract.documents import (
    MAX_ON_ORDER,
    AcksDocument,
    AnyDocument,
    BundleDocument,
    CalendarDocument,
    ConfigDocument,
    CouponsDocument,
    DeliveriesDocument,
    Document,
    HistoryDocument,
    ItemsDocument,
    ModelsDocument,
    OrderSlot,
    Percent,
    PlanogramDocument,
    PricesDocument,
    StoreDocument,
    SupplyDocument,
)
from contract.ids import DayText, EpochMs, Gtin, Id, SkuText
from contract.message import Message

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(slots=True)
class ItemRow:
    """contract.documents.Item. `gtins` is emptied once they are in the index."""

    sku: SkuText
    gtins: Annotated[list[Gtin], Field(min_length=1, max_length=20)]
    name: Text
    category: Text
    unit_weight_g: Annotated[float, Field(gt=0, le=100_000)] | None = None
    managed: bool = True

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(slots=True)
class PriceRow:
    """contract.documents.Price."""

    sku: SkuText
    price_cents: Annotated[int, Field(ge=0, le=100_000_000)]
    from_ms: EpochMs

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(slots=True)
class FacingRow:
    """contract.documents.Facing."""

    device: Id
    cell: Id
    sku: SkuText | None
    from_ms: EpochMs
    capacity_units: Annotated[int, Field(ge=1, le=10_000)]
    tare_g: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    tag: Id | None = None

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(slots=True)
class OnOrderRow:
    """contract.documents.OnOrder."""

    units: Units
    day: DayText | None = None

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(slots=True)
class SupplyRow:
    """contract.documents.SupplyLine."""

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
    on_order: Annotated[tuple[OnOrderRow, ...], Field(max_length=MAX_ON_ORDER)] = ()
    presentation_units: Annotated[int, Field(ge=0, le=10_000)] = 0
    order_cost_cents: Annotated[int, Field(ge=0, le=100_000)] = 0
    leaving_units: Units = 0

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(slots=True)
class DailyUnitsRow:
    """contract.documents.DailyUnits."""

    sku: SkuText
    units: Annotated[list[Units | None], Field(max_length=400)]
    served_percent: Annotated[list[Percent | None], Field(max_length=400)] | None = None

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


class LeanItems(Document):
    kind: Literal["items"] = "items"
    items: Annotated[list[ItemRow], Field(max_length=50_000)]


class LeanPrices(Document):
    kind: Literal["prices"] = "prices"
    prices: Annotated[list[PriceRow], Field(max_length=100_000)]


class LeanPlanogram(Document):
    kind: Literal["planogram"] = "planogram"
    facings: Annotated[list[FacingRow], Field(max_length=20_000)]
    esl_base: Id | None = None


class LeanSupply(Document):
    kind: Literal["supply"] = "supply"
    lines: Annotated[list[SupplyRow], Field(max_length=50_000)]
    slots: dict[Id, Annotated[list[OrderSlot], Field(max_length=60)]] = {}


class LeanHistory(Document):
    kind: Literal["history"] = "history"
    first_live_day: DayText
    rows: Annotated[list[DailyUnitsRow], Field(max_length=50_000)]


LeanDocument = (
    StoreDocument
    | LeanItems
    | LeanPlanogram
    | LeanPrices
    | LeanSupply
    | LeanHistory
    | CouponsDocument
    | ConfigDocument
    | AcksDocument
    | ModelsDocument
    | BundleDocument
    | DeliveriesDocument
    | CalendarDocument
)
LEAN_DOCUMENT: TypeAdapter[LeanDocument] = TypeAdapter(Annotated[LeanDocument, Field(discriminator="kind")])


class LeanReceipt(Message):
    """contract.batch.BatchReceipt with lean documents."""

    gateway: Id
    epoch: Id
    acked_through: Annotated[int, Field(ge=0)]
    rejected: list[RejectedRecord] = []
    documents: list[Annotated[LeanDocument, Field(discriminator="kind")]] = []
    server_time_ms: EpochMs


_GROWING = (ItemsDocument, PlanogramDocument, PricesDocument, SupplyDocument, HistoryDocument)


def lean_from(document: AnyDocument | LeanDocument) -> LeanDocument:
    """The document in its lean form."""
    if isinstance(document, _GROWING):
        return LEAN_DOCUMENT.validate_json(document.to_json())
    return document
