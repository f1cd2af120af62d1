"""Which categories sold most in each region and hour: packed days and the hours that are not packed yet, added up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection

from central.core.rollups import DAY_MS, HOUR_MS
from central.ledger.category_days import NAMES, unpack
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.chain import CategoryHour

_SHOWN = tuple(NAMES.index(name) for name in ("sold_units", "sold_cents", "stock_out_ms"))
_UNITS, _CENTS = 0, 1
"""Of _SHOWN."""
_STORES = "(SELECT store_id, region FROM stores WHERE {stores}) s"


def _of_each_store(table: str, condition: str) -> dict[str, str]:
    """A join that looks each store up: else the server may read the rows of all time."""
    where = f"c.store_id = s.store_id AND {condition}"
    return {
        "sqlite": f"{_STORES} CROSS JOIN {table} c WHERE {where}",
        "postgresql": f"{_STORES} CROSS JOIN LATERAL (SELECT * FROM {table} c WHERE {where} OFFSET 0) c",  # noqa: S608
    }


_HOURS = {
    name: of_stores(
        f"""SELECT s.region, c.at_ms, c.category, CAST(sum(c.sold_units) AS BIGINT), CAST(sum(c.sold_cents) AS BIGINT),
        CAST(sum(c.stock_out_ms) AS BIGINT) FROM {joined} GROUP BY s.region, c.at_ms, c.category"""  # noqa: S608
    )
    for name, joined in _of_each_store("category_hours", "c.at_ms >= :from_ms AND c.at_ms < :to_ms").items()
}
_DAYS = {
    name: of_stores(f"SELECT s.region, c.body FROM {joined}")  # noqa: S608 - our own words
    for name, joined in _of_each_store("category_days", "c.at_ms > :first_ms AND c.at_ms < :to_ms").items()
}


def leading_categories(
    connection: Connection, from_ms: int, to_ms: int, *, top: int, stores: Stores = None
) -> list[CategoryHour]:
    """For each region and hour that begins in [from_ms, to_ms) the `top` categories by what they sold; none that sold nothing."""
    values = {**named(stores), "from_ms": from_ms, "to_ms": to_ms, "first_ms": from_ms - DAY_MS}
    dialect = connection.dialect.name
    board = _Board(-(-from_ms // HOUR_MS) * HOUR_MS, to_ms)
    for region, body in connection.execute(_DAYS[dialect], values).all():
        day = unpack(body)
        board.add(region, day.at_ms, np.array([board.place(name) for name in day.categories])[day.category],
                  day.sums[list(_SHOWN)])  # fmt: skip
    hours = connection.execute(_HOURS[dialect], values).all()
    for region, some in _by_region(hours).items():
        columns = list(zip(*some, strict=True))
        places = np.array([board.place(name) for name in columns[2]])
        board.add(region, np.array(columns[1]), places, np.array(columns[3:], dtype=np.int64))
    return list(board.leading(top))


def _by_region(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


@dataclass(slots=True)
class _Board:
    """Gathers sums as they come; categories and regions get their places as they are met."""

    from_ms: int
    to_ms: int
    _places: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, list[tuple[Any, Any, Any]]] = field(default_factory=dict)

    def place(self, category: str) -> int:
        return self._places.setdefault(category, len(self._places))

    def add(self, region: str, at_ms: Any, places: Any, sums: Any) -> None:
        """sums: shape (3, n), units, cents and ms of stock-out."""
        inside = (at_ms >= self.from_ms) & (at_ms < self.to_ms)
        hours = (at_ms[inside] - self.from_ms) // HOUR_MS
        self._parts.setdefault(region, []).append((hours, places[inside], sums[:, inside]))

    def leading(self, top: int) -> Iterable[CategoryHour]:
        names = sorted(self._places)
        column = {name: number for number, name in enumerate(names)}
        rank = np.array([column[name] for name in self._places], dtype=np.int64)
        hours = max(-(-(self.to_ms - self.from_ms) // HOUR_MS), 0)
        for region in sorted(self._parts):
            totals = np.zeros((len(_SHOWN), hours * len(names)), dtype=np.int64)
            told = np.zeros(hours * len(names), dtype=bool)
            for at, places, sums in self._parts[region]:
                cells = at * len(names) + rank[places]
                told[cells] = True
                for number in range(len(_SHOWN)):
                    np.add.at(totals[number], cells, sums[number])
            # What only stood on the shelf, or came back, does not lead.
            told &= (totals[_UNITS] > 0) | (totals[_CENTS] > 0)
            yield from self._of_region(region, names, totals, told, top)

    def _of_region(self, region: str, names: list[str], totals: Any, told: Any, top: int) -> Iterable[CategoryHour]:  # fmt: skip
        by_hour = totals.reshape(len(_SHOWN), -1, len(names))
        cents = np.where(told.reshape(-1, len(names)), by_hour[_CENTS], np.iinfo(np.int64).min)
        # Of two that sold the same the first by name: that is how they lie.
        best = np.argsort(-cents.astype(float), axis=-1, kind="stable")[:, :top]
        told = told.reshape(-1, len(names))
        for hour in np.flatnonzero(told.any(axis=1)).tolist():
            for place, column in enumerate(best[hour].tolist(), start=1):
                if not told[hour, column]:
                    break
                units, cents_sold, stock_out_ms = by_hour[:, hour, column].tolist()
                yield CategoryHour(
                    region=region, at_ms=self.from_ms + hour * HOUR_MS, category=names[column], sold_units=units,
                    sold_cents=cents_sold, stock_out_ms=stock_out_ms, place=place,
                )  # fmt: skip
