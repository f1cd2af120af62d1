"""Leases of campaigns between the chain and its stores, each side in a transaction of its own.

    chain: granted ─► store: taken up, used, closed with its rest ─► chain: rest taken back, lease gone

Every step is told from rows that are committed, by a number that no other lease has: it may be done again by whoever
finds it undone, and a process that dies between two of them loses nothing. No clock decides: a lease ends only by the
store's own transaction.
"""

from collections.abc import Callable
from enum import Enum, auto

from sqlalchemy.engine import Connection

from central.context import Work
from central.core.coupons import is_running
from central.core.lease import LATE_MS, Rest, decide_lease
from central.ledger import coupon_rows, lease_rows
from central.ledger.coupon_rows import Campaign
from central.ledger.lease_rows import Held

MINUTE_MS = 60_000
_NOTHING = Rest(0, 0)


class Ask(Enum):
    """What a store's round asks of the chain: to take back what it closed, or to grant a new lease, too."""

    TAKE_BACK = auto()
    RENEW = auto()


def runs_in(campaign: Campaign, store: str, now_ms: int) -> bool:
    return is_running(campaign.put, now_ms) and (not campaign.put.stores or store in campaign.put.stores)


def use_lease(work: Work, campaign: Campaign, use: Callable[[Rest], tuple[Rest, bool]]) -> Ask | None:
    """A store's round, and what the chain is to do after it.

    use: promises coupons of a rest. Returns what is left of it, and whether it could have used more.
    """
    name, store = campaign.campaign, work.store.store
    lease = lease_rows.lease_of(work.connection, name, store)
    runs, late_ms = runs_in(campaign, store, work.now_ms), work.now_ms - LATE_MS
    if lease is None:
        wants = runs and (use(_NOTHING)[1] or lease_rows.has_unused(work.connection, name, store, late_ms))
        return Ask.RENEW if wants else None
    mine = lease_rows.held(work.connection, name, store)
    if mine is None or mine.number != lease.number:
        mine = Held(lease.number, lease.granted, is_open=True)
    rest, is_over = mine.rest, not runs or work.now_ms >= lease.until_ms
    if mine.is_open:
        back = lease_rows.returned_cents(work.connection, name, store, late_ms)
        rest = Rest(rest.coupons, rest.cents + back)
        if not is_over:
            rest, is_short = use(rest)
            is_over = is_short and _has_more(work.connection, campaign)
            lease_rows.put_held(work.connection, name, store, Held(lease.number, rest, is_open=not is_over))
            return Ask.RENEW if is_over else None
        lease_rows.put_held(work.connection, name, store, Held(lease.number, rest, is_open=False))
    return Ask.RENEW if runs and use(_NOTHING)[1] else Ask.TAKE_BACK


def _has_more(connection: Connection, campaign: Campaign) -> bool:
    left = _left(connection, campaign)
    return left.coupons > 0 and left.cents > 0


def _left(connection: Connection, campaign: Campaign) -> Rest:
    out = lease_rows.granted(connection, campaign.campaign)
    return Rest(campaign.put.cap_total - out.coupons, campaign.put.budget_cents - out.cents)


def answer(connection: Connection, name: str, store: str, ask: Ask, now_ms: int, lease_min: int) -> None:
    """The chain's step: takes back what the store closed; where it asks for more, grants anew."""
    campaign = next((one for one in coupon_rows.all_campaigns(connection) if one.campaign == name), None)
    if campaign is None:
        return
    lease = lease_rows.lease_of(connection, name, store)
    if lease is not None:
        mine = lease_rows.held(connection, name, store)
        if mine is None or mine.number != lease.number or mine.is_open:
            return  # the store has not closed it: its next round goes on
        lease_rows.take_back(connection, name, store, mine.rest)
    if ask is Ask.RENEW and runs_in(campaign, store, now_ms):
        # Nothing is a lease, too: with it the store gives back the cents of coupons that ended unused.
        stores = len(campaign.put.stores) or lease_rows.count_stores(connection)
        part = decide_lease(campaign.put, _left(connection, campaign), stores)
        lease_rows.grant(connection, name, store, part, now_ms + lease_min * MINUTE_MS)
