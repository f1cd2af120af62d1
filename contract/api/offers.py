"""Members, campaigns and coupons."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.api.stores import H3Cell
from contract.ids import EpochMs, Id


class MemberPut(ApiModel):
    """Of a pseudonym. No coordinates exist in this API: `h3_cell` (resolution 8) is the finest, latest only, with a time to live.

    quiet_from_minute..quiet_until_minute: local to `timezone`; a coupon due then waits. location_consent is a consent of its own.
    """

    marketing_consent: bool
    location_consent: bool
    h3_cell: H3Cell | None = None
    cell_ttl_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 86_400
    timezone: Annotated[str, Field(max_length=60)]
    quiet_from_minute: Annotated[int, Field(ge=0, le=1440)] = 1320
    quiet_until_minute: Annotated[int, Field(ge=0, le=1440)] = 480


class CampaignCause(StrEnum):
    SURPLUS = "surplus"
    HOT_CATEGORY = "hot-category"


class CampaignPut(ApiModel):
    """discount_percent of the item's price, at most max_discount_cents. holdout_percent: of the audience, gets nothing, for measurement.

    stores empty: all. surplus_cover_days: stock above so many days of forecast counts as surplus. reach_rings: H3 rings around the shop's cell.
    """

    cause: CampaignCause
    name: Annotated[str, Field(min_length=1, max_length=100)]
    stores: list[Id] = []
    discount_percent: Annotated[int, Field(ge=1, le=90)]
    max_discount_cents: Annotated[int, Field(ge=1, le=100_000)]
    budget_cents: Annotated[int, Field(ge=0, le=100_000_000)]
    cap_per_member: Annotated[int, Field(ge=1, le=1000)] = 2
    cap_total: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    cap_per_day: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    holdout_percent: Annotated[int, Field(ge=0, le=50)] = 10
    reach_rings: Annotated[int, Field(ge=0, le=10)] = 2
    valid_days: Annotated[int, Field(ge=1, le=60)] = 7
    surplus_cover_days: Annotated[float, Field(ge=1, le=365)] = 14.0
    starts_ms: EpochMs
    ends_ms: EpochMs
    active: bool = True


class CampaignChange(ApiModel):
    """What a person changes of a campaign that runs; None stays. What was issued stays valid. who and reason: for the audit."""

    active: bool | None = None
    ends_ms: EpochMs | None = None
    budget_cents: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    who: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(min_length=1, max_length=300)]


class CampaignView(ApiModel):
    """The funnel. lift_*: redemption-blind sales per member of the treated minus the holdout, 95 % interval; None while too few."""

    campaign: str
    cause: CampaignCause
    name: str
    active: bool
    starts_ms: EpochMs
    ends_ms: EpochMs
    audience: int
    holdout: int
    issued: int
    delivered: int
    redeemed: int
    reversed: int
    refused: int
    expired: int
    budget_cents: int
    spent_cents: int
    lift_cents: float | None = None
    lift_low_cents: float | None = None
    lift_high_cents: float | None = None
