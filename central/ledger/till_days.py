"""The books by till and business day, kept with each batch: the accounting reads them, not the receipts.

A projection of `receipts` and `day_closes`: `rebuild` makes it again from them, `wrong_days` says where it differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.accounting import TillDay, Totals
from central.ledger import facts
from central.ledger.of_stores import Stores

_OF_STORE = "store_id = :store AND business_date >= :from_day"
_HELD = f"""SELECT store_id, business_date, register_id, count(*) AS receipts, sum(line_count) AS lines,
    sum(sold_units) AS units, sum(sold_g) AS grams, sum(total_cents) AS cents, min(sequence) AS first_number,
    max(sequence) AS last_number FROM receipts WHERE {_OF_STORE} GROUP BY store_id, business_date, register_id"""  # noqa: S608
_FILL_HELD = f"""INSERT INTO till_days (store_id, business_date, register_id, receipts, lines, units, grams, cents, first_number,
    last_number) {_HELD}"""
_FILL_TOLD = f"""INSERT INTO till_days (store_id, business_date, register_id, told_ms, told_receipts, told_lines, told_units,
    told_grams, told_cents)
    SELECT store_id, business_date, register_id, at_ms, receipts, lines, units, grams, cents FROM day_closes WHERE {_OF_STORE}
    ON CONFLICT (store_id, business_date, register_id) DO UPDATE SET told_ms = excluded.told_ms,
    told_receipts = excluded.told_receipts, told_lines = excluded.told_lines, told_units = excluded.told_units,
    told_grams = excluded.told_grams, told_cents = excluded.told_cents"""  # noqa: S608 - our own names
_FILL = (sa.text(_FILL_HELD), sa.text(_FILL_TOLD))
_DROP = sa.text(f"DELETE FROM till_days WHERE {_OF_STORE}")  # noqa: S608 - our own names
_RECEIPTS = sa.text(_HELD)
_TOLD = sa.text(f"SELECT * FROM day_closes WHERE {_OF_STORE}")  # noqa: S608 - our own names
_KEPT = sa.text(f"SELECT * FROM till_days WHERE {_OF_STORE}")  # noqa: S608 - our own names

_CLOSED = "CASE WHEN told_ms IS NULL THEN 0 ELSE {} END"
_DIFFERS = "(told_receipts <> receipts OR told_lines <> lines OR told_units <> units OR told_cents <> cents)"
_COMPARED = ("receipts", "lines", "units", "cents")
_SUMS = f"""SELECT store_id, count(*) AS days, count(told_ms) AS closed, sum(CASE WHEN {_DIFFERS} THEN 1 ELSE 0 END) AS wrong,
    sum({_CLOSED.format("last_number - first_number + 1 - receipts")}) AS missing,
    {", ".join(f"sum(told_{name}) AS told_{name}, sum({_CLOSED.format(name)}) AS {name}" for name in _COMPARED)}
    FROM till_days {{which}} GROUP BY store_id"""  # noqa: S608 - our own names
_NAMED = "SELECT * FROM till_days WHERE store_id IN :stores AND {which} ORDER BY business_date DESC, store_id, register_id LIMIT :limit"


def _of_some(text: str) -> sa.TextClause:
    return sa.text(text).bindparams(sa.bindparam("stores", expanding=True, type_=sa.Text()))


# A chain's days are many: a condition that lets all pass would be asked of each.
_SUMS_OF_ALL = sa.text(_SUMS.format(which=""))
_SUMS_OF_SOME = _of_some(_SUMS.format(which="WHERE store_id IN :stores"))
_WRONG, _ALL_CLOSED = (
    _of_some(_NAMED.format(which=_DIFFERS)),
    _of_some(_NAMED.format(which="told_ms IS NOT NULL")),
)


@dataclass(frozen=True, slots=True)
class Books:
    """closed, wrong: till days, and those of them that differ. told, held: of all closed days; grams are not compared.

    missing_numbers: of receipts, between a closed day's first and last. days: newest first; all that are closed, or those that
    differ.
    """

    closed: int
    wrong: int
    open: int
    told: Totals
    held: Totals
    missing_numbers: int
    days: list[TillDay]


def books(connection: Connection, stores: Stores, limit: int) -> Books:
    """limit: how many days are named; where more are closed, only those that differ."""
    ask, of = (_SUMS_OF_ALL, {}) if stores is None else (_SUMS_OF_SOME, {"stores": list(stores)})
    sums = connection.execute(ask, of).all()

    def total(name: str) -> int:
        return sum(int(getattr(row, name) or 0) for row in sums)

    closed, wrong, days = total("closed"), total("wrong"), []
    named, which = ("closed", _ALL_CLOSED) if closed <= limit else ("wrong", _WRONG)
    # Only where there is one: the days of the others need not be read again.
    where = [row.store_id for row in sums if getattr(row, named)]
    if limit and where:
        days = [_day(row) for row in connection.execute(which, {"stores": where, "limit": limit})]
    return Books(
        closed=closed, wrong=wrong, open=total("days") - closed, missing_numbers=total("missing"), days=days,
        told=Totals(**{name: total(f"told_{name}") for name in _COMPARED}),
        held=Totals(**{name: total(name) for name in _COMPARED}),
    )  # fmt: skip


def rebuild(connection: Connection, store: str, zone: ZoneInfo) -> int:
    """Makes the store's books again from its receipts and day closes, from the first day of which it has all. Returns how many."""
    of = {"store": store, "from_day": facts.receipts_from(connection, store, zone)}
    for statement in (_DROP, *_FILL):
        connection.execute(statement, of)
    return len(connection.execute(_KEPT, of).all())


def wrong_days(connection: Connection, store: str, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """(business date, register) of each till day whose sums are not those of its receipts, or not what its till told."""
    of = {"store": store, "from_day": facts.receipts_from(connection, store, zone)}
    kept = {_place(row): row for row in connection.execute(_KEPT, of)}
    told = {_place(row): row for row in connection.execute(_TOLD, of)}
    held = {_place(row): row for row in connection.execute(_RECEIPTS, of)}
    for place in sorted(kept.keys() | told.keys() | held.keys()):
        if place not in kept or _as_kept(kept[place]) != _as_told(held.get(place), told.get(place)):
            yield place


_SIDE = ("receipts", "lines", "units", "grams", "cents")


def _place(row: Any) -> tuple[str, str]:
    return row.business_date, row.register_id


def _as_kept(row: Any) -> list[int | None]:
    return [*(getattr(row, name) for name in (*_SIDE, "first_number", "last_number")),
            *(getattr(row, f"told_{name}") for name in _SIDE)]  # fmt: skip


def _as_told(held: Any | None, told: Any | None) -> list[int | None]:
    sums = [0 if held is None else int(getattr(held, name)) for name in _SIDE]
    numbers = [None, None] if held is None else [held.first_number, held.last_number]
    return [*sums, *numbers, *(None if told is None else getattr(told, name) for name in _SIDE)]


def _day(row: Any) -> TillDay:
    told = None if row.told_ms is None else Totals(*(getattr(row, f"told_{name}") for name in _SIDE))
    return TillDay(
        row.store_id, row.register_id, row.business_date, Totals(*(getattr(row, name) for name in _SIDE)), told,
        row.first_number, row.last_number,
    )  # fmt: skip
