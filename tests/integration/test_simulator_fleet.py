"""The fleet as its user runs it: made in a ledger, sent to a centre, sent again, and told what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from central_rig import CentreProcess, kill_leftover


def _fleet(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "simulate", "fleet", *words], capture_output=True, text=True, check=False, timeout=300
    )  # fmt: skip


def test_a_fleet_is_made_and_sends_and_every_row_of_it_is_in_the_ledger(tmp_path: Path) -> None:
    keys = tmp_path / "fleet.json"
    centre = CentreProcess(tmp_path)
    centre.command("init")
    made = _fleet("--keys", str(keys), "--add", "5", "--config", str(centre.config))
    assert (made.returncode, made.stderr) == (0, "")
    assert keys.stat().st_mode & 0o077 == 0
    centre.start()
    try:
        words = (
            "--keys",
            str(keys),
            "--port",
            str(centre.port),
            "--period",
            "0.5",
            "--rows",
            "4",
            "--seconds",
            "1",
        )
        for turn in (1, 2):
            sent = _fleet(*words, "--connections", "3")
            assert sent.returncode == 0, sent.stderr
            assert "10 batches" in sent.stdout
            assert "not acknowledged: 0" in sent.stdout
            assert [row["through_seq"] for row in json.loads(keys.read_text())] == [turn * 8] * 5
        positions = centre.client("hq").get("/v1/gateways").json()["rows"]
        assert {row["gateway"] for row in positions} == {
            row["gateway"] for row in json.loads(keys.read_text())
        }
    finally:
        kill_leftover(centre.process)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say --port P"),
        (("--add", "3"), "needs --config"),
        (("--port", "9"), "fleet.json"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = _fleet("--keys", str(tmp_path / "fleet.json"), *words)
    assert done.returncode == 78
    assert told in done.stderr


def test_a_file_that_is_no_fleet_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "fleet.json"
    keys.write_text('[{"name": "x"}]')
    done = _fleet("--keys", str(keys), "--port", "9")
    assert (done.returncode, "is no fleet" in done.stderr) == (78, True)
    again = _fleet("--keys", str(keys), "--add", "1", "--config", "x")
    assert (again.returncode, "there already" in again.stderr) == (78, True)
