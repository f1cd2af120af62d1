"""What HQ's first page says of each store, for some stores at once: figures of now, sums by the day, counts of orders and coupons."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of, day_start_ms
from central.core.lifecycle import OPEN, WAITING
from central.core.rollups import DAY_MS
from central.ledger.probes import Probe
from central.ledger.series_views import bucket_starts
from contract.api.stores import StoreView, TriggerTally

DAYS = 93
"""Sums by the day that are read with a store's figures: the longest period that HQ's first page offers, and a little."""
_OPEN = frozenset(state.value for state in OPEN)
_WAITING = frozenset(state.value for state in WAITING)


def _of(text: str) -> sa.TextClause:
    return sa.text(text).bindparams(sa.bindparam("stores", expanding=True, type_=sa.Text()))


_FIGURES = _of(
    """SELECT s.store_id, s.name, s.region, s.timezone, s.currency, s.h3_cell,
    (SELECT max(r.at_ms) FROM receipts r WHERE r.store_id = s.store_id AND r.business_date =
        (SELECT max(q.business_date) FROM receipts q WHERE q.store_id = s.store_id)) AS receipt_ms,
    (SELECT max(t.at_ms) FROM stock t WHERE t.store_id = s.store_id) AS stock_ms,
    (SELECT count(*) FROM items i WHERE i.store_id = s.store_id AND (i.managed = 1 OR EXISTS (SELECT 1 FROM stock t
        WHERE t.store_id = i.store_id AND t.sku = i.sku AND t.on_hand_units IS NOT NULL))) AS skus,
    (SELECT count(*) FROM stock t WHERE t.store_id = s.store_id AND t.on_hand_units <= 0) AS skus_out,
    (SELECT count(*) FROM alerts a WHERE a.store_id = s.store_id AND a.cleared_ms IS NULL
        AND a.severity <> 'info') AS open_alerts,
    (SELECT count(*) FROM quarantine n WHERE n.store_id = s.store_id) AS quarantined,
    (SELECT count(*) FROM gaps g WHERE g.store_id = s.store_id) AS gaps,
    (SELECT max(u.at_ms) FROM rollups u WHERE u.store_id = s.store_id AND u.step_ms = 86400000) AS last_ms
    FROM stores s WHERE s.store_id IN :stores ORDER BY s.store_id"""
)
_WATERMARKS = _of(
    "SELECT store_id, max(watermark_ms) AS watermark_ms FROM gateways WHERE store_id IN :stores GROUP BY store_id"
)
_STATES = _of(
    "SELECT store_id, state, count(*) FROM triggers WHERE store_id IN :stores GROUP BY store_id, state"
)
_COUPONS = _of(
    "SELECT store_id, event, count(*) FROM coupon_events WHERE store_id IN :stores GROUP BY store_id, event"
)
_SENT = _of(
    """SELECT store_id, count(DISTINCT subject) FROM outgoing WHERE store_id IN :stores
    AND type = 'shelfloop.restock.trigger.v1' GROUP BY store_id"""
)
_ANSWERED = _of(
    "SELECT store_id, count(DISTINCT trigger_id) FROM trigger_statuses WHERE store_id IN :stores GROUP BY store_id"
)
_SUMS = Probe(
    """SELECT r.store_id, r.at_ms, r.receipts, r.sold_units, r.sold_cents, r.stock_out_ms, r.shrink_units
    FROM {stores} {starts} rollups r
    WHERE r.store_id = o.store_id AND r.step_ms = :step AND {at_start} AND r.sku = ''"""
)


@dataclass(frozen=True, slots=True)
class Days:
    """Sums by the business day as JSON (DayPoint), oldest first, with commas between; of a day there is one, or none.

    starts_ms: where each day begins. from_ms: all days that begin here or later are there.
    """

    text: str
    starts_ms: tuple[int, ...]
    offsets: tuple[int, ...]
    from_ms: int

    def between(self, from_ms: int, to_ms: int) -> str:
        """Of the days that begin in [from_ms, to_ms); they may be none."""
        first, last = bisect_left(self.starts_ms, from_ms), bisect_left(self.starts_ms, to_ms)
        return self.text[self.offsets[first] : self.offsets[last] - 1] if last > first else ""


@dataclass(frozen=True, slots=True)
class StoreBoard:
    """states, coupons: how many triggers are in each state, and coupon events of each kind, since the beginning.

    orders: what became of all triggers.
    """

    view: StoreView
    view_json: str
    days: Days
    states: dict[str, int]
    coupons: dict[str, int]
    orders: TriggerTally


def store_boards(connection: Connection, stores: Sequence[str]) -> list[StoreBoard]:
    """Of those of `stores` that exist, by store."""
    of = {"stores": list(stores)}
    rows = connection.execute(_FIGURES, of).all()
    watermarks = {row.store_id: row.watermark_ms for row in connection.execute(_WATERMARKS, of).all()}
    states = _counts(connection.execute(_STATES, of).all())
    coupons = _counts(connection.execute(_COUPONS, of).all())
    sent, answered = (_one_each(connection.execute(ask, of).all()) for ask in (_SENT, _ANSWERED))
    sums: dict[str, list[Any]] = {}
    for (zone, last_ms), some in _by_day(rows).items():
        # A day more on each side: the clock may have changed in between.
        sums |= _sums(connection, some, ZoneInfo(zone), last_ms - DAYS * DAY_MS, last_ms + DAY_MS)
    return [
        _board(row, watermarks.get(row.store_id), sums.get(row.store_id, []), states.get(row.store_id, {}),
               coupons.get(row.store_id, {}), sent.get(row.store_id, 0), answered.get(row.store_id, 0))
        for row in rows
    ]  # fmt: skip


def days_between(
    connection: Connection, stores: Sequence[tuple[str, str]], from_ms: int, to_ms: int
) -> dict[str, Days]:
    """Of (store, time zone) those that have sums there: for what a board does not reach back to."""
    of_zone: dict[str, list[str]] = {}
    for store, name in stores:
        of_zone.setdefault(name, []).append(store)
    found: dict[str, Days] = {}
    for name, some in of_zone.items():
        zone = ZoneInfo(name)
        for store, sums in _sums(connection, some, zone, from_ms, to_ms).items():
            found[store] = _days(store, zone, sums, from_ms)
    return found


def _board(
    row: Any,
    watermark_ms: int | None,
    sums: list[Any],
    states: dict[str, int],
    coupons: dict[str, int],
    sent: int,
    answered: int,
) -> StoreBoard:
    zone = ZoneInfo(row.timezone)
    newest = max((at for at in (row.receipt_ms, row.stock_ms) if at is not None), default=None)
    today = None if newest is None else day_of(newest, zone)
    today_ms = None if today is None else day_start_ms(today, zone)
    receipts, units, cents = next((one[2:5] for one in sums if one[1] == today_ms), (0, 0, 0))
    view = StoreView(
        store=row.store_id, name=row.name, region=row.region, timezone=row.timezone, currency=row.currency,
        h3_cell=row.h3_cell, today=today, receipts=receipts, units=units, cents=cents, skus=row.skus,
        skus_out_of_stock=row.skus_out, open_triggers=sum(states.get(state, 0) for state in _OPEN),
        waiting_triggers=sum(states.get(state, 0) for state in _WAITING), open_alerts=row.open_alerts,
        quarantined_total=row.quarantined, gaps_total=row.gaps, newest_ms=newest, watermark_ms=watermark_ms,
    )  # fmt: skip
    reaches_ms = 0 if row.last_ms is None else max(row.last_ms - DAYS * DAY_MS, 0)
    orders = TriggerTally(
        created=sum(states.values()), sent=sent, acknowledged=answered, waiting=view.waiting_triggers
    )
    return StoreBoard(
        view, view.model_dump_json(), _days(row.store_id, zone, sums, reaches_ms), states, coupons, orders
    )


def _days(store: str, zone: ZoneInfo, sums: Sequence[Any], from_ms: int) -> Days:
    name = json.dumps(store)
    texts = [
        f'{{"day":"{_day_at(at_ms, zone)}","store":{name},"receipts":{receipts},"units":{units},"cents":{cents},'
        f'"stock_out_ms":{stock_out_ms},"shrink_units":{shrink_units}}}'
        for _, at_ms, receipts, units, cents, stock_out_ms, shrink_units in sums
    ]
    offsets = accumulate((len(text) + 1 for text in texts), initial=0)
    return Days(",".join(texts), tuple(one[1] for one in sums), tuple(offsets), from_ms)


@lru_cache(maxsize=4096)
def _day_at(start_ms: int, zone: ZoneInfo) -> str:
    """Stores of one zone share their days."""
    return day_of(start_ms, zone)


def _by_day(rows: Sequence[Any]) -> dict[tuple[str, int], list[str]]:
    """Stores by their zone and newest day: they share their midnights, and so a statement."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        if row.last_ms is not None:
            found.setdefault((row.timezone, row.last_ms), []).append(row.store_id)
    return found


def _sums(
    connection: Connection, stores: Sequence[str], zone: ZoneInfo, from_ms: int, to_ms: int
) -> dict[str, list[Any]]:
    """Store -> its rows of _SUMS whose day begins in [from_ms, to_ms), oldest first."""
    starts = [start for start in bucket_starts(DAY_MS, max(from_ms, 0), to_ms, zone) if start >= from_ms]
    found: dict[str, list[Any]] = {}
    for one in _SUMS.run(connection, {"step": DAY_MS}, starts, stores).all():
        found.setdefault(one[0], []).append(tuple(one))
    return {store: sorted(sums) for store, sums in found.items()}


def _one_each(rows: Sequence[Any]) -> dict[str, int]:
    return {store: count for store, count in rows}  # noqa: C416 - rows are no pairs to the type checker


def _counts(rows: Sequence[Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for store, name, count in rows:
        found.setdefault(store, {})[name] = count
    return found
