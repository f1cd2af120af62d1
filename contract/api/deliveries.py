"""Delivery notes, and what changes in a store's assortment at a date: facts that systems outside tell the centre."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contract.api.common import ApiModel
from contract.ids import EpochMs, Gtin, Id, SkuText

MAX_NOTE_AGE_DAYS = 30
"""Of the arrival that a note tells; the same note may come again for as long."""
NoteId = Annotated[str, Field(min_length=1, max_length=64)]


class NoteLine(ApiModel):
    """quantity_units: that arrived, 0 for what did not come. expected_units: that were ordered; None: the same.

    order: the trigger or the outside order that it fills; None: those on order with the note's despatch number.
    substitutes: the SKU that was ordered and does not come, where this one came instead of it.
    """

    sku: SkuText
    quantity_units: Annotated[int, Field(ge=0, le=100_000)]
    expected_units: Annotated[int, Field(ge=0, le=100_000)] | None = None
    order: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    substitutes: SkuText | None = None


class DeliveryNote(ApiModel):
    """Goods that arrived at a store. note: its number; the same note again changes nothing. at_ms: when they arrived.

    despatch: the number that the store's dock scans; None: the note's own.
    """

    note: NoteId
    store: Id
    at_ms: EpochMs
    despatch: NoteId | None = None
    lines: Annotated[list[NoteLine], Field(min_length=1, max_length=1000)]


class DeliveryLineView(ApiModel):
    """state: `open` until the store's gateway has it in its books, then `arrived`. booked_units: what the gateway's facts say."""

    note: str
    despatch: str
    sku: str
    quantity_units: int
    expected_units: int
    substitutes: str | None
    at_ms: EpochMs
    state: Literal["open", "arrived"]
    booked_units: int | None


class AssortmentChange(ApiModel):
    """What is true of a SKU in a store from `from_ms` on. Put the item and its supply line first where it is new.

    list: it is ordered from then on (before, it is not). delist: it is not ordered any more; what is on its way may come.
    pack: orders are in packs of pack_units, at least min_order_units. gtin: this GTIN is its own, and orders name it; the
    old ones still scan.
    """

    sku: SkuText
    from_ms: EpochMs
    change: Literal["list", "delist", "pack", "gtin"]
    pack_units: Annotated[int, Field(ge=1, le=10_000)] | None = None
    min_order_units: Annotated[int, Field(ge=0, le=100_000)] | None = None
    gtin: Gtin | None = None

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> "AssortmentChange":
        if (self.pack_units is not None) != (self.change == "pack"):
            raise ValueError("pack_units belongs to `pack`, which needs it")
        if (self.gtin is not None) != (self.change == "gtin"):
            raise ValueError("gtin belongs to `gtin`, which needs it")
        if self.min_order_units is not None and self.change != "pack":
            raise ValueError("min_order_units belongs to `pack`")
        return self


class AssortmentPost(ApiModel):
    changes: Annotated[list[AssortmentChange], Field(min_length=1, max_length=5000)]


class AssortmentView(AssortmentChange):
    """applied: it is in force."""

    applied: bool
