"""Restock triggers, their statuses, evidence, outside orders and kill-switches."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contract.api.common import ApiModel
from contract.ids import DayText, EpochMs, Id, SkuText


class TriggerState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    ORDERED = "ordered"
    SHIPPED = "shipped"
    RECEIVED = "received"
    CLOSED = "closed"
    SNOOZED = "snoozed"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class TriggerView(ApiModel):
    """One restock trigger. why: one sentence for a person. doubt: why a person is asked, "" when none.

    due_ms: of an approved one that waits for the supplier's cut-off, when it goes out; of a snoozed one, when it wakes.
    """

    trigger: str
    revision: int
    store: str
    store_name: str
    sku: str
    gtin: str
    name: str
    kind: Literal["restock", "transfer", "emergency"]
    supplier: str
    state: TriggerState
    quantity_units: int
    pack_units: int
    shipped_units: int | None
    received_units: int | None
    value_cents: int
    on_hand_units: int | None
    on_order_units: int
    expected_stock_out_units: float
    why: str
    doubt: str
    created_ms: EpochMs
    changed_ms: EpochMs
    expires_ms: EpochMs | None
    bundle: str
    erp_document: str | None
    despatch: str | None
    due_ms: EpochMs | None = None


class ReportedStatus(StrEnum):
    """What the replenishment system may report. `rejected` ends the trigger; `received` is known from the store's own delivery."""

    ACKNOWLEDGED = "acknowledged"
    ORDERED = "ordered"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class StatusPost(ApiModel):
    """revision: the trigger's revision that it answers. at_ms: when it happened there. shipped needs a despatch number."""

    revision: Annotated[int, Field(ge=1)]
    status: ReportedStatus
    at_ms: EpochMs
    quantity_units: Annotated[int, Field(ge=0, le=100_000)] | None = None
    despatch: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    erp_document: Annotated[str, Field(max_length=64)] | None = None
    arrives_day: DayText | None = None
    reason: Annotated[str, Field(max_length=300)] = ""


class Evidence(ApiModel):
    """What a trigger was decided from, and the same decision computed again now.

    agrees: the recomputed quantity equals the stored one, and what the gateway said of it comes out again, too; `note` says what
    does not.
    """

    trigger: str
    inputs: dict[str, object]
    watermark_ms: EpochMs
    rule: str
    bundle: str
    quantity_units: int
    recomputed_quantity_units: int | None
    agrees: bool
    note: str


class OutsideOrder(ApiModel):
    """An order placed by hand in the ERP. order: its number there; the same number again changes nothing."""

    order: Annotated[str, Field(min_length=1, max_length=64)]
    store: Id
    sku: SkuText
    quantity_units: Annotated[int, Field(ge=1, le=100_000)]
    at_ms: EpochMs
    despatch: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    arrives_day: DayText | None = None


class KillSwitch(ApiModel):
    """on: no automatic orders in its scope; proposals then wait for a person. target: "" for the chain."""

    scope: Literal["chain", "store", "supplier"]
    target: Annotated[str, Field(max_length=48)] = ""
    on: bool
    who: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(max_length=300)] = ""
