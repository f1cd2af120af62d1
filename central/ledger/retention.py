"""What is forgotten after its time, a few rows a transaction; of facts the ledger notes since when it has them.

Never forgotten: gaps, the audit and what it vouches for (triggers with their statuses, coupons and their events), the
feed, sums by the day, levels, and all that people set. A proposal stays while an order of its SKU is open, a delivery
note while a line of it waits for the gateway, or an order for its load.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.lifecycle import OPEN
from central.core.rollups import DAY_MS, HOUR_MS, QUARTER_MS

ROWS_A_TRANSACTION = 500
RECEIPTS_A_TRANSACTION = 100
"""Each with its lines."""
MOMENTS_A_TRANSACTION = 4
"""Of sums: each with those of all SKUs, or categories."""


@dataclass(frozen=True, slots=True)
class Rule:
    """setting: how many days, 0 for ever. gather: keys of some rows older than :before_ms (or :before_day), oldest first.

    fact: since when the ledger has all of it is noted under this name, for sums that are made of it and for the audit. "": nothing.
    """

    name: str
    setting: str
    gather: sa.Executable
    drop: tuple[sa.Executable, ...]
    fact: str = ""
    limit: int = ROWS_A_TRANSACTION


def _rule(
    table: str,
    setting: str,
    key: str,
    older: str,
    *,
    order: str,
    also: Sequence[str] = (),
    together: bool = False,
    fact: str = "",
    limit: int = ROWS_A_TRANSACTION,
) -> Rule:
    """also: tables whose rows go with those of `table`: they have its key within theirs.

    together: `key` is the first part of the table's, and all rows that share it go by one statement.
    """
    names = [name.strip() for name in key.split(",")]
    counted, by = (", count(*) AS n", f"GROUP BY {key}") if together else ("", "")
    gather = f"SELECT {key}{counted} FROM {table} t WHERE t.store_id = :store AND {older} {by} ORDER BY {order} LIMIT :limit"  # noqa: S608
    of_key = " AND ".join(f"{name} = :{name}" for name in names)
    drop = tuple(
        sa.text(f"DELETE FROM {one} WHERE store_id = :store AND {of_key}")  # noqa: S608 - our own names
        for one in (*also, table)
    )
    return Rule(table, setting, sa.text(gather), drop, fact, limit)


_SEQ = "gateway, epoch, seq"
_OPEN = "o.state IN ({})".format(", ".join(f"'{state.value}'" for state in sorted(OPEN)))
_NOT_THE_NEWEST = """first_day < :before_day AND first_day < (SELECT max(g.first_day) FROM forecasts g
    WHERE g.store_id = t.store_id AND g.sku = t.sku)"""
_NOT_OPEN = "at_ms < :before_ms AND NOT EXISTS (SELECT 1 FROM triggers o WHERE {})".format(  # noqa: S608
    f"o.store_id = t.store_id AND o.sku = t.sku AND {_OPEN}"
)
_NO_ONE_WAITS = f"""at_ms < :before_ms AND NOT EXISTS (SELECT 1 FROM delivery_notes n WHERE n.store_id = t.store_id
    AND n.note = t.note AND n.state = 'open') AND NOT EXISTS (SELECT 1 FROM triggers o WHERE o.store_id = t.store_id
    AND o.despatch = t.despatch AND {_OPEN}) AND NOT EXISTS (SELECT 1 FROM outside_orders u WHERE u.store_id = t.store_id
    AND u.despatch = t.despatch AND u.state = 'open')"""  # noqa: S608

RULES = (
    # The books first, and with them the note that no receipt of then is taken any more: receipts without them are not broken.
    _rule("till_days", "receipt_days", "business_date, register_id", "business_date < :before_day", order="business_date",
          fact="receipts"),
    _rule("day_closes", "receipt_days", "register_id, business_date", "business_date < :before_day", order="business_date"),
    _rule("receipts", "receipt_days", "business_date, register_id, sequence", "business_date < :before_day",
          order="business_date", also=("receipt_lines",), fact="receipts", limit=RECEIPTS_A_TRANSACTION),
    _rule("windows", "window_days", _SEQ, "until_ms < :before_ms", order="until_ms", fact="windows"),
    _rule("stock_facts", "stock_fact_days", _SEQ, "at_ms < :before_ms", order="at_ms", fact="stock_facts"),
    _rule("proposals", "proposal_days", _SEQ, _NOT_OPEN, order="at_ms"),
    _rule("delivery_notes", "delivery_note_days", "note, sku", _NO_ONE_WAITS, order="at_ms, note, sku",
          fact="delivery_notes"),
    _rule("alert_acks", "alert_days", "code, subject, raised_ms", "raised_ms < :before_ms", order="raised_ms"),
    _rule("alerts", "alert_days", _SEQ, "at_ms < :before_ms AND cleared_ms IS NOT NULL", order="at_ms"),
    _rule("quarantine", "quarantine_days", "number", "at_ms < :before_ms", order="number"),
    _rule("forecasts", "forecast_days", "sku, first_day", _NOT_THE_NEWEST, order="sku, first_day"),
    _rule("rollups", "quarter_rollup_days", "step_ms, at_ms", f"step_ms = {QUARTER_MS} AND at_ms < :before_ms",
          order="at_ms", together=True, limit=MOMENTS_A_TRANSACTION),
    _rule("rollups", "hour_rollup_days", "step_ms, at_ms", f"step_ms = {HOUR_MS} AND at_ms < :before_ms",
          order="at_ms", together=True, limit=MOMENTS_A_TRANSACTION),
    _rule("category_hours", "hour_rollup_days", "at_ms", "at_ms < :before_ms", order="at_ms", together=True,
          limit=MOMENTS_A_TRANSACTION),
    # A day whole: it goes when its last hour has had its time.
    _rule("category_days", "hour_rollup_days", "at_ms", f"at_ms < :before_ms - {DAY_MS}", order="at_ms"),
)  # fmt: skip

BEFORE_RECEIPTS = tuple(rule for rule in RULES if rule.name in ("till_days", "day_closes"))
"""The books of a till's day, which go before the receipts that they are about."""
RECEIPTS = next(rule for rule in RULES if rule.name == "receipts")

_NOTE = sa.text(
    """INSERT INTO kept_since (store_id, kind, from_ms) VALUES (:store, :kind, :from_ms)
    ON CONFLICT (store_id, kind) DO UPDATE SET from_ms = excluded.from_ms
    WHERE excluded.from_ms > kept_since.from_ms"""
)
_FACTS_KEPT = sa.text(
    """SELECT max(from_ms) FROM kept_since WHERE store_id = :store
    AND kind IN ('receipts', 'windows', 'stock_facts')"""
)
_KEPT = sa.text("SELECT from_ms FROM kept_since WHERE store_id = :store AND kind = :kind")


def old_keys(
    connection: Connection, rule: Rule, store: str, before_ms: int, before_day: str
) -> list[dict[str, Any]]:
    """Of rows that have had their time, the oldest, as many as one transaction drops. n: how many rows share a key, where several may."""
    found = connection.execute(
        rule.gather,
        {"store": store, "before_ms": before_ms, "before_day": before_day, "limit": rule.limit},
    )
    return [{**row, "store": store} for row in found.mappings()]


def drop(connection: Connection, rule: Rule, store: str, keys: list[dict[str, Any]], before_ms: int) -> None:
    """keys: none where the rows go in another way, and only since when there are any is noted."""
    if rule.fact:
        connection.execute(_NOTE, {"store": store, "kind": rule.fact, "from_ms": before_ms})
    named = [{name: value for name, value in key.items() if name != "n"} for key in keys]
    for statement in rule.drop if named else ():
        connection.execute(statement, named)


def facts_kept_since_ms(connection: Connection, store: str) -> int | None:
    """From this moment on the ledger has all facts of the store; None: it never forgot one."""
    found: int | None = connection.execute(_FACTS_KEPT, {"store": store}).scalar()
    return found


def kept_since_ms(connection: Connection, store: str, kind: str) -> int | None:
    """The same of one kind of fact, as `Rule.fact` calls it."""
    found: int | None = connection.execute(_KEPT, {"store": store, "kind": kind}).scalar()
    return found
