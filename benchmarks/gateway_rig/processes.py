"""Real processes of a measurement, and what the kernel says they cost."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1_048_576


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, within_s: float = 60.0, every_s: float = 0.02) -> Any:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(every_s)
    raise SystemExit(f"waited {within_s:.0f} s in vain for {what}")


@dataclass(frozen=True, slots=True)
class Cost:
    cpu_s: float
    rss_mb: float
    peak_rss_mb: float
    written_bytes: int


def cost_of(pid: int) -> Cost:
    """What process `pid` has cost since its start. written_bytes: what it caused to be sent to the disk."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return Cost(
        (int(stat[11]) + int(stat[12])) / TICKS,
        int(status["VmRSS"].split()[0]) / 1024,
        int(status["VmHWM"].split()[0]) / 1024,
        int(io["write_bytes"]),
    )


def python(module: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT, text=True, **options)


def stop(process: subprocess.Popen[str] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Broker:
    """Mosquitto with the queue limits that `deploy/mosquitto` sets; nothing saved, so that the disk is the gateway's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        conf = folder / "mosquitto.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n"
            "max_queued_bytes 512000000\nmax_inflight_messages 1000\n"
        )
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SystemExit("mosquitto is not installed: apt-get install mosquitto")
        self.process = subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.DEVNULL, text=True)
        wait_for(self._answers, "the broker")

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        stop(self.process)


class SinkCentre:
    def __init__(self, skus: int) -> None:
        self.process = python("benchmarks.gateway_rig.sink", str(skus), stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def told(self) -> dict[str, Any]:
        return _json_from(self.url)

    def stop(self) -> None:
        stop(self.process)


class Gateway:
    """The real `shelfloop edge`, with the settings it has in a shop but for its addresses."""

    def __init__(
        self, folder: Path, broker_port: int, central_url: str, key: str = "slg_bench", **more: Any
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "key").write_text(key)
        self.status_port = free_port()
        settings = {
            "gateway": "gw-1", "store": "store-1", "state_dir": str(folder / "state"), "broker_port": broker_port,
            "central_url": central_url, "key_file": str(folder / "key"), "status_port": self.status_port, **more,
        }  # fmt: skip
        self.config = folder / "edge.toml"
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, documents: int = 6) -> "Gateway":
        log = (self.folder / "edge.log").open("a")
        self.process = python("edge", "run", "--config", str(self.config), stderr=log)
        wait_for(
            lambda: (s := self.status()) and not s["problems"] and len(s["documents"]) >= documents and not s["backlog"],
            f"the gateway, see {log.name}", 60,
        )  # fmt: skip
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def cost(self) -> Cost:
        return cost_of(self.pid)

    def status(self) -> dict[str, Any] | None:
        if self.process is not None and self.process.poll() is not None:
            raise SystemExit((self.folder / "edge.log").read_text()[-3000:])
        try:
            return _json_from(f"http://127.0.0.1:{self.status_port}/status")
        except OSError:
            return None

    def stop(self) -> None:
        stop(self.process)


class Load:
    """A publisher process: made, rendered and connected by the constructor, off by `go`."""

    def __init__(self, port: int, workload: str, messages: int, **more: Any) -> None:
        self.process = python(
            "benchmarks.gateway_rig.publisher", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        spec = {"port": port, "workload": workload, "messages": messages, **more}
        self.process.stdin.write(json.dumps(spec) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the publisher could not connect, see above")

    def go(self) -> float:
        """The moment of its start."""
        assert self.process.stdin is not None
        started = time.monotonic()
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return started

    def result(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        stop(self.process)
        if not text:
            raise SystemExit("the publisher died, see above")
        found: dict[str, Any] = json.loads(text)
        return found


def _json_from(url: str, within_s: float = 5.0) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=within_s) as reply:
        value: dict[str, Any] = json.load(reply)
        return value


def folder_for(name: str) -> Path:
    """An empty folder under var/, on the disk that a gateway would have."""
    path = ROOT / "var" / "bench-gateway" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
