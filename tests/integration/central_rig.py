"""A real centre on free loopback ports, a gateway that speaks to it, and a webhook receiver with a will of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from free_ports import free_port

from central.settings import CentralSettings
from central.setup import add_gateway, create_token
from contract.batch import BatchReceipt, batch_from_records
from contract.codec import batch_receipt_from_bytes, batch_to_bytes
from contract.records import Record
from runtime.clock import ClockOwner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "central"))
# So that tests here may import central_rows, which the unit tests own.

START_MS = 1_504_526_400_000
"""2017-09-04 12:00 UTC: a Monday morning in New York."""
STORE, GATEWAY = "store-1", "gw-1"
LOOK_S = 0.01


class CentreProcess:
    """A centre that a test may stop, kill and start again on the same folder and ports."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.port, self.status_port = free_port(), free_port()
        self.clock = ClockOwner(folder / "clock", START_MS)
        values: dict[str, object] = {
            "state_dir": str(folder / "state"), "port": self.port, "status_port": self.status_port,
            "clock_file": str(folder / "clock"), "allow_private_webhooks": True, "retry_schedule_s": [0.0, 0.1, 0.3, 1.0],
            "webhook_timeout_s": 30.0, **settings,
        }  # fmt: skip
        self.config = folder / "central.toml"
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}

    def command(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "central", *words, "--config", str(self.config)],
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return (done.stdout if code == 0 else done.stderr).strip()

    def token(self, scope: str) -> str:
        if scope not in self._tokens:
            self._tokens[scope] = create_token(CentralSettings.load(self.config), scope, f"the {scope}")
        return self._tokens[scope]

    def add_gateway(self, store: str = STORE, gateway: str = GATEWAY) -> str:
        return add_gateway(CentralSettings.load(self.config), store, gateway)

    def client(self, scope: str = "admin") -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token(scope)}"}, timeout=30
        )

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "central", "run", "--config", str(self.config)], stdout=log, stderr=log
            )
        self.wait_until(self.is_up, 180)

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def status(self) -> dict[str, Any]:
        """Waits for it: on a busy machine a try may find nobody within its five seconds."""
        answers: list[dict[str, Any]] = []

        def answered() -> bool:
            assert self.process is None or self.process.poll() is None, (self.folder / "log").read_text()[
                -3000:
            ]
            try:
                answers.append(httpx.get(f"http://127.0.0.1:{self.status_port}/status", timeout=5).json())
            except httpx.HTTPError:
                return False
            return True

        self.wait_until(answered)
        return answers[0]

    def advance_to(self, now_ms: int) -> None:
        """Sets the shop's time and waits until the centre has done what that brings."""
        self.clock.stand_at(now_ms)
        self.wait_until(lambda: self.status()["now_ms"] >= now_ms)

    def wait_quiet(self) -> None:
        self.wait_until(lambda: self.status()["backlog"] == 0)

    @staticmethod
    def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
        """Counts its own looks: whoever stops this test and its processes for a while does not make it fail."""
        for _ in range(int(seconds / LOOK_S)):
            if true():
                return
            time.sleep(LOOK_S)
        raise AssertionError(f"not within {seconds} s")

    def peak_rss_mb(self) -> float:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@dataclass
class Gateway:
    """Sends rows as one epoch; `seq` of the rows is given here."""

    centre: CentreProcess
    key: str
    store: str = STORE
    name: str = GATEWAY
    epoch: str = "epoch-1"
    seq: int = 0
    have: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.centre.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30
        )

    def numbered(self, rows: Sequence[Record]) -> list[Record]:
        numbered = [row.model_copy(update={"seq": self.seq + place}) for place, row in enumerate(rows, 1)]
        self.seq += len(rows)
        return numbered

    def body(self, rows: Sequence[Record], **update: object) -> bytes:
        """Of rows that have their seq already."""
        batch = batch_from_records(
            gateway=self.name, store=self.store, epoch=self.epoch, sent_at_ms=self.centre.clock.now_ms(),
            have=self.have, rows=rows,
        )  # fmt: skip
        return batch_to_bytes(batch.model_copy(update=update))

    def post(self, body: bytes, encoding: str = "zstd") -> httpx.Response:
        headers = {"Content-Encoding": encoding} if encoding else {}
        return self.http.post(f"/v1/gateways/{self.name}/batches", content=body, headers=headers)

    def send(self, *rows: Record) -> BatchReceipt:
        """New rows, acknowledged. Takes the documents that come back as a gateway does."""
        reply = self.post(self.body(self.numbered(rows)))
        assert reply.status_code == 200, reply.text
        receipt = batch_receipt_from_bytes(reply.content)
        self.have.update({document.kind: document.version for document in receipt.documents})
        return receipt


class Receiver:
    """A webhook receiver. `answers`: statuses (or (status, headers)) of the next calls, then 200. It answers while `may_answer`."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.delay_s = 0.0
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    self.close_connection = True  # its sender was killed between the head and the body
                    return
                outer.asked += 1
                time.sleep(outer.delay_s)
                outer.may_answer.wait(120)
                outer.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                answer = outer.answers.pop(0) if outer.answers else 200
                status, headers = (answer, {}) if isinstance(answer, int) else answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Calls are kept, not printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def running(process: CentreProcess) -> Iterator[CentreProcess]:
    """`process`, initialised and started, for a fixture; that it ends in order is part of a test that passed."""
    process.command("init")
    process.start()
    yield process
    if sys.exc_info()[0] is None:
        process.stop()
    kill_leftover(process.process)


def kill_leftover(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
