"""`benchmarks/gateway.py` with a gateway that runs already, and with somebody else's sink: what an outsider would use."""

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "benchmarks" / "gateway.py")

pytestmark = pytest.mark.soak


@contextmanager
def held(*words: str) -> Iterator[dict[str, str]]:
    """`--serve` until the block ends, and what it printed: broker, status, centre, gateway."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--serve", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    alarm = threading.Timer(120, process.kill)
    alarm.start()
    assert process.stdout is not None
    try:
        told: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
            name, _, value = line.partition(" ")
            told[name] = value.strip()
        yield told
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        alarm.cancel()


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_gateway_that_runs_already_is_driven_and_measured_over_its_broker(tmp_path: Path) -> None:
    with held() as told:
        pid = int(re.findall(r"pid (\d+)", told["gateway"])[0])
        subprocess.run(
            [sys.executable, SCRIPT, "--broker", told["broker"], "--pid", str(pid), "--quick",
             "--only", "batched", "--json", str(tmp_path / "rows.json")],
            check=True, timeout=300, cwd=ROOT,
        )  # fmt: skip
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert rows["readings durable, 20 a message"]["value"] > 0
    assert rows["CPU for 100k readings, 20 a message"]["value"] > 0
    assert not is_alive(pid), "--serve left its gateway behind"


def test_what_the_gateway_sends_goes_to_somebody_elses_sink(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("slg_other")
    sink = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gateway_rig.sink", "60"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{int(sink.stdout.readline())}"
        with held("--upstream", url, "--key-file", str(key)) as told:
            assert told["centre"] == url
            with urllib.request.urlopen(url, timeout=10) as reply:
                assert json.load(reply)["rows"]["forecast"] > 0
    finally:
        sink.terminate()
        sink.wait(60)
