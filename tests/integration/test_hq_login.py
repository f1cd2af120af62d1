"""HQ's pages with log-in, over a real centre: nobody gets past the door, and each sees what the role sees."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from central_rig import STORE, CentreProcess, Gateway, kill_leftover
from central_rows import proposal, receipt
from free_ports import free_port
from hq_browser import chromium, keep_screenshot, wait_for
from test_central_access import OTHER, PASSWORD
from test_central_loop import set_up_store

from central import auth
from central.access import Reach
from central.settings import CentralSettings
from central.setup import make_link, put_person, remove_person
from hq import central_api
from hq.login import COOKIE


class Pages:
    def __init__(self, folder: Path, centre: CentreProcess) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "hq.toml"
        values = {"central_url": centre.url, "port": self.port, "clock_file": str(folder / "clock")}
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # systemd's side
        self.manager.bind(f"\0shelfloop-test-{self.port}")
        self.manager.settimeout(60)
        environ = {**os.environ, "NOTIFY_SOCKET": f"@shelfloop-test-{self.port}"}
        with (folder / "hq.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hq", "run", "--config", str(config)],
                stdout=log,
                stderr=log,
                env=environ,
            )
        centre.wait_until(self.is_up, 180)

    def is_up(self) -> bool:
        assert self.process.poll() is None
        try:
            return httpx.get(f"{self.url}/login", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, follow_redirects=False)

    def log_in(self, name: str, after: str = "/") -> httpx.Client:
        browser = self.browser()
        reply = browser.post("/login", data={"name": name, "password": PASSWORD, "next": after})
        assert (reply.status_code, reply.headers["location"]) == (303, after), reply.text
        return browser


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentreProcess]:
    process = CentreProcess(tmp_path_factory.mktemp("login"), auto_approve_below_cents=0)
    process.command("init")
    process.start()
    settings = CentralSettings.load(process.config)
    for store in (STORE, OTHER):
        set_up_store(process.client(), store=store)
        shop = Gateway(process, process.add_gateway(store, f"gw-{store}"), store=store, name=f"gw-{store}")
        shop.send(receipt(1), proposal(2))
    put_person(settings, "Planner", "hq", PASSWORD)
    put_person(settings, "Team", "store", PASSWORD, reach=Reach(stores=(STORE,)))
    yield process
    kill_leftover(process.process)


@pytest.fixture(scope="module")
def pages(centre: CentreProcess) -> Iterator[Pages]:
    pages = Pages(centre.folder, centre)
    yield pages
    kill_leftover(pages.process)
    pages.manager.close()


def test_the_service_manager_is_told_when_the_pages_are_ready(pages: Pages) -> None:
    assert pages.manager.recv(1000) == b"READY=1"


def test_a_stranger_gets_the_form_and_nothing_else(pages: Pages) -> None:
    browser = pages.browser()
    for path in (
        "/",
        "/restock?scope=x",
        "/fleet",
        "/export/orders.csv",
        "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
    ):
        reply = browser.get(path)
        assert (reply.status_code, reply.headers["location"].split("?")[0]) == (303, "/login"), path
    assert "%3Fscope%3Dx" in browser.get("/restock?scope=x").headers["location"]
    for forged in ("slp_" + "x" * 43, "x", "slt_x", ""):
        reply = httpx.get(pages.url, cookies={COOKIE: forged}, timeout=30)
        assert reply.status_code == 303, forged


def test_a_wrong_password_is_told_and_a_right_one_opens_the_page_that_was_asked_for(pages: Pages) -> None:
    wrong = pages.browser().post("/login", data={"name": "Planner", "password": "wrong wrong wrong"})
    assert (wrong.status_code, "name or password is wrong" in wrong.text) == (401, True)
    assert COOKIE not in wrong.cookies
    browser = pages.log_in("Planner", "/restock?scope=x")
    page = browser.get("/restock?scope=x")
    assert page.status_code == 200
    assert "Planner" in page.text
    assert "Log out" in page.text


def test_the_cookie_is_out_of_scripts_and_other_sites_reach(pages: Pages) -> None:
    reply = pages.browser().post("/login", data={"name": "Planner", "password": PASSWORD})
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    secure = httpx.post(
        f"{pages.url}/login", data={"name": "Planner", "password": PASSWORD}, timeout=30,
        headers={"X-Forwarded-Proto": "https"},
    )  # fmt: skip
    assert "secure" in secure.headers["set-cookie"].lower()
    foreign = pages.browser().post(
        "/login", data={"name": "Planner", "password": PASSWORD}, headers={"Origin": "http://evil.example"}
    )
    assert foreign.status_code == 403


def test_an_address_without_a_page_is_named_with_the_way_back(pages: Pages) -> None:
    reply = pages.log_in("Team").get("/restock/<b>nothing</b>")
    assert reply.status_code == 404
    assert "&lt;b&gt;nothing" in reply.text
    assert '<a href="/">' in reply.text


@pytest.mark.parametrize(
    "after", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/\r\nX: y"]
)
def test_a_log_in_leads_to_no_other_site(pages: Pages, after: str) -> None:
    code = httpx.get(f"{pages.url}/login", params={"next": after}, timeout=30).text
    assert 'name="next" value="/"' in code


def test_each_sees_the_shops_of_the_role(pages: Pages) -> None:
    planner, team = pages.log_in("Planner"), pages.log_in("Team")
    assert {STORE, OTHER} <= set(planner.get("/export/shops.csv").text.replace("\n", ",").split(","))
    assert OTHER not in team.get("/export/orders.csv").text + team.get("/export/shops.csv").text
    assert STORE in team.get("/export/shops.csv").text
    assert team.get(f"/export/orders.csv?store={OTHER}").status_code == 502


def test_a_log_out_ends_the_session_at_the_centre_too(pages: Pages, centre: CentreProcess) -> None:
    browser = pages.log_in("Planner")
    token = browser.cookies[COOKIE]
    assert browser.post("/logout").headers["location"] == "/login"
    assert COOKIE not in browser.cookies
    assert httpx.get(pages.url, cookies={COOKIE: token}, timeout=30).status_code == 303
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{centre.url}/v1/me", headers=bearer, timeout=30).status_code == 401


def test_a_one_time_link_opens_the_pages_once(pages: Pages, centre: CentreProcess) -> None:
    code = make_link(CentralSettings.load(centre.config), "Planner")
    browser = pages.browser()
    assert browser.get("/login", params={"link": code}).status_code == 303
    assert browser.get("/").status_code == 200
    assert browser.get("/login", params={"link": code}).headers["location"] == "/"  # it is in already
    again = pages.browser().get("/login", params={"link": code})
    assert (again.status_code, "used or expired" in again.text) == (401, True)


def test_who_is_removed_is_out_within_half_a_minute(pages: Pages, centre: CentreProcess) -> None:
    settings = CentralSettings.load(centre.config)
    put_person(settings, "Leaver", "hq", PASSWORD)
    browser = pages.log_in("Leaver")
    assert browser.get("/").status_code == 200
    remove_person(settings, "Leaver")
    centre.wait_until(lambda: browser.get("/").status_code == 303, 60)


def test_too_much_for_a_form_is_refused(pages: Pages) -> None:
    reply = pages.browser().post("/login", content=b"name=" + b"x" * 5_000)
    assert reply.status_code == 413


def test_the_prefix_of_sessions_is_the_centres() -> None:
    assert auth.SESSION_PREFIX == central_api.SESSION_PREFIX


def test_a_shops_team_sees_its_shop_in_a_browser_and_decides_under_the_name_of_the_log_in(
    pages: Pages, centre: CentreProcess, tmp_path: Path
) -> None:
    with chromium(tmp_path / "profile") as driver:
        driver.get(f"{pages.url}/restock")

        def text() -> str:
            return str(driver.execute_script("return document.body ? document.body.innerText : ''"))

        wait_for(lambda: "Log in" in text(), "the form")
        keep_screenshot(driver, "hq-log-in")
        driver.find_element("name", "name").send_keys("Team")
        driver.find_element("name", "password").send_keys(PASSWORD)
        driver.find_element("css selector", "button[type=submit]").click()
        wait_for(lambda: "Good 2" in text() and "Log out" in text(), "the order that waits")
        assert driver.current_url == f"{pages.url}/restock"
        driver.get(f"{pages.url}/fleet")
        wait_for(lambda: f"gw-{STORE}" in text(), "the shop's gateway")
        assert OTHER not in text()
        assert "At the centre's door" not in text()
        driver.get(f"{pages.url}/campaigns")
        wait_for(lambda: "Ask somebody whose role may do this" in text(), "why there are no campaigns")
        driver.get(pages.url)
        wait_for(lambda: "Log out" in text(), "the overview")
        driver.find_element("css selector", ".me-out").click()
        wait_for(lambda: "Password" in text(), "the form again")
    assert "Traceback" not in (centre.folder / "hq.log").read_text()
