"""What others did in stored weeks, out of the ledger: kill-switches with their times, what depots said they had, loads late and short.

What a depot had at an hour is kept where an order was decided from it (its evidence), where nothing came of one for want of goods, and as
the newest word of all.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from central.core.days import day_after, day_of, days_between
from central.core.replay_world import DepotWord, Load, Switched, World
from central.core.supplier_calendar import SupplierCalendar
from central.ledger import played_rows as rows
from central.stored_weeks import StoredWeeks

NOTHING_TO_SHIP = re.compile(r"^held: the supplier can ship (\d+) units")
"""What became of a proposal: the words of central.core.restock.decide_restock."""


def played_world(
    connection: Connection, weeks: StoredWeeks, calendars: Mapping[str, SupplierCalendar]
) -> World:
    index_of = {sku: index for index, sku in enumerate(weeks.skus)}
    decided = [row for row in rows.decided_orders(connection, weeks.span) if row.sku in index_of]
    return World(
        tuple(_switched(rows.switch_moves(connection, weeks.span.to_ms), weeks.store)),
        _depot(connection, weeks, index_of, decided, calendars),
        _loads(connection, weeks, index_of, decided),
    )


def _switched(moves: Iterable[Any], store: str) -> Iterable[Switched]:
    """moves: audit rows, oldest first; their subject is `chain`, `store NAME` or `supplier NAME`."""
    thrown: dict[str, Any] = {}
    for row in moves:
        scope, _, target = row.subject.partition(" ")
        if scope == "store" and target != store:
            continue
        before = thrown.pop(row.subject, None)
        if before is not None:
            yield _switch(before, row.at_ms)
        if row.action == rows.SWITCH_ON:
            thrown[row.subject] = row
    yield from (_switch(row, None) for row in thrown.values())


def _switch(row: Any, until_ms: int | None) -> Switched:
    scope, _, target = row.subject.partition(" ")
    return Switched(
        f"kill-switch for {row.subject}", target if scope == "supplier" else "", row.at_ms, until_ms
    )


def _depot(
    connection: Connection, weeks: StoredWeeks, index_of: Mapping[str, int], decided: Iterable[Any],
    calendars: Mapping[str, SupplierCalendar],
) -> dict[int, list[DepotWord]]:  # fmt: skip
    found: dict[int, list[DepotWord]] = defaultdict(list)
    for row in decided:
        inputs = json.loads(row.inputs) if row.inputs else {}
        wanted = inputs.get("wanted", {})
        if "available_units" in wanted:
            word = DepotWord(inputs["now_ms"], wanted["available_units"], wanted.get("available_now_units"))
            found[index_of[row.sku]].append(word)
    for row in rows.held_proposals(connection, weeks.span):
        held = NOTHING_TO_SHIP.match(row.outcome)
        if held is not None and row.sku in index_of:
            found[index_of[row.sku]].append(DepotWord(row.at_ms, int(held[1]), None))
    for supplier, calendar in calendars.items():
        for sku, word in _newest_words(connection, supplier, calendar).items():
            if sku in index_of and weeks.lines[sku].supplier == supplier:
                found[index_of[sku]].append(word)
    return {index: sorted(words, key=lambda word: word.at_ms) for index, words in found.items()}


def _newest_words(connection: Connection, supplier: str, calendar: SupplierCalendar) -> dict[str, DepotWord]:
    """Arrivals of the day of a word count as in it already, as central.ledger.supplier_stock has it."""
    arriving: dict[str, list[tuple[date, int]]] = defaultdict(list)
    for row in rows.depot_arrivals(connection, supplier):
        arriving[row.sku].append((date.fromisoformat(row.day), row.units))
    found = {}
    for row in rows.depot_stock(connection, supplier):
        told = calendar.local_day(row.at_ms)
        later = tuple((day, units) for day, units in arriving[row.sku] if day > told)
        found[row.sku] = DepotWord(row.at_ms, row.available_units, row.available_units, later)
    return found


def _loads(
    connection: Connection, weeks: StoredWeeks, index_of: Mapping[str, int], decided: Iterable[Any]
) -> dict[int, list[Load]]:
    """Of orders that came; those that came as they should are among them: what was on time stays so."""
    came_ms = {
        (row.despatch, row.sku): row.at_ms for row in rows.deliveries(connection, weeks.span) if row.despatch
    }
    found: dict[int, list[Load]] = defaultdict(list)
    for row in decided:
        arrived_ms = came_ms.get((row.despatch, row.sku)) if row.despatch else None
        if arrived_ms is None or row.received_units is None:
            continue
        short = max(0, row.quantity_units - row.received_units)
        found[index_of[row.sku]].append(Load(row.created_ms, _late_days(row, arrived_ms, weeks), short))
    return dict(found)


def _late_days(row: Any, arrived_ms: int, weeks: StoredWeeks) -> int:
    """After the day for which it was decided. One that a person was asked about was sent later than that: 0."""
    if row.doubt or not row.inputs:
        return 0
    decided_day = day_of(json.loads(row.inputs)["now_ms"], weeks.zone)
    return max(0, days_between(day_after(decided_day, row.lead_time_days), day_of(arrived_ms, weeks.zone)))
