"""The pull feed and webhook endpoints: the same outgoing events by two doors."""

from typing import Annotated, Literal

from pydantic import Field

from contract.api.common import ApiModel
from contract.ids import EpochMs

EventType = Literal[
    "shelfloop.restock.trigger.v1",
    "shelfloop.restock.change.v1",
    "shelfloop.restock.cancelled.v1",
    "shelfloop.coupon.issued.v1",
    "shelfloop.coupon.redeemed.v1",
    "shelfloop.coupon.reversed.v1",
]


class TriggerEventData(ApiModel):
    """data of shelfloop.restock.trigger.v1: an order to place. Answer on POST /v1/triggers/{trigger}/statuses.

    Also of shelfloop.restock.change.v1: the acknowledged order as we wish it now. A status of the new revision takes the
    change, `rejected` of the new revision refuses it, and a later status of the revision before leaves it as it was.
    """

    trigger: str
    revision: int
    supersedes: str | None
    dedupe_key: str
    kind: Literal["restock", "transfer", "emergency"]
    store: str
    sku: str
    gtin: str
    uom: Literal["EA"]
    quantity_units: int
    pack_units: int
    supplier: str
    on_hand_units: int | None
    on_order_units: int
    cumulative_quantiles: list[float]
    quantile_levels: list[float]
    reason: str
    rule: str
    bundle: str
    watermark_ms: EpochMs
    lead_time_days: int
    expires_ms: EpochMs | None


class TriggerCancelledData(ApiModel):
    trigger: str
    revision: int
    state: str
    reason: str


class CouponEventData(ApiModel):
    """data of shelfloop.coupon.*. code: only in `issued`. member: a pseudonym."""

    coupon: str
    campaign: str
    member: str
    store: str
    sku: str
    gtin: str
    code: str | None
    title: str
    discount_cents: int
    valid_until_ms: EpochMs


class CloudEvent(ApiModel):
    """CloudEvents 1.0, structured JSON. id is stable over retries and both doors: dedupe on (source, id)."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType
    time: str
    subject: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, object]


class FeedRow(ApiModel):
    position: int
    event: CloudEvent


class Feed(ApiModel):
    """rows after the cursor, in order; `next` is the cursor for the next call (the same when nothing came)."""

    rows: list[FeedRow]
    next: int


class WebhookPost(ApiModel):
    """types empty: all that the token's scope may see."""

    url: Annotated[str, Field(pattern=r"^https?://[^\x00-\x20\x7f]+$", max_length=500)]
    types: list[EventType] = []


class WebhookCreated(ApiModel):
    """secret: `whsec_…`, shown once; signs by Standard Webhooks 1.0."""

    webhook: str
    url: str
    secret: str


class SecretRotation(ApiModel):
    """keep_old_s: real seconds for which the old secret signs beside the new one."""

    keep_old_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400


class WebhookView(ApiModel):
    """given_up_total: events that were not taken in the whole schedule, or waited when the webhook was switched off.

    given_up_from: the lowest position of those that were not asked for again since; a replay after the one before it sends
    them, and a new webhook's owner reads them from the feed.
    """

    webhook: str
    url: str
    types: list[str]
    enabled: bool
    delivered_total: int
    failed_total: int
    given_up_total: int
    given_up_from: int | None
    pending: int
    last_status: str
    last_ms: EpochMs | None
