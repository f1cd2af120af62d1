"""Stored weeks played again under a changed rule or bundle, before it is enabled."""

from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.documents import Sha256
from contract.ids import DayText

MAX_DAYS = 182
Days = Annotated[int, Field(ge=0, le=365)]


class RuleChange(ApiModel):
    """What is set anew for every SKU of the store; None stays as it is."""

    service_level: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=60)] | None = None
    review_days: Annotated[int, Field(ge=1, le=60)] | None = None
    pack_units: Annotated[int, Field(ge=1, le=10_000)] | None = None
    min_order_units: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_stock_units: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    auto_approve_below_cents: Annotated[int, Field(ge=0, le=10**9)] | None = None


class ReplayPost(ApiModel):
    """days: the newest ones that are over. bundle: forecasts of the changed side come from it; None: the stored ones."""

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 28
    changes: RuleChange = RuleChange()
    bundle: Sha256 | None = None


class Figures(ApiModel):
    """Sums. asked: orders that wait for a person. stock_unit_days: units on hand at the day's end, summed."""

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    asked: int = 0
    demand_units: int = 0
    missed_units: int = 0
    stock_out_minutes: int = 0
    wasted_units: int = 0
    stock_unit_days: int = 0


class Made(ApiModel):
    """Orders that were really made, of the SKUs that were played; asked: those that a person had to decide."""

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    asked: int = 0


class ReplayDay(ApiModel):
    day: DayText
    now: Figures
    then: Figures
    made: Made = Made()


class ReplayView(ApiModel):
    """Of one store: the days as the rules are (now) and as they would be changed (then). Nothing was changed by asking.

    Both are simulated, by base stock from each day's forecast, from the same opening stock with nothing on order: not by the order
    graph, calendars, emergency lanes and budgets of live orders. What was really ordered on those days is `made`.

    skus: played: with a supply line, sales and a forecast in these days. skus_left_out: the slowest sellers beyond the limit.
    """

    store: str
    skus: int
    skus_left_out: int
    days: list[ReplayDay]
