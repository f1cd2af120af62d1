"""A consumer of the centre's events by both doors: signed webhooks, and the pull feed with a durable cursor.

Both doors carry the same events with the same ids, so an event counts once whichever door it takes first.
"""

import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from simulator.outside.business_clock import BusinessClock
from simulator.outside.centre import Centre, CentreError
from simulator.outside.door import Door, Get
from simulator.outside.notebook import Event, Notebook, count, is_new, keep

IDLE_WAIT_S = 0.25
PULL_EVERY_S = 3.0
PULL_ROWS = 500
RETRY_FIRST_S, RETRY_LAST_S = 0.05, 2.0


class Subscriber:
    """Base of the systems outside. A subclass says which events it takes, and what it does about them.

    `on_event` runs inside the transaction that remembers the event. `work` runs in the main thread whenever
    something came or time moved; it returns how many things are still to do now.
    """

    types: tuple[str, ...] = ()
    schema = ""

    def __init__(self, *, centre: Centre, folder: Path, port: int, clock: BusinessClock) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.centre, self.clock = centre, clock
        self.notebook = Notebook(folder / "notebook.sqlite3", self.schema)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._ticked_ms, self._left = 0, 1
        self._retry_s = RETRY_FIRST_S
        gets: dict[str, Get] = {"/status": self._status, "/report": lambda _: self.report(), **self.gets()}
        self._door = Door(port, self._on_webhook, gets)
        self._url = f"http://127.0.0.1:{self._door.port}/webhook"

    def on_event(self, db: sqlite3.Connection, event: Event, now_ms: int) -> None:
        raise NotImplementedError

    def work(self, now_ms: int) -> int:
        """Raises CentreError when the centre does not answer; the work is tried again."""
        del now_ms
        return 0

    def gets(self) -> dict[str, Get]:
        return {}

    def report(self) -> dict[str, Any]:
        return {
            "events": self.notebook.one("SELECT count(*) FROM event"),
            "first_seen_by_webhook": self.notebook.one("SELECT count(*) FROM event WHERE door = 'webhook'"),
            "first_seen_by_feed": self.notebook.one("SELECT count(*) FROM event WHERE door = 'feed'"),
            "duplicates_dropped": self.notebook.kept("seen_again_by_webhook", 0),
            "bad_signatures": self.notebook.kept("bad_signatures", 0),
            "malformed": self.notebook.kept("malformed", 0),
            "feed_cursor": self.notebook.kept("feed_cursor", 0),
        }

    def run(self) -> None:
        """Blocks until SIGTERM or SIGINT."""
        reading, writing = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Only a write: setting an event here deadlocks when the main thread is on its way into `wait`.
            signal.signal(number, lambda *_: os.write(writing, b"."))
        threading.Thread(target=self._end_on, args=(reading,), name="signals", daemon=True).start()
        threading.Thread(target=self._door.serve, name="door", daemon=True).start()
        next_pull_s = 0.0
        while not self._stop.is_set():
            try:
                self._secret()
                if time.monotonic() >= next_pull_s:
                    self._pull()
                    next_pull_s = time.monotonic() + PULL_EVERY_S
                self._round()
                self._retry_s = RETRY_FIRST_S
            except CentreError as error:
                self._stumble(error)
                continue
            self._wake.wait(IDLE_WAIT_S)
        self._door.close()

    def _round(self) -> None:
        # Not idle while a round is under way, nor after one that failed.
        self._left = 1
        self._wake.clear()
        now_ms = self.clock.now_ms()
        self._left = self.work(now_ms)
        # Set last: who sees this time knows that all that was due by it is done.
        self._ticked_ms = now_ms

    def _stumble(self, error: CentreError) -> None:
        print(f"{type(self).__name__}: {error}", file=sys.stderr, flush=True)
        self._stop.wait(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_LAST_S)

    def _end_on(self, reading: int) -> None:
        os.read(reading, 1)
        self._stop.set()
        self._wake.set()

    def _status(self, _: dict[str, str]) -> dict[str, object]:
        # Asking is what wakes a sleeper: nobody polls the clock.
        if self._ticked_ms < self.clock.now_ms():
            self._wake.set()
        ticked_ms, left = self._ticked_ms, self._left
        return {"backlog": left + int(self._wake.is_set()), "now_ms": ticked_ms}

    def _secret(self) -> str:
        """The webhook's signing secret, once the webhook is there.

        A registration that died before its secret was written down is of no use: it is deleted and made again.
        """
        secret = self.notebook.kept("secret", "")
        if secret:
            return str(secret)
        for row in self.centre.get("/v1/webhooks")["rows"]:
            if row["url"] == self._url:
                self.centre.delete(f"/v1/webhooks/{row['webhook']}")
        made = self.centre.post("/v1/webhooks", {"url": self._url, "types": list(self.types)})
        self.notebook.keep("secret", made["secret"])
        return str(made["secret"])

    def _on_webhook(self, body: bytes, headers: dict[str, str]) -> tuple[int, object]:
        secret = self.notebook.kept("secret", "")
        if not secret:
            return 503, {"error": "not ready: the secret is not there yet; send again"}
        try:
            event = Webhook(secret).verify(body, headers)
        except (WebhookVerificationError, ValueError) as error:
            with self.notebook.transaction() as db:
                count(db, "bad_signatures")
            return 401, {"error": f"signature refused: {error}"}
        try:
            self._take(event, "webhook")
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            with self.notebook.transaction() as db:
                count(db, "malformed")
            return 400, {"error": f"event makes no sense: {error!r}"}
        self._wake.set()
        return 200, {"accepted": event["id"]}

    def _pull(self) -> None:
        """Takes what the feed has after the cursor. The cursor moves in the transaction that takes the rows."""
        while True:
            cursor = int(self.notebook.kept("feed_cursor", 0))
            feed = self.centre.get("/v1/feed", after=cursor, limit=PULL_ROWS, wait=0)
            with self.notebook.transaction() as db:
                for row in feed["rows"]:
                    self._take_from_feed(db, row["event"])
                keep(db, "feed_cursor", feed["next"])
            if len(feed["rows"]) < PULL_ROWS:
                return

    def _take(self, event: Event, door: str) -> None:
        now_ms = self.clock.now_ms()
        with self.notebook.transaction() as db:
            if is_new(db, event, door, now_ms):
                self.on_event(db, event, now_ms)

    def _take_from_feed(self, db: sqlite3.Connection, event: Event) -> None:
        """One row that makes no sense is counted and passed by: the rows behind it are no worse for it."""
        now_ms = self.clock.now_ms()
        if event["type"] not in self.types or not is_new(db, event, "feed", now_ms):
            return
        try:
            self.on_event(db, event, now_ms)
        except (KeyError, TypeError):
            count(db, "malformed")


def token_from_file(path: Path) -> str:
    with contextlib.suppress(OSError):
        token = path.read_text(encoding="utf-8").strip()
        if token:
            return token
    raise SystemExit(f"token file {path}: cannot be read or is empty")
