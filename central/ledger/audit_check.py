"""Reads the audit's chains and the rows that they vouch for, and says where either was changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.audit_chain import FIRST, Break, digest_of, first_break
from central.core.redemption import CouponState
from central.core.vouched import VOUCHED, VOUCHED_LISTS, Vouched, VouchedList
from central.ledger import retention, till_days
from central.ledger.vouched_rows import about_list, last_entries, list_entries, rows_of
from contract.api.deliveries import MAX_NOTE_AGE_DAYS
from contract.errors import ContractError

TOLD_WITHIN_MS = (MAX_NOTE_AGE_DAYS + 1) * 86_400_000
"""So long after the moment that a row is about its first entry is made at the latest: one as old may be forgotten."""
Heads = Mapping[str, tuple[int, str]]
"""Store → number and hash of its chain's last entry."""

_STORES = sa.text(
    "SELECT store_id FROM audit UNION SELECT store_id FROM stores UNION SELECT '' ORDER BY store_id"
)
_CHAIN = sa.text("SELECT * FROM audit WHERE store_id = :store ORDER BY number")
_COUPONS = sa.text("SELECT coupon_id, state, valid_until_ms FROM coupons WHERE store_id = :store")
_ZONE = sa.text("SELECT timezone FROM stores WHERE store_id = :store")
_USES = sa.text(
    """SELECT coupon_id, event FROM coupon_events WHERE store_id = :store AND event IN ('redeemed', 'reversed')
    ORDER BY number"""
)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """heads: of the chains as they are now; kept elsewhere they show a chain that lost its end."""

    chains: int
    entries: int
    rows: int
    breaks: tuple[Break, ...]
    heads: Heads


def verify_audit(connection: Connection, kept: Heads | None = None, now_ms: int | None = None) -> AuditReport:
    """Every chain from its first entry on, every row that an entry vouches for, and every row that should have one.

    kept: heads of an earlier run. A chain cannot tell by itself that its end was cut off together with the rows of that
    end. now_ms: the shops' time, by which no coupon has expired early; None leaves that out.
    """
    breaks: list[Break] = []
    entries = rows = 0
    heads: dict[str, tuple[int, str]] = {}
    known = dict(kept or {})
    stores = [str(row.store_id) for row in connection.execute(_STORES)]
    for store in stores:
        chain = [dict(row) for row in connection.execute(_CHAIN, {"store": store}).mappings()]
        entries += len(chain)
        if chain:
            heads[store] = int(str(chain[-1]["number"])), str(chain[-1]["hash"])
        breaks.extend(found for found in (first_break(store, chain), _cut(store, chain, known)) if found)
        for kind in VOUCHED.values():
            checked, wrong = _check_rows(connection, store, kind)
            rows += checked
            breaks.extend(wrong)
        for of in VOUCHED_LISTS.values():
            breaks.extend(_check_lists(connection, store, of))
        breaks.extend(_check_coupons(connection, store, now_ms))
        breaks.extend(_check_books(connection, store))
    breaks.extend(
        Break(store, 0, f"the whole chain is gone; it had {number} entries")
        for store, (number, _) in known.items()
        if store not in stores
    )
    return AuditReport(len(heads), entries, rows, tuple(breaks), heads)


def _cut(store: str, chain: list[dict[str, object]], kept: Heads) -> Break | None:
    number, digest = kept.get(store, (0, FIRST))
    if not number:
        return None
    if len(chain) < number:
        return Break(store, 0, f"it ends at entry {len(chain)}; when it was last checked it had {number}")
    if chain[number - 1]["hash"] != digest:
        return Break(store, number, "it is not the entry that was there when the chain was last checked")
    return None


def _check_rows(connection: Connection, store: str, kind: Vouched) -> tuple[int, list[Break]]:
    last = last_entries(connection, kind.action, store)
    found = {kind.subject_of(row): digest_of(_about(kind, row)) for row in rows_of(connection, kind, store)}
    kept_ms = retention.kept_since_ms(connection, store, kind.forgotten) if kind.forgotten else None
    wrong = [
        Break(store, entry.number, f"the {kind.action} {subject} {_said(found, subject, entry.digest)}")
        for subject, entry in last.items()
        if found.get(subject, "") != entry.digest
        and not (subject not in found and kept_ms is not None and entry.first_ms < kept_ms + TOLD_WITHIN_MS)
    ]
    wrong += [
        Break(store, 0, f"the {kind.action} {subject} was put beside the centre: no entry is about it")
        for subject in found
        if subject not in last
    ]
    return len(last), wrong


def _check_lists(connection: Connection, store: str, kind: VouchedList) -> list[Break]:
    wrong = []
    for owner, entry in list_entries(connection, kind, store).items():
        about, shown = about_list(connection, kind, owner), kind.shown(owner)
        if entry is None:
            if about["rows"]:
                why = f"{shown} were put beside the centre: no entry is about them"
                wrong.append(Break(store, 0, why))
        elif entry.digest != digest_of(about):
            wrong.append(
                Break(store, entry.number, f"{shown} were changed: they are {about['rows']} rows now")
            )
    return wrong


def _about(kind: Vouched, row: Mapping[str, object]) -> Mapping[str, object]:
    try:
        return kind.about(row)
    except ContractError as error:  # a document that is none any more
        return {"unreadable": str(error)}


def _said(found: Mapping[str, str], subject: str, digest: str) -> str:
    if subject not in found:
        return "was deleted"
    return "was changed" if digest else "is there again after it was removed"


def _check_books(connection: Connection, store: str) -> list[Break]:
    """The books of a till's day are what its receipts and its till say: who changes one side alone is seen."""
    zone = connection.execute(_ZONE, {"store": store}).scalar()
    if zone is None:
        return []
    return [
        Break(
            store,
            0,
            f"the books of {register} on {day} are not those of its receipts, or not what the till told",
        )
        for day, register in till_days.wrong_days(connection, store, ZoneInfo(zone))
    ]


def _check_coupons(connection: Connection, store: str, now_ms: int | None) -> list[Break]:
    """A coupon's state is what its events made of it, and time."""
    uses = {row.coupon_id: row.event for row in connection.execute(_USES, {"store": store})}
    wrong = []
    for row in connection.execute(_COUPONS, {"store": store}):
        may_be = {uses.get(row.coupon_id, CouponState.ISSUED.value)}
        if row.coupon_id not in uses and (now_ms is None or row.valid_until_ms <= now_ms):
            may_be.add(CouponState.EXPIRED.value)
        if row.state not in may_be:
            what = f"the coupon {row.coupon_id} is {row.state}, by its events {' or '.join(sorted(may_be))}"
            wrong.append(Break(store, 0, what))
    return wrong
