"""What HQ asks of all stores at once."""

from contract.api.common import ApiModel


class SkuDay(ApiModel):
    """One SKU's business day in one store. on_hand_units: the last level of the day, None when nobody knew."""

    store: str
    name: str
    region: str
    sold_units: int
    sold_cents: int
    picked_units: int
    delivered_units: int
    shrink_units: int
    stock_out_ms: int
    on_hand_units: int | None


class CategoryHour(ApiModel):
    """Of managed items in the stores of one region, in the hour from at_ms on. place: 1 sold most, in cents."""

    region: str
    at_ms: int
    category: str
    sold_units: int
    sold_cents: int
    stock_out_ms: int
    place: int
