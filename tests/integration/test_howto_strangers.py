"""docs/howto/: the strangers' doors of our centre, followed as they are written."""

import json
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from howto_runner import BIN, PAGES, SHOPS_ZONE, HowtoRun, howto
from selenium import webdriver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CENTRE = "http://127.0.0.1:8700"
WAIT_S = 60


def _ask(folder: Path, path: str, token: str = "hq.token") -> Any:
    secret = (folder / token).read_text().strip()
    request = urllib.request.Request(f"{CENTRE}{path}", headers={"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _page_shows(url: str, words: tuple[str, ...], profile: Path) -> str:
    """The page's text once it shows all `words`, in a real browser that reaches this machine only."""
    options = webdriver.ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}"):  # fmt: skip
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(url)
        body = ""
        deadline = time.monotonic() + WAIT_S
        while not all(word in body for word in words):
            assert time.monotonic() < deadline, f"{url} shows no {words} but\n{body}"
            time.sleep(0.2)
            body = browser.find_element("tag name", "body").text
        return body
    finally:
        browser.quit()


def _centre(run: HowtoRun) -> None:
    run.follow("central.md")


def test_a_strangers_gateway_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    with howto(tmp_path) as run:
        _centre(run)
        printed = run.follow("gateway-in-50-lines.md")
        assert "all sales are at the centre" in printed[0]
        assert "rejected" not in "".join(printed)
        sku = _ask(tmp_path, "/v1/stores/store-1/skus/4011")
        assert sku["sold_today_units"] == 25
        ledger = _ask(tmp_path, "/v1/stores/store-1")
        assert (ledger["receipts"], ledger["units"], ledger["cents"]) == (25, 25, 25 * 199)


def test_a_strangers_gateway_and_a_centre_that_is_killed_agree_in_the_end(tmp_path: Path) -> None:
    """Rows are sent again after a lost reply: the outbox is put back as it was before the acknowledgement."""
    with howto(tmp_path) as run:
        _centre(run)
        run.follow("gateway-in-50-lines.md", upto="Try to break it")
        with sqlite3.connect(tmp_path / "gateway.sqlite3") as db:
            line = {"kind": "sale", "gtin": "9521234567899", "sku": "4011", "quantity_units": 1,
                    "unit_price_cents": 199, "extended_cents": 199}  # fmt: skip
            receipt = {"at_ms": int(time.time() * 1000), "register_id": "till-9", "business_date": f"{datetime.now(SHOPS_ZONE):%Y-%m-%d}",
                       "sequence": 20, "clock_quality": "synced", "total_cents": 199, "member": None, "lines": [line]}  # fmt: skip
            db.execute("INSERT INTO outbox VALUES (20, ?)", (json.dumps(receipt),))
        run.run("TZ=Europe/Berlin python3 gateway.py 21 22")
        assert _ask(tmp_path, "/v1/stores/store-1")["receipts"] == 22


def test_a_till_and_a_shelf_by_mosquitto_pub_show_at_hq(tmp_path: Path) -> None:
    with howto(tmp_path) as run:
        _centre(run)
        run.follow("gateway.md")
        printed = run.follow("till-and-shelf-by-mosquitto-pub.md")
        assert '{"boot_id":"b1","through_seq":1}' in "".join(printed)
        sku = _ask(tmp_path, "/v1/stores/store-1/skus/4011")
        assert (sku["sold_today_units"], sku["on_shelf_units"], sku["on_hand_units"]) == (2, 8, 23)
        quarantined = _ask(tmp_path, "/v1/quarantine")["rows"]
        assert any(row["source"] == "till-1" and row["reason"] for row in quarantined)
        sku_page = "http://127.0.0.1:8702/shops/store-1/skus/4011"
        _page_shows(
            sku_page,
            ("Bananas", "Market Street", "On hand\n23\n8 on the shelf", "Sold today\n2"),
            tmp_path / "browser",
        )
        doctor = run.run("shelfloop doctor --central central.toml --edge edge.toml --hq hq.toml || true")
        assert "fail " not in doctor, doctor


def test_a_replenishment_system_connects_by_its_page_from_top_to_bottom(tmp_path: Path) -> None:
    with howto(tmp_path) as run:
        _centre(run)
        printed = run.follow("integrator.md")
        feed = json.loads((tmp_path / "feed.json").read_text())
        (row,) = feed["rows"]
        assert row["event"]["type"] == "shelfloop.restock.trigger.v1"
        assert row["event"]["data"]["quantity_units"] == 24
        assert feed["next"] == row["position"]
        trigger = _ask(tmp_path, f"/v1/triggers/{row['event']['data']['trigger']}", "system.token")
        assert trigger["state"] == "shipped", "a late `acknowledged` must not move it back"
        assert trigger["despatch"] == "D-1001"
        units = _ask(tmp_path, "/v1/stores/store-1/skus/4011")["on_order_units"]
        assert units == 24 + 10, "12 were ordered by hand, and the delivery note says that 10 come"
        assert printed[-2].splitlines()[-1] == "1", "one event, one effect"
        with sqlite3.connect(tmp_path / "received.sqlite3") as db:
            ((identity, body),) = db.execute("SELECT * FROM event").fetchall()
        assert json.loads(body)["id"] == row["event"]["id"] == identity
        with sqlite3.connect(tmp_path / "erp.sqlite3") as db:
            events, ((place,),) = (
                db.execute("SELECT id FROM event").fetchall(),
                db.execute("SELECT * FROM cursor"),
            )
        assert (events, place) == ([(identity,)], feed["next"])
        said = "\n".join(printed)
        assert json.loads(printed[0])["scope"] == "system"
        assert "401" in said.splitlines(), "a post that nobody signed"
        (refused,) = (json.loads(line) for line in said.splitlines() if '"rejected_total":1' in line)
        assert refused["rejected"][0]["column"] == "cutoff_minute"
        problem = json.loads(next(line for line in said.splitlines() if '"status":422' in line))
        assert "quantity_units" in problem["detail"]


def test_hq_opens_by_its_page(tmp_path: Path) -> None:
    with howto(tmp_path) as run:
        _centre(run)
        printed = run.follow("hq.md")
        code = printed[-1].split()[-1]
        _page_shows(f"http://127.0.0.1:8702/login?link={code}", ("Market Street",), tmp_path / "browser")


def test_the_demo_knows_every_option_that_its_page_names() -> None:
    page = (PAGES / "demo.md").read_text(encoding="utf-8")
    help_text = "".join(
        subprocess.run(
            [BIN / "shelfloop", *words, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for words in (["demo"], ["simulate", "fleet"], ["central", "person", "link"])
    )
    named = set(re.findall(r"(--[a-z][a-z-]*)", page))
    assert len(named) > 5
    assert {option for option in named if option not in help_text} == set()
