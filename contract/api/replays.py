"""Stored weeks played again under a changed rule or bundle, before it is enabled."""

from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.api.suppliers import Weekday
from contract.documents import Sha256
from contract.ids import DayText

MAX_DAYS = 182


class RuleChange(ApiModel):
    """What is set anew for every SKU and supplier calendar of the store; None stays as it is. lead_time_days: the calendars', too."""

    service_level: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=21)] | None = None
    review_days: Annotated[int, Field(ge=1, le=7)] | None = None
    pack_units: Annotated[int, Field(ge=1, le=10_000)] | None = None
    min_order_units: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_stock_units: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    presentation_units: Annotated[int, Field(ge=0, le=10_000)] | None = None
    order_weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = None
    cutoff_minute: Annotated[int, Field(ge=0, le=1439)] | None = None
    delivery_weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = None
    emergency_lead_days: Annotated[int, Field(ge=0, le=21)] | None = None
    auto_approve_below_cents: Annotated[int, Field(ge=0, le=10**9)] | None = None
    auto_approve_from_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    budget_cents: Annotated[int, Field(ge=0, le=10**9)] | None = None


class ReplayPost(ApiModel):
    """days: the newest ones that are over. bundle: the changed side's forecasts and order graph are its; None: those that ran."""

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 28
    changes: RuleChange = RuleChange()
    bundle: Sha256 | None = None


class Figures(ApiModel):
    """Sums. An order counts on the day of its first decision. asked: orders that waited for a person. stock_out_minutes: open time with
    an empty shelf, all SKUs. stock_unit_days: units on hand at the day's end, summed.
    """

    orders: int = 0
    ordered_units: int = 0
    ordered_cents: int = 0
    emergencies: int = 0
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
    emergencies: int = 0
    asked: int = 0


class AgreementView(ApiModel):
    """Real orders against those that the play as it is makes. same: within a day and a pack. quantity: that day, another quantity.

    only_made, only_played: on one side alone, by reason.
    """

    made: int = 0
    played: int = 0
    same: int = 0
    quantity: int = 0
    only_made: dict[str, int] = {}
    only_played: dict[str, int] = {}


class ReplayDay(ApiModel):
    day: DayText
    now: Figures
    then: Figures
    made: Made = Made()


class ReplayView(ApiModel):
    """Of one store: the days as the rules are (now) and as they would be changed (then). Nothing was changed by asking.

    Both play the rule that runs (order graph, calendars, emergency lane, budget, approval) on the stored demand; what was really ordered
    is `made`, and how far the play as it is agrees with that is `agreement`.

    skus: played: with a supply line, sales and a forecast in these days. skus_left_out: the slowest sellers beyond the limit.
    """

    store: str
    skus: int
    skus_left_out: int
    days: list[ReplayDay]
    agreement: AgreementView = AgreementView()
