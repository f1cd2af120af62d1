"""A members' app outside: puts the coupons that the centre issues into its members' wallets.

    python -m simulator.outside.member_app --centre URL --token-file F --dir DIR --port N [--clock-file F]

GET /wallet?after=N: `{"rows": [{"n", "coupon", "member", "store", "code", "gtin", "discount_cents", "valid_until_ms"}]}`;
/report, /status.
"""

import argparse
import sqlite3
import sys
from pathlib import Path
from typing import Any

from simulator.outside.business_clock import BusinessClock
from simulator.outside.centre import Centre
from simulator.outside.door import Get
from simulator.outside.notebook import Event
from simulator.outside.subscriber import Subscriber, token_from_file

ISSUED, REDEEMED, REVERSED = (
    "shelfloop.coupon.issued.v1",
    "shelfloop.coupon.redeemed.v1",
    "shelfloop.coupon.reversed.v1",
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet(
  n INTEGER PRIMARY KEY AUTOINCREMENT, coupon TEXT NOT NULL, member TEXT NOT NULL, store TEXT NOT NULL, code TEXT NOT NULL,
  gtin TEXT NOT NULL, discount_cents INTEGER NOT NULL, valid_until_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS used(n INTEGER PRIMARY KEY AUTOINCREMENT, coupon TEXT NOT NULL, what TEXT NOT NULL);
"""


class MemberApp(Subscriber):
    types = (ISSUED, REDEEMED, REVERSED)
    schema = _SCHEMA

    def gets(self) -> dict[str, Get]:
        return {"/wallet": self._wallet}

    def report(self) -> dict[str, Any]:
        one = self.notebook.one
        return {
            **super().report(),
            "issued": one("SELECT count(*) FROM wallet"),
            "redeemed": one("SELECT count(*) FROM used WHERE what = ?", (REDEEMED,)),
            "reversed": one("SELECT count(*) FROM used WHERE what = ?", (REVERSED,)),
            "duplicates_in_effect": one("SELECT count(*) - count(DISTINCT coupon) FROM wallet"),
        }

    def on_event(self, db: sqlite3.Connection, event: Event, now_ms: int) -> None:
        del now_ms
        data = event["data"]
        if event["type"] != ISSUED:
            db.execute("INSERT INTO used(coupon, what) VALUES (?, ?)", (data["coupon"], event["type"]))
            return
        if not data["code"]:
            raise KeyError("code of an issued coupon")
        db.execute(
            "INSERT INTO wallet(coupon, member, store, code, gtin, discount_cents, valid_until_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                data["coupon"], data["member"], data["store"], data["code"], data["gtin"], data["discount_cents"],
                data["valid_until_ms"],
            ),
        )  # fmt: skip

    def _wallet(self, query: dict[str, str]) -> object:
        names = ("n", "coupon", "member", "store", "code", "gtin", "discount_cents", "valid_until_ms")
        rows = self.notebook.rows(
            f"SELECT {', '.join(names)} FROM wallet WHERE n > ? ORDER BY n LIMIT 500",  # noqa: S608 - our own column names
            (int(query.get("after", "0")),),
        )
        return {"rows": [dict(zip(names, row, strict=True)) for row in rows]}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.outside.member_app", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--centre", required=True, help="the centre's address, e.g. http://127.0.0.1:8800")
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file with a token of scope `member-app`"
    )
    parser.add_argument("--dir", type=Path, required=True, help="folder of its database")
    parser.add_argument("--port", type=int, required=True, help="loopback port of its own door")
    parser.add_argument("--clock-file", type=Path, help="the simulation's clock; the system's clock without")
    options = parser.parse_args(argv)
    MemberApp(
        centre=Centre(options.centre, token_from_file(options.token_file)),
        folder=options.dir,
        port=options.port,
        clock=BusinessClock(options.clock_file),
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
