"""A gateway as its keepers see it: status, page, metrics, log of changes, and the quarantine sent again after a fix."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from edge_rig import START_MS, Broker, Centre, Gateway, Till, gtin, receipt, shop_documents, wait_for
from prometheus_client.parser import text_string_to_metric_families
from selenium import webdriver

from runtime.clock import ClockOwner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
LIMIT_S = 120


@pytest.fixture
def rig(tmp_path):
    with contextlib.ExitStack() as stack:

        class Rig:
            clock = ClockOwner(tmp_path / "clock", START_MS)
            broker = Broker(tmp_path)
            centre = Centre(documents=shop_documents())
            folder = tmp_path

        rig = Rig()
        stack.callback(rig.broker.stop)
        stack.callback(rig.centre.stop)
        rig.gateway = Gateway(tmp_path, rig.broker.port, rig.centre.port, clock_file=rig.clock.path)
        stack.callback(rig.gateway.stop)
        rig.till = Till(rig.broker.port)
        stack.callback(rig.till.stop)
        yield rig


def _is_well(rig):
    """No while it still turns callers away."""
    try:
        return _get(rig, "/healthz")[0] == 200
    except OSError:
        return False


def _get(rig, path):
    url = f"http://127.0.0.1:{rig.gateway.status_port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _edge(rig, *words):
    return subprocess.run(
        [sys.executable, "-m", "edge", words[0], "--config", str(rig.gateway.config), *words[1:]],
        capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip


def _told(rig, what):
    """Lines of the gateway's log with `what`."""
    return [line for line in (rig.folder / "edge.log").read_text().splitlines() if what in line]


def _problems(rig):
    """On a slow machine the first look at conditions may come before the broker's answer to the connection: that is told, too."""
    return [line for line in _told(rig, "a problem") if "condition=broker" not in line]


def test_without_the_centre_the_shop_sees_what_it_needs(rig):
    """No WAN from the first minute on: devices, last data, stock alerts, backlog, clock, versions."""
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("history"), "documents", LIMIT_S)
    shelf = Till(rig.broker.port, "shelf-1")
    try:
        rig.till.send("birth", keep=False, kind="till")
        shelf.send("birth", keep=False, kind="shelf")
        shelf.send("weight", keep=False, readings=[{"cell": "c-1", "weight_g": 2500.0, "stable": True}])
        wait_for(lambda: rig.gateway.status()["counters"].get("counted_total"), "the first weight", LIMIT_S)
        rig.centre.status = 503
        shelf.send("weight", keep=False, readings=[{"cell": "c-1", "weight_g": 0.0, "stable": True}])
        for number in range(1, 41):
            rig.till.send("receipt", START_MS, **receipt(number, [(gtin(2), 2, 100)]))
        wait_for(lambda: rig.till.stored_through >= 41, "the shop works alone", LIMIT_S)
        rig.clock.stand_at(START_MS + 45 * 60_000)
        wait_for(lambda: "empty" in _edge(rig, "status").stdout, "the stock alert", LIMIT_S)
        shown = _edge(rig, "status")
        assert shown.returncode == 0
        text = shown.stdout
        assert "Shop · gateway gw-1" in text
        assert "the centre answers 503" in text
        assert "the shop goes on alone" in text
        assert re.search(r"Waiting for the centre +[4-9]\d records", text)
        assert "2017-09-04 07:45:00 (Etc/GMT+5), a simulation's" in text
        assert re.search(r"^! .*Item 1.*empty", text, re.MULTILINE)
        assert re.search(r"till-1 +till +online +45 min ago +41", text)
        assert re.search(r"shelf-1 +shelf +online", text)
        assert re.search(r"Version +\d+\.\d+\.\d+", text)
        assert json.loads(_edge(rig, "status", "--json").stdout)["uplink"]["is_up"] is False
        status, body = _get(rig, "/healthz")
        assert status == 503
        assert "the centre answers 503" in json.loads(body)["problems"][0]
        _look_at_the_page(rig)
        rig.centre.status = 200
        wait_for(lambda: _get(rig, "/healthz")[0] == 200, "health", LIMIT_S)
    finally:
        shelf.stop()
    wait_for(lambda: len(_problems(rig)) == 2, "both lines", LIMIT_S)
    problems = _problems(rig)
    assert [("begins" in line, "condition=centre" in line) for line in problems] == [
        (True, True),
        (False, True),
    ]
    assert len(_told(rig, "empty-facing")) == 1


def _look_at_the_page(rig):
    """In a real browser, at a desk and on a phone."""
    options = webdriver.ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                   "--disable-background-networking", f"--user-data-dir={rig.folder / 'browser'}"):  # fmt: skip
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    try:
        for name, width, height in (("desk", 1200, 900), ("phone", 390, 844)):
            browser.set_window_size(width, height)
            browser.get(f"http://127.0.0.1:{rig.gateway.status_port}/")
            body = browser.find_element("tag name", "body").text
            for words in (
                "Somebody should look at this",
                "Item 1",
                "till-1",
                "shelf-1",
                "the shop goes on alone",
            ):
                assert words in body, body
            wide = browser.execute_script(
                "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide[0] <= wide[1], "nothing needs scrolling sideways"
            assert browser.execute_script("return document.scripts.length") == 0
            browser.save_screenshot(str(SCREENSHOTS / f"gateway-{name}.png"))
    finally:
        browser.quit()


def test_a_flood_of_names_makes_no_new_series(rig):
    rig.gateway.start()
    names = lambda: {  # noqa: E731 - asked twice
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(_get(rig, "/metrics")[1])
        for sample in family.samples
        if sample.labels
    }
    before = names()
    for number in range(300):
        body = {"device": f"d-{number}", "boot_id": "b", "seq": 1, "t_device_ms": 1, "kind": f"kind-{number}"}
        rig.till.client.publish(f"shelfloop/1/d-{number}/birth", json.dumps(body), qos=1)
        rig.till.client.publish(f"shelfloop/1/x-{number}/stream-{number}", b"{}", qos=1)
    wait_for(
        lambda: rig.gateway.status()["counters"].get("quarantined_total", 0) >= 300, "the flood", LIMIT_S
    )
    wait_for(lambda: len(rig.gateway.status()["devices"]) >= 300, "the devices", LIMIT_S)
    assert names() == before


def test_more_connections_than_there_is_room_for_leave_the_page_answering(rig):
    import socket

    rig.gateway.start()
    idle = [socket.create_connection(("127.0.0.1", rig.gateway.status_port)) for _ in range(80)]
    try:
        threads = len(list(Path(f"/proc/{rig.gateway.process.pid}/task").iterdir()))
        assert threads < 60
    finally:
        for each in idle:
            each.close()
    wait_for(lambda: _is_well(rig), "an answer", LIMIT_S)
    assert threading.active_count() < 60


def test_what_was_put_aside_is_sent_again_after_a_fix_and_counts_once(rig, monkeypatch):
    """A version that fails on adjustments, then one that does not; replays, resends and restarts in any order."""
    old = rig.folder / "old"
    old.mkdir()
    (old / "sitecustomize.py").write_text(
        "import contract.devices as d\n"
        "from contract.errors import MalformedMessageError\n"
        "newer = d.event_from_json\n"
        "def older(device, stream, payload):\n"
        "    if stream == 'adjustment':\n"
        "        raise MalformedMessageError('adjustment', 'this version has a fault')\n"
        "    return newer(device, stream, payload)\n"
        "d.event_from_json = older\n"
    )
    repo = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", f"{old}:{repo}")
    rig.gateway.start()
    wait_for(lambda: rig.gateway.status()["documents"].get("history"), "documents", LIMIT_S)
    rig.till.send("receipt", START_MS, **receipt(1, [(gtin(1), 1, 100)]))
    lost = {"gtin": gtin(1), "delta_units": -1, "place": "store", "reason": "damage"}
    for _ in range(25):
        rig.till.send("adjustment", START_MS, **lost)
    wait_for(lambda: rig.gateway.status()["quarantine_rows"] == 25, "the quarantine", LIMIT_S)
    wait_for(lambda: rig.till.stored_through == 26, "the till may forget them", LIMIT_S)
    assert _edge(rig, "dump", "--summary").stdout.split()[:3] == ["25", "till-1", "adjustment"]
    assert len(_edge(rig, "dump", "--source", "till-1").stdout.splitlines()) == 25
    assert _edge(rig, "dump", "--source", "till-2").stdout == ""
    # Too early: they come back.
    assert "sent 25 messages" in _edge(rig, "replay").stdout
    wait_for(lambda: rig.gateway.status()["quarantine_rows"] == 50, "all of them again", LIMIT_S)
    rig.gateway.stop()
    monkeypatch.setenv("PYTHONPATH", repo)
    rig.gateway.start()
    for _ in range(2):
        assert "sent 50 messages" in _edge(rig, "replay").stdout
    rig.gateway.kill()
    rig.gateway.start()
    _edge(rig, "replay")
    for stream, event in (("receipt", receipt(1, [(gtin(1), 1, 100)])), ("adjustment", lost)):
        # What the till said before everything, once more: its own boot is still known.
        body = {"device": "till-1", "boot_id": "boot-1", "seq": 1 if stream == "receipt" else 2, "kept_from_seq": 1,
                "t_device_ms": 1, "t_event_ms": START_MS, "clock_quality": "synced", **event}  # fmt: skip
        rig.till.client.publish(f"shelfloop/1/till-1/{stream}", json.dumps(body), qos=1)
    wait_for(lambda: rig.gateway.status()["counters"].get("duplicates_total", 0) >= 2, "duplicates", LIMIT_S)
    wait_for(rig.gateway.rests, "rest", LIMIT_S)
    facts = [row for row in rig.centre.of_kind("stock_fact") if row.fact == "adjustment"]
    assert sum(row.units for row in facts) == -25
    assert len(rig.centre.of_kind("receipt")) == 1
    counted = rig.gateway.status()["counters"]
    assert counted["receipts_total"] == 1
