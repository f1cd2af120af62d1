"""The whole line of data, as a user runs it: real processes, real wires, the books at the end."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from demo_runs import DemoRun, demo_argv, processes_of, run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RSS_LIMIT_MB = {"edge": 120.0}
RSS_LIMIT_OTHERS_MB = 200.0


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """Long enough for a lorry to arrive, for a return, and for what staff do once: count, swap, write off."""
    return run_demo(tmp_path_factory.mktemp("three-days"), "--days", "3", "--stores", "1")


def test_a_demo_ends_with_balanced_books(three_days: DemoRun) -> None:
    assert three_days.status == 0, three_days.output
    assert three_days.report["balanced"] is True
    assert three_days.report["unbalanced"] == []
    assert three_days.report["declared_gaps"] == 0


def test_tills_and_ledger_agree_to_the_unit_and_the_cent(three_days: DemoRun) -> None:
    for name in ("receipts", "lines", "units", "cents"):
        assert three_days.report[name]["tills"] == three_days.report[name]["ledger"] > 0, name


def test_hands_and_gateway_agree_on_the_cells(three_days: DemoRun) -> None:
    cells = three_days.report["cells"]
    assert cells["units_taken"] > 100
    assert abs(cells["units_taken"] - cells["picks_counted"]) <= cells["unresolved"]
    assert cells["unresolved"] <= 0.02 * cells["units_taken"]


def test_every_trigger_reached_the_consumer_once(three_days: DemoRun) -> None:
    triggers = three_days.report["triggers"]
    assert triggers["created"] > 0
    assert triggers["consumed"] == triggers["dispatched"] > 0
    assert triggers["duplicates_in_effect"] == 0


def test_coupons_are_issued_and_redeemed(three_days: DemoRun) -> None:
    assert three_days.report["coupons"]["issued"] > 0
    assert three_days.report["coupons"]["redeemed"] > 0


@pytest.mark.parametrize(
    "what",
    ["opening_counts", "stocktakes", "damages", "short_deliveries", "hand_orders", "swapped_facings"],
)
def test_what_befalls_a_shop_befalls_the_demo(three_days: DemoRun, what: str) -> None:
    assert three_days.report["happened"][what] > 0


def test_every_lorry_is_in_the_ledger(three_days: DemoRun) -> None:
    deliveries = three_days.report["deliveries"]
    assert deliveries["in_ledger"] == deliveries["taken_in"] >= deliveries["due"] > 0


def test_no_process_grew_beyond_its_limit(three_days: DemoRun) -> None:
    # The receipts' preparation runs once and ends before the shops open.
    peaks = {name: mb for name, mb in three_days.report["peak_rss_mb"].items() if name != "journey"}
    assert peaks
    for name, mb in peaks.items():
        assert mb < RSS_LIMIT_MB.get(name.rpartition("-")[0], RSS_LIMIT_OTHERS_MB), name


def test_nobody_died_and_nobody_is_left(three_days: DemoRun) -> None:
    assert three_days.report["unordered_deaths"] == {}
    assert three_days.left_over == []


def test_the_report_is_explained_key_by_key(three_days: DemoRun) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/howto/demo.md").read_text()
    assert [key for key in three_days.report if f"`{key}`" not in page] == []


def let_in_once(pages: str, link: str) -> None:
    """Nothing is open without the printed link, which lets one browser in, and nobody after it."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{pages}login", timeout=30)
            break
        time.sleep(0.1)
    assert httpx.get(pages, timeout=30).headers["location"] == "/login"
    with httpx.Client(base_url=pages, timeout=30) as browser:
        assert browser.get(link).headers["location"] == "/"
        assert browser.get("/").status_code == 200
        assert browser.get(link).headers["location"] == "/"  # once more in the same browser: it is in already
    assert httpx.get(pages + link, timeout=30).status_code == 401


def read_feed_by_the_page(folder: Path) -> None:
    """The last part of docs/howto/integrator.md, against this demo."""
    page = (Path(__file__).resolve().parents[2] / "docs/howto/integrator.md").read_text()
    (script,) = re.findall(r"^```bash demo.sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["next"] >= 0


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    keep = tmp_path / "demo"
    demo = subprocess.Popen(
        demo_argv(keep, "--days", "1", "--stores", "1", "--speed", "600"), stdout=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    with demo.stdout:
        for line in demo.stdout:
            if found := re.search(r"HQ's page: (http://127\.0\.0\.1:\d+/)(login\?link=\S+)", line):
                let_in_once(*found.groups())
                read_feed_by_the_page(tmp_path)
                break
        else:
            pytest.fail("the demo never gave HQ's address")
        assert len(processes_of(keep)) > 5
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert demo.wait(60) == 0, rest
    assert processes_of(keep) == []


def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    keep = tmp_path / "demo"
    demo = subprocess.Popen(
        demo_argv(keep, "--days", "1", "--stores", "1", "--speed", "600"), stdout=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    with demo.stdout:
        assert any("HQ's page" in line for line in demo.stdout)
        os.kill(demo.pid, signal.SIGKILL)
        demo.wait()
    deadline_s = time.monotonic() + 60
    while processes_of(keep):
        assert time.monotonic() < deadline_s, processes_of(keep)
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--days", "0"], "0 is not between 1 and 100"),
        (["--speed", "fast"], "neither a number nor `max`"),
        (["--stores", "x"], "no whole number"),
        (["--chaos", "1"], "--chaos needs --speed max"),
    ],
)
def test_an_argument_that_cannot_work_is_named(tmp_path: Path, words: list[str], reason: str) -> None:
    done = subprocess.run(
        demo_argv(tmp_path / "demo", *words), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode in (2, 78)
    assert reason in done.stderr


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    done = subprocess.run(demo_argv(tmp_path), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 78
    assert "not empty" in done.stdout
    assert (tmp_path / "precious").exists()


def test_the_broker_that_pip_brings_will_do(tmp_path: Path) -> None:
    run = run_demo(tmp_path, "--days", "1", "--stores", "1", "--broker", "iotcore")
    assert run.status == 0, run.output
    assert run.report["broker"] == "iotcore"
    assert "for demos and quick tests only" in run.output
    assert run.left_over == []
