"""Categories in demand by region: stores read now and then, a bounded time a question, and summed from memory."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from central.core.outlook import DAYS, CategorySum, SkuOutlook
from central.core.shared_spread import PastWeek, shared_of
from central.ledger.outlook_rows import Part, StoreOutlook, outlook_parts, store_outlooks
from central.ledger.past_weeks import Past
from contract.api.outlook import CategoryOutlook, Driver, RegionalOutlook

if TYPE_CHECKING:
    from central.centre import Centre

FRESH_S = 15 * 60.0
BUDGET_S = 2.0
"""Of reading for one question: a store of 2,000 SKUs takes a fifth of a second, so a chain of such comes in over several questions."""
MAX_SUMMED = 16
"""Answers that are kept until a store is read again: summing a chain's categories takes as long as a page may."""
NO_REGION = "no region"
_STORES = sa.text("SELECT store_id, name, region, timezone FROM stores ORDER BY store_id")


@dataclass(frozen=True, slots=True)
class _Read:
    at_s: float
    outlook: StoreOutlook


class Regions:
    """What was read of each store stays for a quarter of an hour. Reads the ledger, never writes it."""

    def __init__(self, centre: "Centre", monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._centre, self._monotonic_s = centre, monotonic_s
        self._reading = threading.Lock()
        self._read: dict[str, _Read] = {}
        self._reads = 0
        self._summed: OrderedDict[tuple[object, ...], RegionalOutlook] = OrderedDict()

    def outlook(self, stores: Collection[str] | None, region: str | None, limit: int) -> RegionalOutlook:
        """The hottest first, then the coolest, then by units. stores: in the caller's reach, None is all."""
        with self._centre.ledger.read.connect() as connection:
            known = list(connection.execute(_STORES))
        rows = [
            row
            for row in known
            if (stores is None or row.store_id in stores) and (region is None or row.region == region)
        ]
        self._bring_up_to_date(rows)
        key = (limit, tuple(rows), self._reads)
        found = self._summed.get(key)
        if found is None:
            found = self._summed[key] = self._sum(rows, limit)
            while len(self._summed) > MAX_SUMMED:
                self._summed.popitem(last=False)
        return found

    def _sum(self, rows: list[Any], limit: int) -> RegionalOutlook:
        read = {row.store_id: self._read[row.store_id].outlook for row in rows if row.store_id in self._read}
        regions: dict[str, list[Any]] = {}
        for row in rows:
            regions.setdefault(row.region or NO_REGION, []).append(row)
        names = {row.store_id: row.name for row in rows}
        found = [
            _category(name, category, total, names, read)
            for name, of_region in regions.items()
            for category, total in _sums(of_region, read).items()
        ]
        found.sort(key=_rank)
        from_days = [one.from_day for one in read.values() if one.from_day is not None]
        return RegionalOutlook(
            days=DAYS, from_day=min(from_days, default=None), stores_read=len(read), stores_total=len(rows),
            skus_left_out=sum(one.left_out for one in read.values()), rows=found[:limit],
            stores_young=sum(one.is_young for one in read.values()),
        )  # fmt: skip

    def _bring_up_to_date(self, rows: list[Any]) -> None:
        """The oldest first, within the budget. While somebody else reads, what is there is the answer."""
        if not self._reading.acquire(blocking=not self._read):
            return
        try:
            begin_s = self._monotonic_s()
            due = [row.store_id for row in rows if self._is_old(row.store_id, begin_s)]
            due.sort(key=self._age_key)
            for part in self._parts(due):
                now_s = self._monotonic_s()
                if now_s - begin_s > BUDGET_S:
                    return
                # A connection a part: a reader that stays long would keep SQLite's log from shrinking.
                with self._centre.ledger.read.connect() as connection:
                    found = store_outlooks(connection, part)
                self._read.update({store: _Read(now_s, one) for store, one in found.items()})
                self._reads += 1
        finally:
            self._reading.release()

    def _parts(self, stores: list[str]) -> list[Part]:
        if not stores:
            return []
        with self._centre.ledger.read.connect() as connection:
            return outlook_parts(connection, stores)

    def _is_old(self, store: str, now_s: float) -> bool:
        kept = self._read.get(store)
        return kept is None or now_s - kept.at_s >= FRESH_S

    def _age_key(self, store: str) -> float:
        kept = self._read.get(store)
        return float("-inf") if kept is None else kept.at_s


def _sums(rows: list[Any], read: dict[str, StoreOutlook]) -> dict[str, CategorySum]:
    """Of the shops that have been heard for two weeks; of the young ones only what no other sells."""
    outlooks = [read[row.store_id] for row in rows if row.store_id in read]
    found: dict[str, CategorySum] = {}
    young: dict[str, CategorySum] = {}
    for outlook in outlooks:
        sums = young if outlook.is_young else found
        for category, total in outlook.sums.items():
            sums.setdefault(category, CategorySum()).merge(total)
    found = {**young, **found}
    shared = shared_of(_past(outlooks).values())
    for total in found.values():
        total.shared = shared
    return found


def _past(outlooks: list[StoreOutlook]) -> Past:
    """What all of them missed together, by category and week."""
    found: Past = {}
    for outlook in outlooks:
        for key, week in outlook.past.items():
            found.setdefault(key, PastWeek()).merge(week)
    return found


def _category(
    region: str, category: str, total: CategorySum, names: dict[str, str], read: dict[str, StoreOutlook]
) -> CategoryOutlook:
    low, high = total.interval
    return CategoryOutlook.model_validate(
        {
            "region": region, "category": category, "expected_units": round(total.expected_units, 1),
            "low_units": round(low, 1), "high_units": round(high, 1), "usual_units": round(total.usual_units, 1),
            "verdict": total.verdict, "days_compared": total.days_compared,
            "shared": round(total.shared, 3), "stores": len(total.stores), "skus": total.skus,
            "drivers": [_driver(one, names, read) for one in total.drivers],
        }
    )  # fmt: skip


def _driver(one: SkuOutlook, names: dict[str, str], read: dict[str, StoreOutlook]) -> Driver:
    return Driver(
        store=one.store, store_name=names[one.store], sku=one.sku, name=read[one.store].names.get(one.sku, one.sku),
        expected_units=round(one.expected_units, 1), usual_units=round(one.usual_units, 1),
    )  # fmt: skip


def _rank(row: CategoryOutlook) -> tuple[int, float]:
    order = {"hot": 0, "cool": 1, "usual": 2, "unknown": 3}[row.verdict]
    size = row.expected_units if order > 1 else abs(row.expected_units - row.usual_units)
    return order, -size
