"""Suppliers: when they take orders and deliver, what they have; and the budget that a store may order for in a day."""

from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.devices import Units
from contract.ids import DayText, EpochMs, SkuText

Weekday = Annotated[int, Field(ge=0, le=6)]
"""0 is Monday."""


class SupplierPut(ApiModel):
    """Orders are held and merged until `freeze_min` before the cut-off, then sent as they stand.

    Days and minutes are local ones in `timezone`. lead_time_days: from the cut-off's day to the goods in the store;
    a lorry comes on delivery_weekdays only. emergency_lead_days: of an order outside the calendar, None: there is none.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    timezone: Annotated[str, Field(max_length=60)]
    order_weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    cutoff_minute: Annotated[int, Field(ge=0, le=1439)]
    lead_time_days: Annotated[int, Field(ge=0, le=21)]
    freeze_min: Annotated[int, Field(ge=0, le=1440)] = 0
    delivery_weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] = [0, 1, 2, 3, 4, 5, 6]
    closed_days: Annotated[list[DayText], Field(max_length=200)] = []
    emergency_lead_days: Annotated[int, Field(ge=0, le=21)] | None = None


class SupplierView(SupplierPut):
    """next_cutoff_ms: None when none is in sight. stocked_skus: those of which it said what it has."""

    supplier: str
    next_cutoff_ms: EpochMs | None
    next_delivery_day: DayText | None
    stocked_skus: int
    changed_ms: EpochMs


class Available(ApiModel):
    sku: SkuText
    available_units: Units


class AvailabilityPut(ApiModel):
    """What the distribution centre can ship now: replaces what it said before. A SKU that is absent is taken as available.

    What it expects is told by PUT /v1/suppliers/{supplier}/arrivals.
    """

    rows: Annotated[list[Available], Field(max_length=50_000)]


class Arriving(ApiModel):
    """Units of a SKU that the distribution centre expects on a day of its own."""

    sku: SkuText
    day: DayText
    units: Units


class ArrivalsPut(ApiModel):
    """What the distribution centre expects: replaces what it said before. It counts for orders that are picked on that day or later.

    It is in `available_units` once the availability is sent again on that day or later.
    """

    rows: Annotated[list[Arriving], Field(max_length=50_000)]


class BudgetPut(ApiModel):
    """cents_a_day: orders beyond it wait for a person; None: no budget. By the store's own day."""

    cents_a_day: Annotated[int, Field(ge=0, le=1_000_000_000)] | None


class Snooze(ApiModel):
    """The order sleeps until `until_ms`, then waits for a person again."""

    until_ms: EpochMs
    who: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(max_length=300)] = ""
