"""The systems outside as real processes against a small centre of the test's own: signatures, both doors, kills."""

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from standardwebhooks import Webhook

from runtime.clock import ClockOwner
from simulator.orchestrator.ports import free_ports
from simulator.orchestrator.status_client import StatusClient
from simulator.outside.business_clock import BusinessClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MONDAY_NOON_MS = 1_504_544_400_000  # 2017-09-04 12:00 in UTC-5
HOUR_MS = 3_600_000


class SmallCentre:
    """Remembers what it is told; serves `feed`. While `down`, it answers 503."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.feed: list[dict[str, Any]] = []
        self.hooks: list[str] = []
        self.down = False
        centre = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = 65_536

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/v1/webhooks":
                    rows = [{"webhook": f"wh-{n}", "url": url} for n, url in enumerate(centre.hooks)]
                    self.answer(200, {"rows": rows, "next": None})
                    return
                after = int(dict(parse_qsl(parts.query))["after"])
                rows = [{"position": n + 1, "event": event} for n, event in enumerate(centre.feed)][after:]
                self.answer(200, {"rows": rows, "next": after + len(rows)})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if centre.down:
                    self.answer(503, {"title": "down"})
                elif self.path == "/v1/webhooks":
                    centre.hooks.append(body["url"])
                    self.answer(200, {"webhook": "wh", "url": body["url"], "secret": SECRET})
                else:
                    centre.posts.append((self.path, body))
                    self.answer(200, {})

            def do_DELETE(self) -> None:
                centre.hooks.pop(int(self.path.rpartition("-")[2]))
                self.send_response(204)
                self.end_headers()

            def answer(self, code: int, body: object) -> None:
                payload = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def statuses(self) -> list[str]:
        return [body["status"] for path, body in self.posts if path.endswith("/statuses")]


@pytest.fixture
def centre() -> Iterator[SmallCentre]:
    small = SmallCentre()
    yield small
    small.server.shutdown()
    small.server.server_close()


@pytest.fixture
def clock(tmp_path: Path) -> ClockOwner:
    return ClockOwner(tmp_path / "clock", MONDAY_NOON_MS)


class Outside:
    """One system outside as a child process that the test may kill and start again."""

    def __init__(self, module: str, centre: SmallCentre, tmp_path: Path, *more: str) -> None:
        token = tmp_path / "token"
        token.write_text("slt_test")
        (self.port,) = free_ports(1)
        self.argv = [
            sys.executable, "-m", f"simulator.outside.{module}", "--centre", centre.url, "--token-file", str(token), "--dir",
            str(tmp_path / module), "--port", str(self.port), "--clock-file", str(tmp_path / "clock"), *more,
        ]  # fmt: skip
        self.client = StatusClient(module, self.port)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.argv)
        until(lambda: self.client.get() is not None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(path)
        assert answer is not None
        return answer

    def quiet(self, now_ms: int) -> None:
        def reached() -> bool:
            status = self.client.get()
            return status is not None and status["backlog"] == 0 and status["now_ms"] >= now_ms

        until(reached)

    def post(self, event: dict[str, Any], secret: str = SECRET) -> int:
        body = json.dumps(event)
        now = datetime.now(UTC)
        headers = {
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(event["id"], now.replace(microsecond=0), body),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/webhook", body, headers)
            reply = connection.getresponse()
            reply.read()
            return reply.status
        finally:
            connection.close()


@contextmanager
def running(module: str, centre: SmallCentre, tmp_path: Path, *more: str) -> Iterator[Outside]:
    outside = Outside(module, centre, tmp_path, *more)
    try:
        until(lambda: bool(centre.hooks))
        outside.quiet(0)
        yield outside
    finally:
        outside.client.close()
        outside.process.send_signal(signal.SIGTERM)
        outside.process.wait(60)


def until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.01)


def trigger_event(trigger: str = "t-1", event_id: str = "e-1", **more: object) -> dict[str, Any]:
    data = {
        "trigger": trigger, "revision": 1, "supersedes": None, "store": "shop-1", "sku": "100", "gtin": "09521000000013",
        "quantity_units": 12, "lead_time_days": 1, **more,
    }  # fmt: skip
    return {"id": event_id, "type": "shelfloop.restock.trigger.v1", "data": data}


def coupon_event(kind: str = "issued", event_id: str = "c-1") -> dict[str, Any]:
    data = {
        "coupon": "cp-1", "member": "m-1", "store": "shop-1", "code": "ABC-12345-67890", "gtin": "09521000000013",
        "discount_cents": 50, "valid_until_ms": MONDAY_NOON_MS,
    }  # fmt: skip
    return {"id": event_id, "type": f"shelfloop.coupon.{kind}.v1", "data": data}


def test_a_trigger_becomes_one_order_and_one_lorry_at_the_delivery_hour(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    with running("replenisher", centre, tmp_path) as outside:
        assert outside.post(trigger_event()) == 200
        outside.quiet(MONDAY_NOON_MS)
        assert centre.statuses() == ["acknowledged", "ordered"]
        assert outside.get("/despatches?after=0")["rows"] == []
        clock.stand_at(MONDAY_NOON_MS + 14 * HOUR_MS)
        outside.quiet(MONDAY_NOON_MS + 14 * HOUR_MS)
        (lorry,) = outside.get("/despatches?after=0")["rows"]
        assert centre.statuses() == ["acknowledged", "ordered", "shipped"]
        assert centre.posts[-1][1]["despatch"] == lorry["despatch"]
        assert (lorry["quantity_units"], lorry["expected_units"]) == (12, 12)
        assert lorry["arrive_ms"] == MONDAY_NOON_MS + 13 * HOUR_MS
        assert outside.get(f"/despatches?after={lorry['n']}")["rows"] == []


def test_an_event_by_both_doors_many_times_and_over_kills_takes_effect_once(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    event = trigger_event()
    with running("replenisher", centre, tmp_path) as outside:
        assert outside.post(event) == 200
        outside.kill()
        centre.feed.append(event)
        outside.start()
        outside.quiet(MONDAY_NOON_MS)
        assert outside.post(event) == 200
        clock.stand_at(MONDAY_NOON_MS + 20 * HOUR_MS)
        outside.quiet(MONDAY_NOON_MS + 20 * HOUR_MS)
        outside.kill()
        outside.start()
        outside.quiet(MONDAY_NOON_MS + 20 * HOUR_MS)
        report = outside.get("/report")
        assert (report["triggers_consumed"], report["orders"], report["shipments"]) == (1, 1, 1)
        assert report["duplicates_in_effect"] == 0
        assert report["duplicates_dropped"] >= 1
        assert centre.statuses().count("shipped") == 1


def test_the_feed_alone_suffices(centre: SmallCentre, clock: ClockOwner, tmp_path: Path) -> None:
    del clock
    centre.feed.append(trigger_event())
    with running("replenisher", centre, tmp_path) as outside:
        outside.quiet(MONDAY_NOON_MS)
        assert outside.get("/report")["first_seen_by_feed"] == 1
        assert centre.statuses() == ["acknowledged", "ordered"]


def test_what_a_sleeping_centre_did_not_hear_is_said_again(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    del clock
    with running("replenisher", centre, tmp_path) as outside:
        centre.down = True
        assert outside.post(trigger_event()) == 200
        until(lambda: outside.get("/status")["backlog"] > 0)
        centre.down = False
        outside.quiet(MONDAY_NOON_MS)
        assert centre.statuses() == ["acknowledged", "ordered"]


def test_a_wrong_signature_is_refused_and_counted(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    del clock
    with running("replenisher", centre, tmp_path) as outside:
        assert outside.post(trigger_event(), secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAA") == 401
        report = outside.get("/report")
        assert (report["bad_signatures"], report["orders"]) == (1, 0)


def test_an_event_that_makes_no_sense_is_refused_and_the_next_one_is_taken(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    del clock
    nonsense = {"id": "e-0", "type": "shelfloop.restock.trigger.v1", "data": {}}
    with running("replenisher", centre, tmp_path) as outside:
        assert outside.post(nonsense) == 400
        assert outside.post(trigger_event()) == 200
        centre.feed.append(nonsense)
        centre.feed.append(trigger_event("t-2", "e-2"))
        until(lambda: outside.get("/report")["orders"] == 2)
        assert outside.get("/report")["malformed"] == 2


def test_a_cancelled_trigger_ships_nothing(centre: SmallCentre, clock: ClockOwner, tmp_path: Path) -> None:
    with running("replenisher", centre, tmp_path) as outside:
        outside.post(trigger_event())
        outside.post(
            {"id": "e-2", "type": "shelfloop.restock.cancelled.v1", "data": {"trigger": "t-1", "revision": 1}}
        )
        clock.stand_at(MONDAY_NOON_MS + 40 * HOUR_MS)
        outside.quiet(MONDAY_NOON_MS + 40 * HOUR_MS)
        assert outside.get("/despatches?after=0")["rows"] == []


def test_a_hand_order_is_placed_once_at_its_time_and_one_shipment_is_short(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    at_ms = MONDAY_NOON_MS + HOUR_MS
    order = {
        "order": "HAND-1", "store": "shop-1", "sku": "100", "gtin": "09521000000013", "quantity_units": 9, "at_ms": at_ms
    }  # fmt: skip
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "utc_offset_minutes": -300,
                "hand_orders": [order],
                "short_shipment": {"nth": 1, "missing_units": 2},
            }
        )
    )
    with running("replenisher", centre, tmp_path, "--plan", str(plan)) as outside:
        assert outside.get("/report")["hand_orders"] == 0
        clock.stand_at(at_ms)
        outside.quiet(at_ms)
        outside.kill()
        outside.start()
        clock.stand_at(at_ms + 30 * HOUR_MS)
        outside.quiet(at_ms + 30 * HOUR_MS)
        assert [path for path, _ in centre.posts] == ["/v1/orders"]
        (lorry,) = outside.get("/despatches?after=0")["rows"]
        assert (lorry["quantity_units"], lorry["expected_units"]) == (7, 9)
        # The shop's own delivery hour, six in the morning in its zone.
        assert lorry["arrive_ms"] == MONDAY_NOON_MS + 18 * HOUR_MS


def test_a_registration_without_its_secret_is_made_again(
    centre: SmallCentre, clock: ClockOwner, tmp_path: Path
) -> None:
    del clock
    with running("replenisher", centre, tmp_path) as outside:
        outside.kill()
        (tmp_path / "replenisher" / "notebook.sqlite3").unlink()
        outside.start()
        outside.quiet(MONDAY_NOON_MS)
        assert len(centre.hooks) == 1
        assert outside.post(trigger_event()) == 200


def test_a_coupon_lies_in_the_wallet_once(centre: SmallCentre, clock: ClockOwner, tmp_path: Path) -> None:
    del clock
    with running("member_app", centre, tmp_path) as outside:
        assert outside.post(coupon_event()) == 200
        outside.kill()
        outside.start()
        assert outside.post(coupon_event()) == 200
        assert outside.post(coupon_event("redeemed", "c-2")) == 200
        (row,) = outside.get("/wallet?after=0")["rows"]
        assert (row["member"], row["code"]) == ("m-1", "ABC-12345-67890")
        report = outside.get("/report")
        assert (report["issued"], report["redeemed"], report["duplicates_in_effect"]) == (1, 1, 0)


def test_outside_reads_the_same_clock(tmp_path: Path) -> None:
    owner = ClockOwner(tmp_path / "clock", 5)
    clock = BusinessClock(tmp_path / "clock")
    assert clock.now_ms() == 5
    owner.run_from(1000, 2.0)
    assert abs(clock.now_ms() - owner.now_ms()) < 500
    (tmp_path / "other").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="no clock file"):
        BusinessClock(tmp_path / "other")
