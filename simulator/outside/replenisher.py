"""A replenishment system (ERP) outside: orders what triggers ask for, ships after a lead time, says so.

    python -m simulator.outside.replenisher --centre URL --token-file F --dir DIR --port N [--clock-file F] [--plan FILE.json]

It knows the centre's public API and nothing else. Its plan (JSON) holds what people there do by hand:
`{"utc_offset_minutes": -300, "hand_orders": [{"order", "store", "sku", "gtin", "quantity_units", "at_ms"}],
"short_shipment": {"nth": 3, "missing_units": 2}}`.

GET /despatches?after=N: the lorries, `{"rows": [{"n", "despatch", "store", "gtin", "quantity_units", "expected_units",
"arrive_ms"}]}`; /report, /status. Every effect is written in the transaction that remembers its event, and every
report to the centre is repeated until it is answered: the centre knows (trigger, revision, status) and takes each once.
"""

import argparse
import json
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.outside.business_clock import BusinessClock
from simulator.outside.centre import Centre, CentreError
from simulator.outside.door import Get
from simulator.outside.notebook import Event, count
from simulator.outside.subscriber import Subscriber, token_from_file

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ARRIVAL_HOUR = 6
"""Lorries reach the shops at this local hour."""
UNDERWAY_MS = 5 * HOUR_MS
TRIGGER, CANCELLED = "shelfloop.restock.trigger.v1", "shelfloop.restock.cancelled.v1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders(
  n INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL, revision INTEGER NOT NULL, by_hand INTEGER NOT NULL,
  store TEXT NOT NULL, sku TEXT NOT NULL, gtin TEXT NOT NULL, quantity_units INTEGER NOT NULL,
  ordered_ms INTEGER NOT NULL, ship_ms INTEGER NOT NULL, arrive_ms INTEGER NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0,
  shipped INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS orders_reference ON orders(reference);
CREATE TABLE IF NOT EXISTS lorry(
  n INTEGER PRIMARY KEY AUTOINCREMENT, order_n INTEGER NOT NULL, despatch TEXT NOT NULL, store TEXT NOT NULL,
  gtin TEXT NOT NULL, quantity_units INTEGER NOT NULL, expected_units INTEGER NOT NULL, arrive_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS lorry_order ON lorry(order_n);
CREATE INDEX IF NOT EXISTS orders_due ON orders(ship_ms) WHERE cancelled = 0 AND shipped = 0;
CREATE TABLE IF NOT EXISTS report(
  n INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, body TEXT NOT NULL, answered INTEGER NOT NULL DEFAULT 0,
  refusal TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS report_open ON report(answered) WHERE answered = 0;
"""


class Replenisher(Subscriber):
    types = (TRIGGER, CANCELLED)
    schema = _SCHEMA

    def __init__(
        self, *, centre: Centre, folder: Path, port: int, clock: BusinessClock, plan: Mapping[str, Any]
    ) -> None:
        self._plan = plan
        self._offset_ms = int(plan.get("utc_offset_minutes", 0)) * MINUTE_MS
        super().__init__(centre=centre, folder=folder, port=port, clock=clock)

    def gets(self) -> dict[str, Get]:
        return {"/despatches": self._despatches}

    def report(self) -> dict[str, Any]:
        one = self.notebook.one
        return {
            **super().report(),
            "triggers_consumed": one("SELECT count(DISTINCT reference) FROM orders WHERE by_hand = 0"),
            "orders": one("SELECT count(*) FROM orders WHERE by_hand = 0"),
            "hand_orders": one("SELECT count(*) FROM orders WHERE by_hand = 1"),
            "cancelled": one("SELECT count(*) FROM orders WHERE cancelled = 1"),
            "shipments": one("SELECT count(*) FROM lorry"),
            "shipped_units": one("SELECT sum(expected_units) FROM lorry"),
            # Nothing in the tables forbids a second order or lorry for a trigger: the count is a finding.
            "duplicates_in_effect": one(
                "SELECT (SELECT count(*) - count(DISTINCT reference || '/' || revision) FROM orders)"
                " + (SELECT count(*) - count(DISTINCT order_n) FROM lorry)"
            ),
            "refused_reports": [
                list(row)
                for row in self.notebook.rows("SELECT path, refusal FROM report WHERE refusal <> ''")
            ],
            "triggers": [
                row[0]
                for row in self.notebook.rows("SELECT DISTINCT reference FROM orders WHERE by_hand = 0")
            ],
        }

    def on_event(self, db: sqlite3.Connection, event: Event, now_ms: int) -> None:
        if event["type"] == CANCELLED:
            self._cancel(db, event["data"])
            return
        data = event["data"]
        known = db.execute(
            "SELECT 1 FROM orders WHERE reference = ? AND revision = ?", (data["trigger"], data["revision"])
        ).fetchone()
        if known:
            count(db, "known_trigger_in_new_event")
            return
        if data["supersedes"]:
            self._cancel(db, {"trigger": data["supersedes"]})
        # A new revision of an order that has not left replaces it.
        self._cancel(db, data)
        arrive_ms = self._arrival_ms(now_ms, int(data["lead_time_days"]))
        self._order(db, data["trigger"], data["revision"], data, now_ms, arrive_ms, by_hand=False)
        for status in ("acknowledged", "ordered"):
            body = {
                "revision": data["revision"], "status": status, "at_ms": now_ms, "quantity_units": data["quantity_units"],
                "erp_document": f"PO-{data['trigger']}"[:64],
            }  # fmt: skip
            _report(db, f"/v1/triggers/{data['trigger']}/statuses", body)

    def work(self, now_ms: int) -> int:
        self._place_hand_orders(now_ms)
        self._ship_what_is_due(now_ms)
        for n, path, body in self.notebook.rows(
            "SELECT n, path, body FROM report WHERE answered = 0 ORDER BY n"
        ):
            refusal = ""
            try:
                self.centre.post(path, json.loads(body))
            except CentreError as error:
                if error.retry:
                    raise
                refusal = str(error)
            with self.notebook.transaction() as db:
                db.execute("UPDATE report SET answered = 1, refusal = ? WHERE n = ?", (refusal, n))
        return self.notebook.one("SELECT count(*) FROM report WHERE answered = 0")

    def _place_hand_orders(self, now_ms: int) -> None:
        for order in self._plan.get("hand_orders", []):
            if order["at_ms"] > now_ms:
                continue
            # Only this thread places orders by hand, so looking first is safe.
            if self.notebook.one("SELECT count(*) FROM orders WHERE reference = ?", (order["order"],)):
                continue
            with self.notebook.transaction() as db:
                arrive_ms = self._arrival_ms(now_ms, 1)
                n = self._order(db, order["order"], 1, order, now_ms, arrive_ms, by_hand=True)
                body = {
                    "order": order["order"], "store": order["store"], "sku": order["sku"], "at_ms": now_ms,
                    "quantity_units": order["quantity_units"], "despatch": _despatch(n),
                }  # fmt: skip
                _report(db, "/v1/orders", body)

    def _ship_what_is_due(self, now_ms: int) -> None:
        due = self.notebook.rows(
            "SELECT n, reference, revision, by_hand, store, gtin, quantity_units, arrive_ms FROM orders"
            " WHERE ship_ms <= ? AND cancelled = 0 AND shipped = 0 ORDER BY n",
            (now_ms,),
        )
        for n, reference, revision, by_hand, store, gtin, quantity_units, arrive_ms in due:
            with self.notebook.transaction() as db:
                leaving = db.execute(
                    "UPDATE orders SET shipped = 1 WHERE n = ? AND cancelled = 0 AND shipped = 0", (n,)
                )
                if leaving.rowcount == 0:
                    continue  # cancelled while we looked
                loaded = max(0, quantity_units - self._missing_units(db))
                db.execute(
                    "INSERT INTO lorry(order_n, despatch, store, gtin, quantity_units, expected_units, arrive_ms)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (n, _despatch(n), store, gtin, loaded, quantity_units, arrive_ms),
                )
                if not by_hand:
                    body = {
                        "revision": revision, "status": "shipped", "at_ms": now_ms, "quantity_units": quantity_units,
                        "despatch": _despatch(n),
                    }  # fmt: skip
                    _report(db, f"/v1/triggers/{reference}/statuses", body)

    def _missing_units(self, db: sqlite3.Connection) -> int:
        """Units that the despatch note promises and the lorry does not carry: one seeded short shipment."""
        short = self._plan.get("short_shipment") or {}
        next_lorry = int(db.execute("SELECT count(*) FROM lorry").fetchone()[0]) + 1
        return int(short.get("missing_units", 0)) if next_lorry == short.get("nth") else 0

    def _order(
        self,
        db: sqlite3.Connection,
        reference: str,
        revision: int,
        asked: Event,
        now_ms: int,
        arrive_ms: int,
        *,
        by_hand: bool,
    ) -> int:
        cursor = db.execute(
            "INSERT INTO orders(reference, revision, by_hand, store, sku, gtin, quantity_units, ordered_ms, ship_ms, arrive_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reference, revision, int(by_hand), asked["store"], asked["sku"], asked["gtin"], asked["quantity_units"], now_ms,
                max(now_ms, arrive_ms - UNDERWAY_MS), arrive_ms,
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def _cancel(self, db: sqlite3.Connection, data: Event) -> None:
        """What has left cannot be called back; the rest is not shipped."""
        db.execute(
            "UPDATE orders SET cancelled = 1 WHERE reference = ? AND by_hand = 0 AND shipped = 0",
            (data["trigger"],),
        )

    def _arrival_ms(self, now_ms: int, lead_time_days: int) -> int:
        """The delivery hour of the local day `lead_time_days` after today."""
        local_day = (now_ms + self._offset_ms) // DAY_MS
        return (local_day + lead_time_days) * DAY_MS + ARRIVAL_HOUR * HOUR_MS - self._offset_ms

    def _despatches(self, query: dict[str, str]) -> object:
        names = ("n", "despatch", "store", "gtin", "quantity_units", "expected_units", "arrive_ms")
        rows = self.notebook.rows(
            f"SELECT {', '.join(names)} FROM lorry WHERE n > ? ORDER BY n LIMIT 500",  # noqa: S608 - our own column names
            (int(query.get("after", "0")),),
        )
        return {"rows": [dict(zip(names, row, strict=True)) for row in rows]}


def _despatch(order_n: int) -> str:
    return f"D-{order_n:06d}"


def _report(db: sqlite3.Connection, path: str, body: Mapping[str, object]) -> None:
    db.execute("INSERT INTO report(path, body) VALUES (?, ?)", (path, json.dumps(body)))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.outside.replenisher", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--centre", required=True, help="the centre's address, e.g. http://127.0.0.1:8800")
    parser.add_argument("--token-file", type=Path, required=True, help="file with a token of scope `system`")
    parser.add_argument("--dir", type=Path, required=True, help="folder of its database")
    parser.add_argument("--port", type=int, required=True, help="loopback port of its own door")
    parser.add_argument("--clock-file", type=Path, help="the simulation's clock; the system's clock without")
    parser.add_argument("--plan", type=Path, help="what people there do by hand, JSON")
    options = parser.parse_args(argv)
    plan = json.loads(options.plan.read_text(encoding="utf-8")) if options.plan else {}
    Replenisher(
        centre=Centre(options.centre, token_from_file(options.token_file)),
        folder=options.dir,
        port=options.port,
        clock=BusinessClock(options.clock_file),
        plan=plan,
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
