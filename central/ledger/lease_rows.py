"""Rows of leases: what the chain granted each store of a campaign, and what a store has left of it."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.lease import Rest


@dataclass(frozen=True, slots=True)
class Lease:
    """As the chain granted it. number: counts within the campaign, so that none is taken for another."""

    campaign: str
    number: int
    granted: Rest
    until_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """The same as the store has it. is_open: the store may use `rest`; else it waits to be given back, or was."""

    number: int
    rest: Rest
    is_open: bool


_STORES = sa.text("SELECT count(*) FROM stores")
_GRANTED = sa.text("SELECT granted_coupons, granted_cents FROM campaigns WHERE campaign = :campaign")
_ADD = sa.text(
    """UPDATE campaigns SET granted_coupons = granted_coupons + :coupons, granted_cents = granted_cents + :cents
    WHERE campaign = :campaign"""
)
_NEXT = sa.text(
    "UPDATE campaigns SET leases_total = leases_total + 1 WHERE campaign = :campaign RETURNING leases_total"
)
_LEASES = sa.text("SELECT campaign FROM campaign_leases WHERE store_id = :store")
_LEASE = sa.text("SELECT * FROM campaign_leases WHERE store_id = :store AND campaign = :campaign")
_INSERT = sa.text(
    """INSERT INTO campaign_leases (campaign, store_id, number, coupons, cents, until_ms)
    VALUES (:campaign, :store, :number, :coupons, :cents, :until_ms)"""
)
_DELETE = sa.text("DELETE FROM campaign_leases WHERE campaign = :campaign AND store_id = :store")
_RECALL = sa.text("UPDATE campaign_leases SET until_ms = :now WHERE campaign = :campaign AND until_ms > :now")
_OVER = sa.text("SELECT DISTINCT store_id FROM campaign_leases WHERE until_ms <= :now ORDER BY store_id")
_HELD = sa.text("SELECT * FROM lease_rests WHERE store_id = :store AND campaign = :campaign")
_PUT_HELD = sa.text(
    """INSERT INTO lease_rests (store_id, campaign, number, coupons, cents, is_open)
    VALUES (:store, :campaign, :number, :coupons, :cents, :is_open)
    ON CONFLICT (store_id, campaign) DO UPDATE SET number = excluded.number, coupons = excluded.coupons,
    cents = excluded.cents, is_open = excluded.is_open"""
)
_UNUSED = "store_id = :store AND campaign = :campaign AND returned = 0 AND state IN ('expired', 'reversed') AND valid_until_ms <= :before"
_USED_LATE = "store_id = :store AND campaign = :campaign AND returned = 1 AND state = 'redeemed'"
_SUM_UNUSED = sa.text(f"SELECT coalesce(sum(discount_cents), 0) FROM coupons WHERE {_UNUSED}")  # noqa: S608 - ours
_SUM_LATE = sa.text(f"SELECT coalesce(sum(discount_cents), 0) FROM coupons WHERE {_USED_LATE}")  # noqa: S608
_MARK_UNUSED = sa.text(f"UPDATE coupons SET returned = 1 WHERE {_UNUSED}")  # noqa: S608
_MARK_LATE = sa.text(f"UPDATE coupons SET returned = 0 WHERE {_USED_LATE}")  # noqa: S608


# ---- the chain's side ----


def count_stores(connection: Connection) -> int:
    return int(connection.execute(_STORES).scalar_one())


def granted(connection: Connection, campaign: str) -> Rest:
    """What stores hold or have promised of it now."""
    row = connection.execute(_GRANTED, {"campaign": campaign}).one()
    return Rest(row.granted_coupons, row.granted_cents)


def lease_of(connection: Connection, campaign: str, store: str) -> Lease | None:
    row = connection.execute(_LEASE, {"campaign": campaign, "store": store}).one_or_none()
    return None if row is None else _lease(row)


def campaigns_leased(connection: Connection, store: str) -> set[str]:
    return {row.campaign for row in connection.execute(_LEASES, {"store": store})}


def _lease(row: "sa.Row[tuple[object, ...]]") -> Lease:
    return Lease(row.campaign, row.number, Rest(row.coupons, row.cents), row.until_ms)


def grant(connection: Connection, campaign: str, store: str, part: Rest, until_ms: int) -> None:
    number = connection.execute(_NEXT, {"campaign": campaign}).scalar_one()
    _add(connection, campaign, part.coupons, part.cents)
    connection.execute(
        _INSERT,
        {
            "campaign": campaign, "store": store, "number": number, "coupons": part.coupons, "cents": part.cents,
            "until_ms": until_ms,
        },
    )  # fmt: skip


def take_back(connection: Connection, campaign: str, store: str, rest: Rest) -> None:
    """The lease ends; `rest` of it may be granted again."""
    _add(connection, campaign, -rest.coupons, -rest.cents)
    connection.execute(_DELETE, {"campaign": campaign, "store": store})


def _add(connection: Connection, campaign: str, coupons: int, cents: int) -> None:
    connection.execute(_ADD, {"campaign": campaign, "coupons": coupons, "cents": cents})


def recall(connection: Connection, campaign: str, now_ms: int) -> None:
    """All its leases are over from now on."""
    connection.execute(_RECALL, {"campaign": campaign, "now": now_ms})


def stores_with_leases_over(connection: Connection, now_ms: int) -> list[str]:
    return [row.store_id for row in connection.execute(_OVER, {"now": now_ms})]


# ---- the store's side ----


def held(connection: Connection, campaign: str, store: str) -> Held | None:
    row = connection.execute(_HELD, {"campaign": campaign, "store": store}).one_or_none()
    return None if row is None else Held(row.number, Rest(row.coupons, row.cents), bool(row.is_open))


def put_held(connection: Connection, campaign: str, store: str, value: Held) -> None:
    connection.execute(
        _PUT_HELD,
        {
            "store": store, "campaign": campaign, "number": value.number, "coupons": value.rest.coupons,
            "cents": value.rest.cents, "is_open": int(value.is_open),
        },
    )  # fmt: skip


def has_unused(connection: Connection, campaign: str, store: str, before_ms: int) -> bool:
    names = {"store": store, "campaign": campaign, "before": before_ms}
    return bool(connection.execute(_SUM_UNUSED, names).scalar_one())


def returned_cents(connection: Connection, campaign: str, store: str, before_ms: int) -> int:
    """Of coupons that ended unused before then, once each; less those that were used after all."""
    names = {"store": store, "campaign": campaign, "before": before_ms}
    unused = int(connection.execute(_SUM_UNUSED, names).scalar_one())
    late = int(connection.execute(_SUM_LATE, names).scalar_one())
    if unused:
        connection.execute(_MARK_UNUSED, names)
    if late:
        connection.execute(_MARK_LATE, names)
    return unused - late
