"""Issues coupons when a campaign's round comes, and settles their uses when receipts tell of them."""

import json
import secrets
from collections.abc import Iterable, Sequence
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central import desired_state, leasing
from central.context import Work
from central.core.audiences import cells_within
from central.core.coupon_hash import code_hash, code_tail
from central.core.coupons import Issue, ItemState, Round, decide_coupons, is_running
from central.core.days import day_of, days_between, midnight_before
from central.core.lease import Rest
from central.core.redemption import CouponMove, CouponState, CouponUse, KnownCoupon, decide_use
from central.core.vouched import COUPON, COUPON_TERMS
from central.errors import ConflictError
from central.leasing import Ask
from central.ledger import coupon_rows, facts, lease_rows
from central.ledger.coupon_rows import Campaign, CouponRow
from central.ledger.outgoing import OutgoingEvent
from contract.api.offers import CampaignPut
from contract.coupons import ALPHABET, PREFIX_CHARS, SERIAL_CHARS, coupon_code
from contract.records import ReceiptRecord

DAY_MS = 86_400_000
_STORES = sa.text("SELECT store_id FROM stores ORDER BY store_id")
_STATE_AFTER = {CouponMove.REDEEMED: CouponState.REDEEMED, CouponMove.REVERSED: CouponState.REVERSED}


def all_stores(connection: Connection) -> list[str]:
    return [row.store_id for row in connection.execute(_STORES)]


# ---- campaigns ----


def put_campaign(connection: Connection, name: str, put: CampaignPut, now_ms: int) -> Campaign:
    """Makes or changes a campaign. Its prefix, key and salt are drawn once. Raises ConflictError for another cause."""
    campaigns = coupon_rows.all_campaigns(connection)
    known = next((campaign for campaign in campaigns if campaign.campaign == name), None)
    if known is None:
        taken = {campaign.prefix for campaign in campaigns}
        prefix = _free_prefix(taken)
        campaign = Campaign(name, put, prefix, secrets.token_hex(32), secrets.token_hex(16))
    elif known.put.cause is not put.cause:
        raise ConflictError(
            f"campaign {name} has cause {known.put.cause}; make a new campaign for another cause"
        )
    else:
        campaign = Campaign(name, put, known.prefix, known.key_hex, known.salt)
    coupon_rows.put_campaign(connection, campaign, now_ms)
    lease_rows.recall(connection, name, now_ms)  # leases were for the budget as it was
    return campaign


def refresh_keys(work: Work, campaigns: Sequence[Campaign]) -> None:
    """Gives the store's gateways what they need to verify codes alone."""
    keys = [
        {
            "campaign": campaign.campaign, "prefix": campaign.prefix, "key_hex": campaign.key_hex,
            "valid_from_ms": campaign.put.starts_ms,
            "valid_until_ms": campaign.put.ends_ms + campaign.put.valid_days * DAY_MS,
            "quota": min(campaign.put.cap_total, campaign.put.cap_per_day * campaign.put.valid_days, 100_000),
        }
        for campaign in campaigns
        if not campaign.put.stores or work.store.store in campaign.put.stores
    ]  # fmt: skip
    if keys or "coupons" in work.store.versions:
        desired_state.put_document(work, "coupons", json.dumps({"keys": keys}, separators=(",", ":")))


def stores_of_round(connection: Connection, campaigns: Sequence[Campaign], now_ms: int) -> list[str]:
    """Stores in which a round may do something: a campaign runs there, coupons have expired or a lease is over."""
    due = set(coupon_rows.stores_with_expired(connection, now_ms))
    due |= set(lease_rows.stores_with_leases_over(connection, now_ms))
    running = [campaign for campaign in campaigns if is_running(campaign.put, now_ms)]
    if any(not campaign.put.stores for campaign in running):
        return all_stores(connection)
    known = set(all_stores(connection)) if running else set()
    return sorted(due | {store for campaign in running for store in campaign.put.stores if store in known})


def run_campaigns(work: Work, campaigns: Sequence[Campaign]) -> dict[str, Ask]:
    """One round of every campaign in this store. Returns, by campaign, what it asks of the chain."""
    store = work.store.store
    coupon_rows.expire_coupons(work.connection, store, work.now_ms)
    leases = lease_rows.campaigns_leased(work.connection, store)
    asks: dict[str, Ask] = {}
    for campaign in campaigns:
        if campaign.campaign in leases or leasing.runs_in(campaign, store, work.now_ms):
            ask = leasing.use_lease(work, campaign, partial(_run_campaign, work, campaign))
            if ask is not None:
                asks[campaign.campaign] = ask
    return asks


def _run_campaign(work: Work, campaign: Campaign, rest: Rest) -> tuple[Rest, bool]:
    """Issues from `rest`. Returns what is left of it, and whether more would have been issued."""
    store, now_ms = work.store, work.now_ms
    if store.h3_cell is None:
        return rest, False
    cells = cells_within(store.h3_cell, campaign.put.reach_rings)
    members = coupon_rows.members_near(work.connection, cells, now_ms)
    if not members:
        return rest, False
    day_ms = midnight_before(now_ms, store.zone)
    a_day = work.settings.coupons_per_member_a_day
    items = item_states(work, day_ms)

    def decide() -> Round:
        spent = coupon_rows.spent(work.connection, campaign.campaign, store.store, day_ms, a_day, rest)
        return decide_coupons(
            campaign.put, campaign.salt, items, members, spent, now_ms=now_ms, per_member_a_day=a_day
        )

    turn = decide()
    new = coupon_rows.unassigned(work.connection, campaign.campaign, turn.assigned)
    # Before either is written: two rounds that wait for each other's members and for this lock would wait for ever.
    if (turn.issues or new) and coupon_rows.issue_alone(work.connection):
        turn = decide()  # another store may have given the same members theirs meanwhile
    coupon_rows.assign(work.connection, campaign.campaign, store.store, new, now_ms)
    for issue in turn.issues:
        _issue(work, campaign, issue)
    promised = sum(issue.offer.discount_cents for issue in turn.issues)
    return Rest(rest.coupons - len(turn.issues), rest.cents - promised), turn.is_short


def item_states(work: Work, day_ms: int) -> list[ItemState]:
    """What is known of each managed SKU of the store now."""
    store, now_ms = work.store, work.now_ms
    today = day_of(now_ms, store.zone)
    promised = coupon_rows.promised(work.connection, store.store, now_ms)
    sold = coupon_rows.sold_on(work.connection, store.store, day_ms)
    states = []
    for sku, item in store.items.items():
        stock, forecast = store.stock.get(sku), store.forecasts.get(sku)
        place = days_between(forecast.first_day, today) if forecast else -1
        is_covered = forecast is not None and 0 <= place < len(forecast.mean)
        states.append(
            ItemState(
                sku, item.gtin, item.name, item.category, store.price_cents(sku, now_ms),
                stock.on_hand_units if stock else None, promised.get(sku, 0), sold.get(sku, 0),
                forecast.mean[place] if forecast and is_covered else None,
                forecast.high[place] if forecast and is_covered else None,
            )
        )  # fmt: skip
    return states


def _issue(work: Work, campaign: Campaign, issue: Issue) -> None:
    store, offer = work.store, issue.offer
    code = _free_code(work.connection, campaign)
    number = store.next_number("coupon")
    coupon_id = f"{store.store}-c{number}"
    valid_until_ms = work.now_ms + campaign.put.valid_days * DAY_MS
    title = f"{offer.discount_cents / 100:.2f} {store.currency} off {offer.item.name}"[:200]
    row = {
        "store_id": store.store, "number": number, "coupon_id": coupon_id, "campaign": campaign.campaign,
        "member": issue.member, "sku": offer.item.sku, "gtin": offer.item.gtin, "code_hash": code_hash(code),
        "code_tail": code_tail(code), "title": title, "discount_cents": offer.discount_cents,
        "state": CouponState.ISSUED.value, "issued_ms": work.now_ms, "valid_until_ms": valid_until_ms,
    }  # fmt: skip
    coupon_rows.insert_coupon(work.connection, row)
    work.vouch_for(COUPON_TERMS, row)
    coupon = CouponRow(
        KnownCoupon(coupon_id, CouponState.ISSUED, store.store, valid_until_ms), number, campaign.campaign,
        issue.member, offer.item.sku, offer.item.gtin, title, offer.discount_cents, code_tail(code),
    )  # fmt: skip
    _event_row(work, "issued", coupon, code_tail(code), 0, "", offer.cause)
    _send(work, "issued", coupon, f"{coupon_id}.issued", code)


# ---- uses ----


def take_uses(work: Work, receipts: Iterable[tuple[ReceiptRecord, list[CouponUse]]]) -> None:
    """Settles the codes on new receipts, in their order."""
    used = [(receipt, use) for receipt, uses in receipts for use in uses]
    if not used:
        return
    coupons = coupon_rows.coupons_by_hash(work.connection, sorted({code_hash(use.code) for _, use in used}))
    for receipt, use in used:
        digest = code_hash(use.code)
        coupon = coupons.get(digest)
        decision = decide_use(use, coupon.known if coupon else None, work.store.store, receipt.at_ms)
        where = f"{receipt.register_id}/{receipt.business_date}/{receipt.sequence}"
        _event_row(work, decision.move.value, coupon, code_tail(use.code), use.cents, where, decision.reason)
        if coupon is None or decision.move is CouponMove.REFUSED:
            continue
        state = _STATE_AFTER[decision.move]
        coupon_rows.set_coupon_state(work.connection, coupon.known.store, coupon.number, state)
        known = KnownCoupon(coupon.known.coupon_id, state, coupon.known.store, coupon.known.valid_until_ms)
        coupons[digest] = CouponRow(
            known, coupon.number, coupon.campaign, coupon.member, coupon.sku, coupon.gtin, coupon.title,
            coupon.discount_cents, coupon.code_tail,
        )  # fmt: skip
        _send(work, decision.move.value, coupon, f"{known.coupon_id}.{decision.move.value}.{where}", None)


def _event_row(
    work: Work, event: str, coupon: CouponRow | None, tail: str, cents: int, receipt: str, reason: str
) -> None:
    row = {
        "store_id": work.store.store, "number": work.store.next_number("coupon_event"), "at_ms": work.now_ms,
        "event": event, "campaign": coupon.campaign if coupon else None,
        "coupon_id": coupon.known.coupon_id if coupon else None, "code_tail": tail, "cents": cents,
        "receipt": receipt, "reason": reason,
    }  # fmt: skip
    facts.insert(work.connection, "coupon_events", [row])
    work.vouch_for(COUPON, row)


def _send(work: Work, what: str, coupon: CouponRow, event_id: str, code: str | None) -> None:
    if coupon.member is None:
        return
    work.events.append(
        OutgoingEvent(
            event_id, work.store.store, f"shelfloop.coupon.{what}.v1", coupon.known.coupon_id,
            {
                "coupon": coupon.known.coupon_id, "campaign": coupon.campaign, "member": coupon.member,
                "store": coupon.known.store, "sku": coupon.sku, "gtin": coupon.gtin, "code": code,
                "title": coupon.title, "discount_cents": coupon.discount_cents,
                "valid_until_ms": coupon.known.valid_until_ms,
            },
            member=coupon.member, secret=code is not None,
        )
    )  # fmt: skip


def _free_prefix(taken: set[str]) -> str:
    while True:
        prefix = "".join(secrets.choice(ALPHABET) for _ in range(PREFIX_CHARS))
        if prefix not in taken:
            return prefix


def _free_code(connection: Connection, campaign: Campaign) -> str:
    key = bytes.fromhex(campaign.key_hex)
    while True:
        code = coupon_code(campaign.prefix, secrets.randbelow(32**SERIAL_CHARS), key)
        if not coupon_rows.coupons_by_hash(connection, [code_hash(code)]):
            return code
