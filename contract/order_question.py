"""What the order graph was asked for one SKU: enough to compute the order again, whoever does it.

The fields are those of the graph (docs/replenishment.md says what each is); lists run over stretches of the lead time, or over
the times by which stock expires.
"""

from typing import Annotated

from pydantic import Field

from contract.message import Message

STRETCHES = 4
BUCKETS = STRETCHES + 2
LEVELS = 9

Amount = Annotated[float, Field(ge=0, le=10_000_000)]
Quantiles = Annotated[list[Amount], Field(min_length=LEVELS, max_length=LEVELS)]


class OrderQuestion(Message):
    """Units and shares. on_hand_units: by when it expires, None is unknown. max_stock_units, life_units: None is no limit."""

    lead_quantiles: Annotated[list[Quantiles], Field(min_length=STRETCHES, max_length=STRETCHES)]
    lead_mean_units: Annotated[list[Amount], Field(min_length=STRETCHES, max_length=STRETCHES)]
    cover_quantiles: Quantiles
    cover_mean_units: Amount
    on_hand_units: Annotated[
        list[Annotated[float, Field(ge=-10_000_000, le=10_000_000)] | None],
        Field(min_length=BUCKETS, max_length=BUCKETS),
    ]
    arriving_units: Annotated[list[Amount], Field(min_length=STRETCHES, max_length=STRETCHES)]
    arriving_bucket: Annotated[list[Amount], Field(min_length=STRETCHES, max_length=STRETCHES)]
    pack_units: Annotated[float, Field(ge=1, le=10_000)]
    min_order_units: Amount = 0.0
    max_stock_units: Amount | None = None
    presentation_units: Amount = 0.0
    life_units: Amount | None = None
    life_periods: Amount = 0.0
    lead_periods: Amount = 0.0
    odds: Amount
    lot_units: Amount = 0.0
    waste_price: Amount = 0.0
    lifo: Annotated[float, Field(ge=0, le=1)] = 0.0
    open_today: Annotated[float, Field(ge=0, le=1)] = 1.0
