"""Real time-series servers of Debian's packages, each on free loopback ports and a folder of its own."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from free_ports import free_port

INFLUXD = shutil.which("influxd") or "/usr/bin/influxd"
VICTORIA = shutil.which("victoria-metrics") or "/usr/bin/victoria-metrics"
START_S = 60.0


class SeriesServer:
    """kind: as in the setting influx_server."""

    kind = ""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{self.kind} does not answer after {START_S} s"
            time.sleep(0.05)

    def command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ping", timeout=2).status_code in (200, 204)
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None


class InfluxDb1(SeriesServer):
    kind = "influxdb-1"

    def command(self) -> list[str]:
        folder = self.folder
        config = folder / "influxdb.conf"
        config.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
log-enabled = false
"""
        )
        return [INFLUXD, "-config", str(config)]


class VictoriaMetrics(SeriesServer):
    """As docs/howto/time-series.md runs it: 20 years are kept."""

    kind = "victoria-metrics"

    def command(self) -> list[str]:
        return [
            VICTORIA, f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=20y", "-memory.allowedBytes=200MB",
            "-loggerLevel=WARN",
        ]  # fmt: skip


SERVERS = {server.kind: server for server in (InfluxDb1, VictoriaMetrics)}
_PROGRAMS = {"influxdb-1": INFLUXD, "victoria-metrics": VICTORIA}


def series_server(kind: str, folder: Path) -> SeriesServer:
    """A running one; kill it. Skips, loudly, where the program is not installed."""
    if not Path(_PROGRAMS[kind]).exists():
        pytest.skip(
            f"{_PROGRAMS[kind]} is missing: `make system-packages` installs it; {kind} IS NOT TESTED HERE"
        )
    return SERVERS[kind](folder)


def influxql(url: str, database: str, query: str) -> list[dict[str, object]]:
    """Rows of a query, each as column to value, with the series' tags: asked without any code of ours."""
    reply = httpx.get(f"{url}/query", params={"db": database, "q": query, "epoch": "ms"}, timeout=30)
    result = json.loads(reply.text)["results"][0]
    assert "error" not in result, f"{query}: {result}"
    return [
        {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
        for series in result.get("series", [])
        for values in series["values"]
    ]


def promql(url: str, query: str, from_s: float, to_s: float, step_s: int) -> list[dict[str, object]]:
    """Samples of a range query, each with its labels."""
    params = {"query": query, "start": from_s, "end": to_s, "step": step_s}
    reply = httpx.get(f"{url}/api/v1/query_range", params=params, timeout=30)
    answer = json.loads(reply.text)
    assert answer["status"] == "success", f"{query}: {reply.text[:300]}"
    return [
        {**series["metric"], "at_s": at_s, "value": float(value)}
        for series in answer["data"]["result"]
        for at_s, value in series["values"]
    ]
