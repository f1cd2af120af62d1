"""The funnel of each campaign, and its lift: sales per treated member minus sales per held-out one, by intent to treat."""

import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.coupon_rows import Campaign
from contract.api.offers import CampaignView

LEAST_MEMBERS = 30
"""In each arm; below it the normal interval would pretend to know."""
NORMAL_95 = 1.959964

_ARMS = sa.text("SELECT campaign, arm, count(*) AS n FROM assignments GROUP BY campaign, arm")
_EVENTS = sa.text(
    "SELECT campaign, event, count(*) AS n, sum(cents) AS cents FROM coupon_events WHERE campaign IS NOT NULL GROUP BY campaign, event"
)
_COUPONS = sa.text("SELECT campaign, state, count(*) AS n FROM coupons GROUP BY campaign, state")
_DELIVERED = sa.text(
    """SELECT c.campaign, count(*) AS n FROM coupons c JOIN outgoing o ON o.event_id = c.coupon_id || '.issued'
    WHERE o.position IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.position = o.position)
    AND EXISTS (SELECT 1 FROM endpoints e WHERE e.delivered_total > 0) GROUP BY c.campaign"""
)
_LIFT = sa.text(
    """SELECT campaign, arm, count(*) AS n, sum(cents) AS total, sum(1.0 * cents * cents) AS squares FROM (
    SELECT a.campaign, a.member, a.arm, coalesce(sum(r.total_cents), 0) AS cents FROM assignments a
    LEFT JOIN receipts r ON r.member = a.member AND r.at_ms >= a.at_ms WHERE a.campaign IN :campaigns
    GROUP BY a.campaign, a.member, a.arm) spent GROUP BY campaign, arm"""
).bindparams(sa.bindparam("campaigns", expanding=True, type_=sa.Text()))


def campaign_views(connection: Connection, campaigns: list[Campaign]) -> list[CampaignView]:
    arms = {(row.campaign, row.arm): row.n for row in connection.execute(_ARMS)}
    events = {(row.campaign, row.event): row for row in connection.execute(_EVENTS)}
    states = {(row.campaign, row.state): row.n for row in connection.execute(_COUPONS)}
    delivered = {row.campaign: row.n for row in connection.execute(_DELIVERED)}
    named = {"campaigns": [campaign.campaign for campaign in campaigns]}
    spent = {
        (row.campaign, row.arm): (int(row.n), float(row.total), float(row.squares))
        for row in connection.execute(_LIFT, named)
    }
    return [_view(campaign, arms, events, states, delivered, spent) for campaign in campaigns]


def lift_interval(
    treated: tuple[int, float, float], holdout: tuple[int, float, float]
) -> tuple[float, float, float] | None:
    """(difference of means, low, high), 95 %; None while an arm is too small.

    Each arm: members, sum of cents, sum of squares. Welch's standard error, normal quantile.
    """
    if min(treated[0], holdout[0]) < LEAST_MEMBERS:
        return None
    means, errors = [], []
    for n, total, squares in (treated, holdout):
        mean = total / n
        means.append(mean)
        errors.append(max(squares - n * mean * mean, 0.0) / (n - 1) / n)
    difference, half = means[0] - means[1], NORMAL_95 * math.sqrt(sum(errors))
    return difference, difference - half, difference + half


def _view(
    campaign: Campaign, arms: dict[tuple[str, str], int], events: dict[tuple[str, str], Any],
    states: dict[tuple[str, str], int], delivered: dict[str, int],
    spent_by: dict[tuple[str, str], tuple[int, float, float]],
) -> CampaignView:  # fmt: skip
    name, put = campaign.campaign, campaign.put

    def happened(event: str) -> int:
        row = events.get((name, event))
        return int(row.n) if row else 0

    spent = sum(
        int(events[name, event].cents)
        for event in ("redeemed", "reversed", "refused")
        if (name, event) in events
    )
    lift = lift_interval(
        spent_by.get((name, "treated"), (0, 0.0, 0.0)), spent_by.get((name, "holdout"), (0, 0.0, 0.0))
    )
    treated, holdout = arms.get((name, "treated"), 0), arms.get((name, "holdout"), 0)
    return CampaignView(
        campaign=name, cause=put.cause, name=put.name, active=put.active, starts_ms=put.starts_ms,
        ends_ms=put.ends_ms, audience=treated + holdout, holdout=holdout, issued=happened("issued"),
        delivered=delivered.get(name, 0), redeemed=happened("redeemed"), reversed=happened("reversed"),
        refused=happened("refused"), expired=states.get((name, "expired"), 0), budget_cents=put.budget_cents,
        spent_cents=spent, lift_cents=lift[0] if lift else None, lift_low_cents=lift[1] if lift else None,
        lift_high_cents=lift[2] if lift else None,
    )  # fmt: skip
