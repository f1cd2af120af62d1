"""A chain's own history: the centre's ledger as a long table of daily sales. Reads only; the centre may be at work.

Sales, stock-outs and open days come from the sums by business day, which outlive the receipts that they are made of.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from models.errors import TrainingDataError
from models.known_days import KNOWN_DAY_COLUMNS
from models.training.ledger_calendar import LedgerCalendar

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_SQLITE_HEADER = b"SQLite format 3\x00"
_STORES = "SELECT store_id, timezone, hours FROM stores ORDER BY store_id"
_DAYS = (
    "SELECT sku, at_ms, sold_units, stock_out_ms FROM rollups WHERE store_id = {} AND step_ms = 86400000 AND sku <> ''"
    " AND (sold_units <> 0 OR stock_out_ms > 0) ORDER BY at_ms, sku"
)
_ITEMS = "SELECT sku, category FROM items WHERE store_id = {} ORDER BY sku"
_PRICES = "SELECT sku, from_ms, price_cents FROM prices WHERE store_id = {} ORDER BY sku, from_ms"
_GAPS = "SELECT DISTINCT at_ms FROM gaps WHERE store_id = {} AND (units IS NULL OR units <> 0) ORDER BY at_ms"
_CALENDAR = "SELECT body FROM documents WHERE store_id = {} AND kind = 'calendar'"
_RANGE = "SELECT min(at_ms) AS first_ms, max(at_ms) AS last_ms FROM rollups WHERE store_id = {} AND step_ms = 86400000"

Rows = list[tuple[Any, ...]]
_Sold = tuple[str, date, int, float, float]
"""SKU, business day, when it begins, units, hours sold out."""


def is_ledger(address: str) -> bool:
    """Whether this is a PostgreSQL URL or a file of SQLite, and no table of sales."""
    if address.startswith(("postgresql://", "postgres://", "postgresql+")):
        return True
    path = Path(address)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER


def table_from_ledger(address: str, *, calendar: bool = False) -> pa.Table:
    """Columns store, sku, date, units, stockout_hours, open_hours, category, price; a row a SKU and day that sold or was
    sold out.

    address: the SQLite file or PostgreSQL URL of the centre. calendar: also the columns of models.known_days where a shop's
    calendar tells any, and rows of promoted days without a sale. units: net of returns. stockout_hours: that the shelf was
    empty while the shop was open; open_hours: of that weekday, null where the shop's hours do not name it. price: the shelf price in the chain's currency on that day, null before the first. The last business day is
    not over and is left out, and so is a shop's day of which a gateway lost units: it is unknown, not quiet.
    Raises TrainingDataError when it cannot be opened, is no ledger or holds no sales.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("store", "sku", "date", "units", "stockout_hours", "open_hours", "category", "price", *(KNOWN_DAY_COLUMNS if calendar else ()))}  # fmt: skip
    with _opened(address) as ask:
        for store, timezone, hours in ask(_STORES, ()):
            _add_store(columns, ask, str(store), ZoneInfo(str(timezone)), _open_hours(str(hours)), calendar)
    if not columns["sku"]:
        raise TrainingDataError(
            f"{_named(address)} holds no whole day of sales yet; train when it has some weeks"
        )
    for name in KNOWN_DAY_COLUMNS:
        if name in columns and all(value is None for value in columns[name]):
            del columns[name]
    kinds = dict.fromkeys(KNOWN_DAY_COLUMNS, pa.float64()) | {
        "date": pa.date32(),
        "units": pa.float64(),
        "stockout_hours": pa.float64(),
        "open_hours": pa.float64(),
        "price": pa.float64(),
    }
    return pa.table(
        {name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()}
    )


class _Ask:
    """Runs one statement with its placeholders in the database's own form."""

    def __init__(self, cursor: Any, placeholder: str) -> None:
        self._cursor, self._placeholder = cursor, placeholder

    def __call__(self, statement: str, values: Sequence[object]) -> Rows:
        self._cursor.execute(statement.format(*[self._placeholder] * len(values)), tuple(values))
        return list(self._cursor.fetchall())


def _add_store(
    columns: dict[str, list[Any]],
    ask: _Ask,
    store: str,
    zone: ZoneInfo,
    open_hours: dict[int, float],
    with_calendar: bool,
) -> None:
    (_, last_ms), *_ = ask(_RANGE, (store,))
    if last_ms is None:
        return
    category = {str(sku): str(name) for sku, name in ask(_ITEMS, (store,))}
    prices: dict[str, list[tuple[int, int]]] = {}
    for sku, from_ms, cents in ask(_PRICES, (store,)):
        prices.setdefault(str(sku), []).append((int(from_ms), int(cents)))
    lost = {_day(int(at_ms), zone) for (at_ms,) in ask(_GAPS, (store,))}
    rows = [
        (str(sku), _day(int(at_ms), zone), int(at_ms), float(units), min(int(out_ms) / _HOUR_MS, 24.0))
        for sku, at_ms, units, out_ms in ask(_DAYS, (store,))
        if at_ms < last_ms
    ]
    rows = [row for row in rows if row[1] not in lost]
    calendar = None
    if with_calendar:
        body = next((str(text) for (text,) in ask(_CALENDAR, (store,))), None)
        calendar = LedgerCalendar(body, store)
        rows += _unsold(rows, calendar, category)
    for sku, day, at_ms, units, stockout_hours in rows:
        columns["store"].append(store)
        columns["sku"].append(sku)
        columns["date"].append(day)
        columns["units"].append(units)
        columns["stockout_hours"].append(stockout_hours)
        columns["open_hours"].append(open_hours.get(day.weekday()))
        columns["category"].append(category.get(sku) or None)
        columns["price"].append(_price(prices.get(sku, []), at_ms + _DAY_MS))
        if calendar is not None:
            for name, value in calendar.of(sku, category.get(sku, ""), day).items():
                columns[name].append(value)


def _unsold(rows: list[_Sold], calendar: LedgerCalendar, category: dict[str, str]) -> list[_Sold]:
    """Rows of promoted days on which a SKU that was listed by then sold nothing."""
    begins_ms = {day: at_ms for _, day, at_ms, _, _ in rows}
    sold, listed = set(), dict[str, date]()
    for sku, day, *_ in rows:
        sold.add((sku, day))
        listed[sku] = min(day, listed.get(sku, day))
    told = calendar.told_days({sku: category.get(sku, "") for sku in listed}, begins_ms)
    return [
        (sku, day, begins_ms[day], 0.0, 0.0)
        for sku, day in sorted(told - sold, key=lambda each: (each[1], each[0]))
        if day > listed[sku]
    ]


def _open_hours(hours: str) -> dict[int, float]:
    """Hours open on each weekday that the shop's own hours name, 0 is Monday."""
    spans = [(each["weekday"], each["closes_minute"] - each["opens_minute"]) for each in json.loads(hours)]
    return {int(weekday): minutes / 60 for weekday, minutes in spans if minutes > 0}


def _day(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()


def _price(steps: list[tuple[int, int]], until_ms: int) -> float | None:
    """Of the last step before `until_ms`."""
    cents = None
    for from_ms, step_cents in steps:
        if from_ms >= until_ms:
            break
        cents = step_cents
    return None if cents is None else cents / 100


@contextmanager
def _opened(address: str) -> Iterator[_Ask]:
    if not is_ledger(address):
        raise TrainingDataError(
            f"{_named(address)} is no ledger; give the centre's SQLite file or its postgresql:// URL"
        )
    if Path(address).is_file():
        try:
            with closing(
                sqlite3.connect(f"{Path(address).absolute().as_uri()}?mode=ro", uri=True)
            ) as connection:
                yield _Ask(connection.cursor(), "?")
        except sqlite3.Error as error:
            raise TrainingDataError(f"{address}: {error}; give the centre's ledger file") from None
        return
    try:
        import psycopg  # noqa: PLC0415 - only this kind of ledger needs it
    except ModuleNotFoundError:
        raise TrainingDataError(
            "a PostgreSQL ledger needs psycopg: pip install -c constraints.txt '.[central]'"
        ) from None
    plain = "postgresql://" + address.split("://", 1)[1]
    try:
        with psycopg.connect(
            plain, options="-c default_transaction_read_only=on", connect_timeout=30
        ) as session:
            yield _Ask(session.cursor(), "%s")
    except psycopg.Error as error:
        raise TrainingDataError(
            f"{_named(address)}: {str(error).strip()}; check the URL and the user's rights"
        ) from None


def _named(address: str) -> str:
    """The address without a password: it goes into messages and the model's card."""
    if "://" not in address:
        return address
    return "postgresql://" + address.split("://", 1)[1].rsplit("@", 1)[-1]


def ledger_name(address: str) -> str:
    """What a card says of where the sales came from: no user, no password."""
    return _named(address).split("?", 1)[0]
