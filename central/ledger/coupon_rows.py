"""Rows of members, campaigns, assignments, coupons and what happened to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audiences import Member
from central.core.coupons import Spent
from central.core.lease import Rest
from central.core.redemption import CouponState, KnownCoupon
from central.ledger import tables
from central.ledger.locks import Lock
from contract.api.offers import CampaignPut, MemberPut

MEMBERS_AT_ONCE = 1000
"""Named in one statement."""


@dataclass(frozen=True, slots=True)
class Campaign:
    campaign: str
    put: CampaignPut
    prefix: str
    key_hex: str
    salt: str


@dataclass(frozen=True, slots=True)
class CouponRow:
    known: KnownCoupon
    number: int
    campaign: str
    member: str | None
    sku: str
    gtin: str
    title: str
    discount_cents: int
    code_tail: str


_PUT_MEMBER = sa.text(
    """INSERT INTO members (member, marketing_consent, location_consent, h3_cell, cell_expires_ms, timezone,
    quiet_from_minute, quiet_until_minute) VALUES (:member, :marketing, :location, :cell, :expires, :timezone,
    :quiet_from, :quiet_until) ON CONFLICT (member) DO UPDATE SET marketing_consent = excluded.marketing_consent,
    location_consent = excluded.location_consent, h3_cell = excluded.h3_cell,
    cell_expires_ms = excluded.cell_expires_ms, timezone = excluded.timezone,
    quiet_from_minute = excluded.quiet_from_minute, quiet_until_minute = excluded.quiet_until_minute"""
)
_DELETE_MEMBER = sa.text("DELETE FROM members WHERE member = :member")
_UNLINK_RECEIPTS = sa.text("UPDATE receipts SET member = NULL WHERE store_id = :store AND member = :member")
_UNLINK_COUPONS = sa.text("UPDATE coupons SET member = NULL WHERE store_id = :store AND member = :member")
_UNLINK_ASSIGNMENTS = sa.text("DELETE FROM assignments WHERE member = :member")
_FORGET_CELLS = sa.text(
    "UPDATE members SET h3_cell = NULL WHERE h3_cell IS NOT NULL AND cell_expires_ms <= :now"
)
_NEAR = sa.text(
    """SELECT * FROM members WHERE h3_cell IN :cells AND marketing_consent = 1 AND location_consent = 1
    AND cell_expires_ms > :now ORDER BY member"""
).bindparams(sa.bindparam("cells", expanding=True, type_=sa.Text()))
_CAMPAIGNS = sa.text("SELECT campaign, body, prefix, key_hex, salt FROM campaigns ORDER BY campaign")
_PUT_CAMPAIGN = sa.text(
    """INSERT INTO campaigns (campaign, body, prefix, key_hex, salt, created_ms)
    VALUES (:campaign, :body, :prefix, :key_hex, :salt, :now)
    ON CONFLICT (campaign) DO UPDATE SET body = excluded.body"""
)
_ASSIGN = sa.text(
    """INSERT INTO assignments (campaign, member, store_id, arm, at_ms) VALUES (:campaign, :member, :store, :arm, :at_ms)
    ON CONFLICT DO NOTHING"""
)
_ASSIGNED = sa.text(
    "SELECT member FROM assignments WHERE campaign = :campaign AND member IN :members"
).bindparams(sa.bindparam("members", expanding=True, type_=sa.Text()))
_INSERT_COUPON = tables.coupons.insert()
_BY_HASH = sa.text("SELECT * FROM coupons WHERE code_hash IN :hashes").bindparams(
    sa.bindparam("hashes", expanding=True, type_=sa.Text())
)
_SET_STATE = sa.text("UPDATE coupons SET state = :state WHERE store_id = :store AND number = :number")
_EXPIRE = sa.text(
    "UPDATE coupons SET state = 'expired' WHERE store_id = :store AND state = 'issued' AND valid_until_ms <= :now"
)
_EXPIRED_STORES = sa.text(
    "SELECT DISTINCT store_id FROM coupons WHERE state = 'issued' AND valid_until_ms <= :now ORDER BY store_id"
)
_ISSUE_ALONE = sa.text(f"SELECT pg_advisory_xact_lock({Lock.COUPONS})")
_SPENT_TODAY = sa.text(
    "SELECT count(*) FROM coupons WHERE campaign = :campaign AND issued_ms >= :since AND store_id = :store"
)
_PER_MEMBER = sa.text(
    """SELECT member, sku, count(*) AS n FROM coupons WHERE campaign = :campaign AND member IS NOT NULL
    GROUP BY member, sku"""
)
_TODAY = sa.text(
    """SELECT member FROM coupons WHERE issued_ms >= :since AND member IS NOT NULL GROUP BY member
    HAVING count(*) >= :cap"""
)
_PROMISED = sa.text(
    """SELECT sku, count(*) AS n FROM coupons WHERE store_id = :store AND state = 'issued' AND valid_until_ms > :now
    GROUP BY sku"""
)
_SOLD_TODAY = sa.text(
    "SELECT sku, sold_units FROM rollups WHERE store_id = :store AND step_ms = 86400000 AND at_ms = :day_ms"
)


def put_member(connection: Connection, member: str, put: MemberPut, now_ms: int) -> None:
    """Keeps a cell only with the consent that allows it."""
    cell = put.h3_cell if put.location_consent else None
    connection.execute(
        _PUT_MEMBER,
        {
            "member": member, "marketing": int(put.marketing_consent), "location": int(put.location_consent),
            "cell": cell, "expires": now_ms + put.cell_ttl_s * 1000, "timezone": put.timezone,
            "quiet_from": put.quiet_from_minute, "quiet_until": put.quiet_until_minute,
        },
    )  # fmt: skip


def delete_member(connection: Connection, member: str) -> None:
    """Removes who it was, at the chain; `unlink_member` follows in each store. The assignment has no other use."""
    for statement in (_DELETE_MEMBER, _UNLINK_ASSIGNMENTS):
        connection.execute(statement, {"member": member})


def unlink_member(connection: Connection, member: str, store: str) -> None:
    """The store's receipts and coupons stay, and lead to no one."""
    for statement in (_UNLINK_RECEIPTS, _UNLINK_COUPONS):
        connection.execute(statement, {"member": member, "store": store})


def stores_with_expired(connection: Connection, now_ms: int) -> list[str]:
    return [row.store_id for row in connection.execute(_EXPIRED_STORES, {"now": now_ms})]


def forget_cells(connection: Connection, now_ms: int) -> None:
    connection.execute(_FORGET_CELLS, {"now": now_ms})


def members_near(connection: Connection, cells: Sequence[str], now_ms: int) -> list[Member]:
    return [
        Member(
            row.member, bool(row.marketing_consent), bool(row.location_consent), row.h3_cell, row.cell_expires_ms,
            row.timezone, row.quiet_from_minute, row.quiet_until_minute,
        )
        for row in connection.execute(_NEAR, {"cells": list(cells), "now": now_ms})
    ]  # fmt: skip


def all_campaigns(connection: Connection) -> list[Campaign]:
    return [
        Campaign(row.campaign, CampaignPut.model_validate_json(row.body), row.prefix, row.key_hex, row.salt)
        for row in connection.execute(_CAMPAIGNS)
    ]


def put_campaign(connection: Connection, campaign: Campaign, now_ms: int) -> None:
    connection.execute(
        _PUT_CAMPAIGN,
        {
            "campaign": campaign.campaign, "body": campaign.put.model_dump_json(), "prefix": campaign.prefix,
            "key_hex": campaign.key_hex, "salt": campaign.salt, "now": now_ms,
        },
    )  # fmt: skip


def assign(
    connection: Connection, campaign: str, store: str, arms: Iterable[tuple[str, str]], now_ms: int
) -> None:
    rows = [
        {"campaign": campaign, "member": member, "store": store, "arm": arm, "at_ms": now_ms}
        for member, arm in arms
    ]
    if rows:
        connection.execute(_ASSIGN, rows)


def unassigned(
    connection: Connection, campaign: str, arms: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those of `arms` whose member has no arm yet."""
    known: set[str] = set()
    for first in range(0, len(arms), MEMBERS_AT_ONCE):
        members = [member for member, _ in arms[first : first + MEMBERS_AT_ONCE]]
        known.update(connection.execute(_ASSIGNED, {"campaign": campaign, "members": members}).scalars())
    return [(member, arm) for member, arm in arms if member not in known]


def insert_coupon(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_INSERT_COUPON, row)


def coupons_by_hash(connection: Connection, hashes: Sequence[str]) -> dict[str, CouponRow]:
    if not hashes:
        return {}
    return {
        row.code_hash: CouponRow(
            KnownCoupon(row.coupon_id, CouponState(row.state), row.store_id, row.valid_until_ms), row.number,
            row.campaign, row.member, row.sku, row.gtin, row.title, row.discount_cents, row.code_tail,
        )
        for row in connection.execute(_BY_HASH, {"hashes": list(hashes)})
    }  # fmt: skip


def set_coupon_state(connection: Connection, store: str, number: int, state: CouponState) -> None:
    connection.execute(_SET_STATE, {"store": store, "number": number, "state": state.value})


def expire_coupons(connection: Connection, store: str, now_ms: int) -> None:
    connection.execute(_EXPIRE, {"store": store, "now": now_ms})


def issue_alone(connection: Connection) -> bool:
    """Lets no other store's transaction give out coupons until this one ends: a member's caps are of all stores.

    False on SQLite, where one transaction writes anyway. What was read before may be old now.
    """
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(_ISSUE_ALONE)
    return True


def spent(
    connection: Connection, campaign: str, store: str, day_ms: int, per_member_a_day: int, rest: Rest
) -> Spent:
    """rest: of the store's lease."""
    today = (
        connection.execute(_SPENT_TODAY, {"campaign": campaign, "store": store, "since": day_ms}).scalar()
        or 0
    )
    per_member: dict[str, int] = {}
    holders: set[tuple[str, str]] = set()
    for row in connection.execute(_PER_MEMBER, {"campaign": campaign}):
        per_member[row.member] = per_member.get(row.member, 0) + row.n
        holders.add((row.member, row.sku))
    capped = connection.execute(_TODAY, {"since": day_ms, "cap": max(per_member_a_day, 1)})
    return Spent(
        rest.coupons,
        rest.cents,
        today,
        per_member,
        frozenset(row.member for row in capped),
        frozenset(holders),
    )


def promised(connection: Connection, store: str, now_ms: int) -> dict[str, int]:
    """Coupons out and unused, a SKU."""
    return {row.sku: row.n for row in connection.execute(_PROMISED, {"store": store, "now": now_ms})}


def sold_on(connection: Connection, store: str, day_ms: int) -> dict[str, int]:
    return {
        row.sku: row.sold_units for row in connection.execute(_SOLD_TODAY, {"store": store, "day_ms": day_ms})
    }
