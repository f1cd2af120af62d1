"""Goods carried from one shop to another: what could be, what it is worth, and what is on its way."""

from typing import Literal

from contract.api.common import ApiModel
from contract.api.restock import TriggerState
from contract.ids import EpochMs


class TransferOffer(ApiModel):
    """What another store within reach could give, and what that is worth after the trip: against waiting, and against an order
    outside the calendar (None: there is no such lane).
    """

    giver: str
    giver_name: str
    quantity_units: int
    distance_km: float
    net_cents: int
    against_order_cents: int | None


class MismatchView(ApiModel):
    """One SKU in one store: units it could spare until its own next delivery, and units it will miss until then.

    offer: the transfer that is worth most here, None: none is worth its trip, or one waits or runs already (`trigger`).
    at_ms: when it was computed.
    """

    store: str
    sku: str
    spare_units: int
    missed_units: float
    store_name: str = ""
    region: str = ""
    name: str = ""
    currency: str = ""
    offer: TransferOffer | None = None
    trigger: str | None = None
    at_ms: EpochMs = 0


class MismatchRegion(ApiModel):
    """A region's lines together: SKUs in stores that will miss units, those that could spare some, and what is worth carrying there.

    Sums of money are of one currency: a region with two has two rows.
    """

    region: str
    currency: str
    stores: int
    short_skus: int
    missed_units: float
    spare_skus: int
    spare_units: int
    offers: int
    offered_units: int
    net_cents: int
    at_ms: EpochMs


class TransferView(ApiModel):
    """A transfer that is open, as one of its two stores sees it. leaves: those units are reserved for the other store.

    While it waits for a person (`proposed`, `snoozed`) nothing need be done; from `approved` on the giver sets the goods aside.
    """

    trigger: str
    store: str
    direction: Literal["leaves", "comes"]
    sku: str
    name: str
    quantity_units: int
    other_store: str
    other_name: str
    state: TriggerState
    why: str
    despatch: str | None
    changed_ms: EpochMs
