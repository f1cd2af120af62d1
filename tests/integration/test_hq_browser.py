"""HQ's pages in headless Chromium: every chart has something in it, people can act, failures are told."""

import re
import sys
from pathlib import Path

import pytest
from hq_browser import (
    CHARTS_JS,
    DESK,
    FITS_JS,
    PHONE,
    HqProcess,
    chromium,
    keep_screenshot,
    set_size,
    wait_for,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "hq"))

from fake_central import FakeCentral
from fake_rows import rollout_view
from fake_shops import NOW_MS, TOKEN
from hq_rig import serving

from contract.api.restock import TriggerState

OURS, OK, FORECAST_80, ERROR = 0x0072B2, 0x009E73, None, 0xD55E00


class Rig:
    """The fake centre, HQ's process and the browser, as one reader sees them."""

    def __init__(self, fake, hq, driver):
        self.fake, self.hq, self.driver = fake, hq, driver

    def open(self, path, size=DESK):
        set_size(self.driver, size)
        self.driver.get_log("browser")
        self.driver.get(self.hq.url + path)

    def text(self):
        return self.driver.execute_script("return document.body ? document.body.innerText : ''")

    def wait(self, condition, what):
        """Tells the page's text, what stands in its fields and the process's log where it fails."""
        return wait_for(condition, what, told=self.told)

    def told(self):
        fields = "return [...document.querySelectorAll('input')].map((el) => el.value)"
        return f"{self.text()}\n{self.driver.execute_script(fields)}\n{self.hq.log()[-2000:]}"

    def see(self, text):
        self.wait(lambda: text in self.text(), f"{text!r} on the page")

    def loaded(self):
        self.wait(
            lambda: self.driver.execute_script(
                "return !document.querySelector('.skeleton') && !!document.querySelector('.live-content > *')"
            ),
            "content",
        )

    def charts(self):
        """Of one moment in which each is drawn."""
        (now,) = self.wait(
            lambda: [now for now in [self.driver.execute_script(CHARTS_JS)] if now is not None],
            "drawn charts",
        )
        return now

    def chart(self):
        """The one with pixels and bars."""
        return self.wait(
            lambda: next(
                (one for one in self.charts() if one["painted"] > 500 and OURS in one["colours"]), None
            ),
            "a painted chart with a bar",
        )

    def fits(self):
        self.wait(lambda: self.driver.execute_script(FITS_JS), "nothing to stand beside the page")

    def click(self, text, within="body"):
        script = """const all = [...document.querySelectorAll(arguments[1] + ' button, ' + arguments[1] + ' a')];
            const found = all.filter((el) => el.innerText.trim() === arguments[0] && el.offsetParent && !el.disabled);
            if (!found.length) return false; found[arguments[1] === '.dialog' ? found.length - 1 : 0].click(); return true;"""
        self.wait(
            lambda: self.driver.execute_script(script, text, within), f"something called {text!r} to click"
        )

    def dialog_gone(self):
        """A dialog that fades out still has its buttons; the server no longer hears them."""
        gone = "return !document.querySelector('.dialog')"
        self.wait(lambda: self.driver.execute_script(gone), "the dialog to be gone")

    def fill(self, label, text):
        script = """const found = [...document.querySelectorAll('.dialog .q-field')].filter((el) => el.innerText.includes(arguments[0])).pop();
            if (!found) return false; const input = found.querySelector('input'); input.focus();
            input.value = arguments[1]; input.dispatchEvent(new Event('input', {bubbles: true})); return true;"""
        self.wait(lambda: self.driver.execute_script(script, label, text), f"a field called {label!r}")

    def severe(self):
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def centre():
    fake = FakeCentral(no_store=True)
    with serving(fake) as url:
        yield fake, url


@pytest.fixture(scope="module")
def hq(centre, tmp_path_factory):
    yield from running(HqProcess(tmp_path_factory.mktemp("hq"), centre[1], TOKEN, undo_s=1.0))


@pytest.fixture(scope="module")
def patient_hq(centre, tmp_path_factory):
    """Leaves a reader on a slow machine all the time to take back what was decided."""
    yield from running(HqProcess(tmp_path_factory.mktemp("patient-hq"), centre[1], TOKEN, undo_s=60.0))


def running(process):
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log()
    assert not (process.folder / ".nicegui").exists()


@pytest.fixture
def fresh_fake(centre):
    """As new, for HQ too: nothing that the test before saw is kept there, or still on its way to it."""
    fake = centre[0]
    before = set(fake.under_way)
    fake.__dict__.update(FakeCentral(no_store=True, under_way=fake.under_way).__dict__)
    wait_for(lambda: not before & fake.under_way, "answers to the pages of the test before")
    return fake


@pytest.fixture
def rig(fresh_fake, hq, browser):
    return Rig(fresh_fake, hq, browser)


@pytest.fixture
def patient_rig(fresh_fake, patient_hq, browser):
    return Rig(fresh_fake, patient_hq, browser)


PAGES = {
    "overview": ("/", "Needs you", 1),
    "shops": ("/shops", "Shop 406, Harbour", 0),
    "shop": ("/shops/s367", "Its gateway", 1),
    "sku": ("/shops/s367/skus/900003", "Cola 12 x 12 fl oz", 1),
    "sku-hours": ("/shops/s367/skus/900003?look=1w", "Cola 12 x 12 fl oz", 1),
    "restock": ("/restock", "80 % chance to run out", 0),
    "campaigns": ("/campaigns", "Eat it while it is fresh", 2),
    "suppliers": ("/restock/suppliers", "daily until 16:30", 0),
    "regions": ("/regions", "more than usual", 0),
    "calendar": ("/calendar", "Memorial Day", 0),
    "calendar-shop": ("/calendar?scope=store:s31862", "Mill Road fair", 0),
    "transfers": ("/restock/transfers", "24 units from", 0),
    "fleet": ("/fleet", "GTIN 952123 has 6 digits", 0),
    "models": ("/models", "demo-2025-04", 0),
}


def shows_data(chart):
    bars = {OURS, OK} & set(chart["colours"])
    return chart["painted"] > 500 and any(chart["series"].values()) and bool(bars)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_its_content_and_no_chart_is_empty(rig, name, size):
    path, text, charts = PAGES[name]
    rig.open(path, size)
    rig.loaded()
    rig.see(text)
    rig.wait(lambda: len(rig.charts()) == charts, f"{charts} charts")
    rig.wait(
        lambda: all(shows_data(one) for one in rig.charts()),
        f"pixels, data and a bar in each of {charts} charts",
    )
    rig.fits()
    keep_screenshot(rig.driver, f"hq-{name}-{'phone' if size == PHONE else 'desk'}")
    assert rig.severe() == []


def test_the_sku_chart_has_every_series(rig):
    rig.open("/shops/s367/skus/900003")
    rig.loaded()
    rig.wait(
        lambda: any(one["painted"] > 500 and {OURS, OK} <= set(one["colours"]) for one in rig.charts()),
        "the chart",
    )
    (chart,) = rig.charts()
    for name in (
        "Sold",
        "Forecast",
        "80 % band",
        "95 % band",
        "On hand",
        "Delivered",
        "Ordered",
        "Out of stock",
        "No data",
        "Calendar",
        "Price",
    ):
        assert chart["series"][name] > 0, name


def test_an_empty_chart_would_be_noticed(rig):
    rig.fake.empty = True
    rig.open("/")
    rig.loaded()
    (chart,) = rig.wait(rig.charts, "the chart")
    assert not any(chart["series"].values())
    assert OURS not in chart["colours"]


def test_a_chain_without_anything_says_what_would_be_here(rig):
    rig.fake.empty = True
    rig.open("/")
    rig.see("Nothing needs you now.")
    rig.see("No shop yet.")
    rig.see("Nothing to compare yet")
    for path, text in (
        ("/fleet", "No gateway has called yet."),
        ("/fleet", "Nothing was turned away, and every webhook is answered."),
        ("/campaigns", "No campaign yet."),
        ("/restock", "Nothing waits for you."),
    ):
        rig.open(path)
        rig.see(text)


def test_the_first_answer_is_the_shape_of_the_page_and_does_not_wait_for_the_centre(rig):
    rig.fake.held = True
    try:
        page = rig.hq.get("/fleet")
    finally:
        rig.fake.held = False
    assert "skeleton-row" in page
    rig.open("/fleet")
    rig.see("GTIN 952123 has 6 digits")


def test_nothing_comes_from_another_place(rig):
    for path in ("/", "/shops/s367/skus/900003"):
        rig.open(path)
        rig.loaded()
        urls = rig.driver.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        assert urls
        assert [url for url in urls if not url.startswith((rig.hq.url, "data:", "blob:"))] == []


def test_figures_change_without_a_reload_and_the_zoom_stays(rig):
    rig.open("/shops/s367/skus/900003")
    rig.loaded()
    find = "const chart = getElement(parseInt(document.querySelector('.nicegui-echart').id.slice(1))).chart;"
    rig.chart()
    rig.driver.execute_script(
        find
        + "chart.dispatchAction({type: 'dataZoom', dataZoomIndex: 1, start: 40, end: 70}); window.stays = 1;"
    )
    rig.fake.now_ms += 86_400_000
    rig.see("Sun 4 May 2025, 09:59")
    newest = find + "return chart.getOption().series.find((s) => s.name === 'Sold').data.at(-1).head"
    rig.wait(lambda: rig.driver.execute_script(newest) == "Sun 4 May 2025", "a new bar")
    zoom = rig.driver.execute_script(
        find + "return chart.getOption().dataZoom.map((z) => [Math.round(z.start), Math.round(z.end)])"
    )
    assert zoom[1] == [40, 70]
    assert rig.driver.execute_script("return window.stays") == 1


def test_an_approval_wants_a_name_and_can_be_taken_back(patient_rig):
    rig = patient_rig
    rig.open("/restock?scope=store:s367")
    rig.see("Bananas, loose")
    rig.click("Approve", ".list")
    rig.see("Approve 1 order?")
    rig.see("The replenishment system gets it within seconds")
    rig.click("Approve", ".dialog")
    rig.see("Give your name")
    rig.fill("Your name", "Ada Lovelace")
    keep_screenshot(rig.driver, "hq-approve-desk")
    rig.click("Approve", ".dialog")
    rig.see("on its way in a moment")
    rig.see("going out")
    rig.dialog_gone()
    rig.click("Undo", ".toast")
    rig.see("Taken back: nothing was sent.")
    assert rig.fake.decisions == []
    rig.wait(lambda: "going out" not in rig.text(), "the row to be free again")


def test_an_order_is_approved_and_the_name_is_remembered(rig):
    rig.open("/restock?scope=store:s367")
    rig.see("Bananas, loose")
    rig.click("Approve", ".list")
    rig.see("Approve 1 order?")
    rig.fill("Your name", "Ada Lovelace")
    rig.click("Approve", ".dialog")
    rig.wait(lambda: rig.fake.decisions, "the decision to go out")
    rig.see("1 order approved. The audit has a line for each.")
    ((trigger, act, decision),) = rig.fake.decisions
    assert (act, decision.who) == ("approve", "Ada Lovelace")
    assert rig.fake.triggers[trigger].state is TriggerState.SENT
    rig.see("Ada Lovelace")

    rig.open("/restock?scope=store:s406")
    rig.see("Bananas, loose")
    rig.click("Approve", ".list")
    rig.see("Approve 1 order?")
    rig.wait(
        lambda: rig.driver.execute_script(
            "return [...document.querySelectorAll('.dialog input')].some((el) => el.value === 'Ada Lovelace')"
        ),
        "the name to be remembered",
    )


def test_a_rejection_wants_a_reason(rig):
    rig.open("/restock?scope=store:s406")
    rig.see("Bananas, loose")
    rig.click("Reject", ".list")
    rig.see("Reject 1 order?")
    rig.fill("Your name", "Ada")
    rig.click("Reject", ".dialog")
    rig.see("Give a reason")
    rig.fill("Reason", "the shop closes for a week")
    rig.click("Reject", ".dialog")
    rig.wait(lambda: rig.fake.decisions, "the decision to go out")
    assert rig.fake.decisions[0][1] == "reject"
    assert rig.fake.decisions[0][2].reason == "the shop closes for a week"


def test_many_orders_are_approved_at_once_and_a_refusal_is_told(rig):
    rig.fake.conflict = {"t-s406-2"}
    rig.open("/restock?scope=store:s406")
    rig.see("Bananas, loose")
    rig.driver.execute_script("document.querySelector('.list thead .q-checkbox').click()")
    rig.see("3 orders chosen, 144 units")
    rig.click("Approve", ".bulk")
    rig.see("Approve 3 orders?")
    rig.fill("Your name", "Ada")
    rig.click("Approve", ".dialog")
    rig.see("2 orders approved; 1 not: Already decided.")
    assert len(rig.fake.decisions) == 3


def test_automatic_orders_are_stopped_with_a_reason_and_started_again(rig):
    rig.open("/restock")
    rig.see("Running")
    rig.click("Stop automatic orders…")
    rig.see("New proposals then wait for a person.")
    rig.fill("Your name", "Ada")
    rig.click("Stop", ".dialog")
    rig.see("Fill in all fields")
    rig.fill("Reason", "stocktake")
    rig.click("Stop", ".dialog")
    rig.see("Stopped for the whole chain")
    assert rig.fake.switches["chain", ""].on
    rig.click("Undo", ".toast")
    rig.wait(lambda: not rig.fake.switches["chain", ""].on, "the undo")


def test_a_candidate_is_promoted_on_its_scores(rig):
    rig.fake.rollouts = {1: rollout_view(NOW_MS)}
    rig.open("/models")
    rig.see("WQL 0.412, bias -3 %, 81 % in its 80 % band")
    rig.see("3 shops: 2 in the shadow, 1 refused")
    rig.click("Look and decide", ".list")
    rig.see("better on 5 of 5 days")
    rig.see("s406: live sanity: coverage")
    keep_screenshot(rig.driver, "hq-rollout-desk")
    rig.click("Do it", ".dialog")
    rig.see("Give your name and a reason")
    rig.fill("Your name", "J. Doe")
    rig.fill("Reason", "five good days")
    rig.click("Do it", ".dialog")
    rig.wait(lambda: rig.fake.rollout_acts, "the promotion")
    number, action, by = rig.fake.rollout_acts[0]
    assert (number, action, by.who, by.percent, by.override) == (1, "promote", "J. Doe", 100, False)


def test_a_bundle_is_rolled_out_in_the_shadow_first(rig):
    rig.open("/models")
    rig.see("No roll-out yet")
    rig.click("Roll out a bundle…")
    rig.fill("Your name", "J. Doe")
    rig.fill("Reason", "new training")
    rig.click("Begin", ".dialog")
    rig.wait(lambda: rig.fake.rollouts, "the roll-out")
    view = rig.fake.rollouts[1]
    assert (view.mode, view.percent, view.who) == ("shadow", 10, "J. Doe")


def test_a_second_box_a_bad_disk_and_a_centre_that_hangs_are_seen_with_what_to_do(rig):
    rig.fake.troubled = True
    rig.fake.problems = ["the ledger has worked nothing off for 42 s: its disk or database may hang"]
    rig.open("/fleet", PHONE)
    rig.see("two boxes speak as gw-s367")
    rig.open("/fleet")
    rig.see("Out of order")
    rig.see("pi-spare was refused 118 times")
    rig.see("Replace the gateway's disk or SD card soon")
    rig.see("the ledger has worked nothing off for 42 s")
    rig.click("More", ".list")
    rig.see("Slowest commit")
    rig.see("12,400 ms in ten minutes")
    keep_screenshot(rig.driver, "fleet-troubled")
    assert not rig.severe()
    rig.fake.troubled, rig.fake.problems = False, []
    rig.open("/fleet")
    rig.loaded()
    rig.wait(lambda: "Out of order" not in rig.text(), "nothing out of order")


def test_a_rule_is_tried_over_stored_weeks_shop_by_shop(rig):
    rig.open("/restock")
    rig.see("Try a rule")
    rig.open("/restock/replay?scope=region:North")
    rig.see("What to change")
    rig.click("Play")
    rig.see("Change at least one field")
    set_number = """const found = [...document.querySelectorAll('.q-field')].find((el) => el.innerText.includes(arguments[0]));
        if (!found) return false; const input = found.querySelector('input'); input.focus(); input.value = arguments[1];
        input.dispatchEvent(new Event('input', {bubbles: true})); return true;"""
    rig.wait(lambda: rig.driver.execute_script(set_number, "Service level", "0.3"), "the field")
    rig.click("Play")
    rig.see("Service level: input should be greater than or equal to 0.5")
    rig.wait(lambda: rig.driver.execute_script(set_number, "Service level", "0.99"), "the field")
    rig.click("Play")
    rig.see("2 shops played")
    rig.see("fewer units missed")
    rig.see("better")
    assert [store for store, _ in rig.fake.replays] == ["s367", "s406"]
    assert rig.fake.replays[0][1].changes.service_level == 0.99
    rig.chart()
    keep_screenshot(rig.driver, "replay-desk")
    set_size(rig.driver, PHONE)
    rig.fits()
    keep_screenshot(rig.driver, "replay-phone")
    assert not rig.severe()


def test_a_region_says_which_category_it_will_want_and_who_carries_it(rig):
    rig.open("/shops")
    rig.click("Regions")
    rig.see("Soft drinks")
    rig.see("+34 %")
    circles = "return document.querySelectorAll('.list svg circle').length"
    rig.wait(lambda: rig.driver.execute_script(circles) == 3, "three points of a picture")
    rig.click("Why", ".list")
    rig.see("812 units expected (716 to 908 in eight of ten weeks), 604 usual: +34 %, more than usual.")
    keep_screenshot(rig.driver, "regions-why")
    rig.open("/regions?scope=region:South")
    rig.see("Bakery")
    assert "Soft drinks" not in rig.text()
    assert not rig.severe()


def test_a_day_is_added_to_the_chains_calendar_changed_and_removed_with_a_way_back(rig):
    rig.open("/calendar")
    rig.see("was set by Ada Lovelace")
    rig.see("1 shop has a calendar of its own")
    rig.see("Snacks, 900003 and 2 more")
    assert "<b>Dairy & more</b>" in rig.text(), "a name is text, whatever it holds"
    rig.click("Add…")
    rig.see("3 shops get this with the next call, and so does one that opens later")
    rig.click("Save", ".dialog")
    rig.see("A day such as 2026-12-25")
    rig.fill("First day", "2025-05-08")
    rig.fill("Name", "Founders' Day")
    keep_screenshot(rig.driver, "calendar-add-desk")
    rig.click("Save", ".dialog")
    founders = lambda: [day.until_day for day in rig.fake.calendars[""].days if day.name == "Founders' Day"]  # noqa: E731
    wait_for(lambda: founders() == ["2025-05-08"], "the day to be saved")
    rig.dialog_gone()
    marks = "return [...document.querySelectorAll('.month-day.is-holiday')].map((el) => el.title)"
    wait_for(
        lambda: (
            "Thu 8: holiday Founders' Day; promotion Leaflet 19, 20 to 30 % off"
            in rig.driver.execute_script(marks)
        ),
        "the day in its month",
    )

    press = """const row = [...document.querySelectorAll('.list tbody tr')].find((el) => el.innerText.includes(arguments[0]));
        const button = row && [...row.querySelectorAll('button')].find((el) => el.innerText === arguments[1]);
        if (!button) return false; button.click(); return true;"""
    wait_for(lambda: rig.driver.execute_script(press, "Founders' Day", "Change…"), "the entry's button")
    rig.fill("Last day", "2025-05-09")
    rig.click("Save", ".dialog")
    wait_for(
        lambda: [day for day in rig.fake.calendars[""].days if day.until_day == "2025-05-09"], "the change"
    )
    rig.dialog_gone()
    assert len([day for day in rig.fake.calendars[""].days if day.name == "Founders' Day"]) == 1

    wait_for(lambda: rig.driver.execute_script(press, "Founders' Day", "Remove…"), "the entry's button")
    rig.see("What is taken out counts as an ordinary day.")
    rig.click("Remove", ".dialog")
    rig.see("taken out of 3 calendars")
    assert not [day for day in rig.fake.calendars[""].days if day.name == "Founders' Day"]
    rig.click("Undo", ".toast")
    wait_for(lambda: founders() == ["2025-05-09"], "the day to stand there again")
    wait_for(lambda: rig.driver.execute_script(press, "Leaflet 19", "Change…"), "the entry's button")
    rig.see("more than one discount")
    rig.click("Back", ".dialog")
    assert not rig.severe()


def test_a_calendar_file_is_taken_row_by_row_and_bad_rows_are_told(rig, tmp_path):
    file = tmp_path / "leaflet.csv"
    file.write_text(
        "kind,from_day,until_day,sku,discount_percent,name\npromotion,2025-05-19,2025-05-25,900001,25,Leaflet 21\n"
        "carnival,2025-05-20,,,,\npromotion,2025-05-19,2025-05-18,900001,25,Leaflet 21\n"
    )
    rig.open("/calendar?scope=store:s367")
    rig.see("Memorial Day")
    rig.click("Send a file…")
    rig.see("A bad row is told, and the others are taken.")
    choose = "return document.querySelector('.dialog input[type=file]')"
    wait_for(lambda: rig.driver.execute_script(choose), "a place for the file").send_keys(str(file))
    rig.see("Of 3 rows 1 were taken in 1 shop, 2 were not: see below.")
    rig.see("lies before from_day")
    keep_screenshot(rig.driver, "calendar-file-desk")
    [promotion] = rig.fake.calendars["s367"].promotions
    assert (promotion.name, promotion.skus, promotion.discount_percent) == ("Leaflet 21", ["900001"], 25)
    rig.click("Close", ".dialog")
    rig.dialog_gone()
    rig.see("Leaflet 21")
    written = rig.hq.get("/export/calendar.csv?scope=store:s367").splitlines()
    assert written[1] == "promotion,2025-05-19,2025-05-25,900001,,25,,,Leaflet 21"
    rig.fake.empty = True
    rig.open("/calendar")
    rig.see("No calendar was set here yet.")
    rig.see("forecasts go by weekday and price alone")
    assert not rig.severe()


def test_a_campaign_is_paused_with_a_reason(rig):
    rig.open("/campaigns")
    rig.see("Eat it while it is fresh")
    rig.click("Change…")
    rig.see("of the budget is left")
    rig.fill("Your name", "J. Doe")
    rig.fill("Reason", "too dear")
    rig.fill("Budget", "600")
    rig.see("557.90 USD of the budget is left")
    rig.click("Change", ".dialog")
    rig.see("shops follow with their next call")
    [(campaign, change)] = rig.fake.campaign_changes
    assert (campaign, change.budget_cents, change.active, change.who) == ("surplus", 60_000, None, "J. Doe")
    assert not rig.severe()


def test_a_shops_rules_are_set_and_a_wrong_field_says_so_itself(rig):
    rig.open("/shops/s367")
    rig.click("Rules and limits")
    rig.see("Nothing was set yet")
    set_number = """const found = [...document.querySelectorAll('.q-field')].find((el) => el.innerText.includes(arguments[0]));
        if (!found) return false; const input = found.querySelector('input'); input.focus(); input.value = arguments[1];
        input.dispatchEvent(new Event('input', {bubbles: true})); return true;"""
    rig.wait(lambda: rig.driver.execute_script(set_number, "Raise, days of demand", "9"), "the field")
    rig.click("Save")
    rig.see("clear_days is 2.0; it must be above raise_days, 9.0")
    assert rig.fake.configs == {}
    rig.wait(lambda: rig.driver.execute_script(set_number, "Clear, days of demand", "12"), "the field")
    rig.click("Save")
    rig.see("Saved as version 1")
    rig.wait(lambda: "it must be above" not in rig.text(), "the error to fade")
    assert rig.fake.configs["s367"].rules.low_stock.clear_days == 12
    keep_screenshot(rig.driver, "config-desk")
    set_size(rig.driver, PHONE)
    rig.fits()
    keep_screenshot(rig.driver, "config-phone")
    assert not rig.severe()


CONTRAST_JS = r"""
const rgb = (text) => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (el) => {
  for (; el; el = el.parentElement) { const c = rgb(getComputedStyle(el).backgroundColor); if (c[3] > 0.5) return c; }
  return rgb(getComputedStyle(document.body).backgroundColor); };
return [...document.querySelectorAll('.shell *')].filter((el) => el.offsetParent && !el.closest('.nicegui-echart')
  && [...el.childNodes].some((n) => n.nodeType === 3 && n.data.trim().length > 1)).map((el) => {
    const a = light(rgb(getComputedStyle(el).color)), b = light(ground(el));
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), el.innerText.slice(0, 40), el.className]; })
  .filter(([ratio]) => ratio < 4.2);
"""
"""Texts that stand out too little from their ground. Source of the ratio: WCAG 2.2, relative luminance."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground_in_the_light_and_in_the_dark(rig, scheme):
    rig.fake.troubled, rig.fake.problems = True, ["the ledger hangs"]
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    rig.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        for name in PAGES if scheme == "dark" else ("overview", "fleet", "campaigns"):
            path, text, _ = PAGES[name]
            rig.open(path)
            rig.loaded()
            rig.see(text)
            body = rig.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
            is_dark = max(int(part) for part in re.findall(r"\d+", body)[:3]) < 60
            assert is_dark == (scheme == "dark"), (name, body)
            if scheme == "dark":
                keep_screenshot(rig.driver, f"dark-{name}")
            assert rig.driver.execute_script(CONTRAST_JS) == [], name
    finally:
        rig.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


GREYS_JS = "return JSON.stringify(getElement(parseInt(document.querySelector('.chart').id.slice(1))).chart.getOption())"
LIGHT_QUIET, DARK_QUIET = "#667085", "#9aa5b4"


def test_a_chart_that_is_open_follows_the_readers_machine_into_the_dark_and_back(rig):
    def greys(shown, gone):
        def are_there():
            option = rig.driver.execute_script(GREYS_JS)
            return shown in option and gone not in option

        rig.wait(are_there, f"a chart in {shown}")

    def be(scheme):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        rig.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    try:
        be("light")
        rig.open("/")
        rig.loaded()
        rig.wait(lambda: rig.charts() and rig.charts()[0]["painted"] > 500, "a painted chart")
        greys(LIGHT_QUIET, DARK_QUIET)
        be("dark")
        greys(DARK_QUIET, LIGHT_QUIET)
        be("light")
        greys(LIGHT_QUIET, DARK_QUIET)
        assert rig.severe() == []
    finally:
        rig.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_an_alert_is_acknowledged_and_says_by_whom(rig):
    rig.open("/fleet")
    rig.see("No reading for 3 h")
    rig.click("Acknowledge", ".list")
    rig.see("the shop sees who took note")
    rig.fill("Your name", "J. Doe")
    rig.click("Acknowledge", ".dialog")
    rig.see("noted by J. Doe")
    assert [(note.code, note.subject) for note in rig.fake.noted] == [("cell-silent", "shelf-1/c07")]


def test_the_evidence_of_an_order_is_shown(rig):
    rig.open("/restock?scope=store:s367")
    rig.see("Bananas, loose")
    rig.click("Why?", ".list")
    rig.see("Computed again now: 24 units; ordered 24 units.")
    rig.see("lead time days")
    keep_screenshot(rig.driver, "hq-evidence-desk")


def test_a_list_is_filtered_sorted_and_paged_by_the_centre(rig):
    rig.open("/shops/s367?sort=name")
    rig.see("1 to 50 of 120")
    rig.click("Next")
    rig.see("51 to 100 of 120")
    rig.driver.execute_script(
        "[...document.querySelectorAll('.list th')].find((th) => th.innerText.includes('On hand')).click()"
    )
    rig.see("1 to 50 of 120")
    rig.wait(lambda: "Cola 12 x 12 fl oz\n" in rig.text(), "the emptiest shelf first")
    rig.driver.execute_script(
        "const i = document.querySelector('.filter input'); i.value = 'coffee'; i.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    rig.see("1 to 10 of 10")


def test_the_search_finds_shops_and_skus(rig):
    rig.open("/")
    rig.loaded()
    rig.driver.execute_script(
        "const i = document.querySelector('.search input'); i.value = 'cheddar'; i.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    rig.see("900007 · Shop 367, Elm Street")
    hit = "const hit = document.querySelector('.found .hit'); if (hit) hit.click(); return !!hit;"
    rig.wait(lambda: rig.driver.execute_script(hit), "a hit to click")
    rig.see("Forecast held")


def test_a_centre_that_is_down_is_told_and_the_last_answer_stays(rig):
    rig.open("/")
    rig.loaded()
    rig.see("Sales by day")
    rig.fake.fail = 503
    rig.see("No news of the")
    rig.see("What is shown below is the last answer.")
    assert "6,370.71 USD" in rig.text()
    keep_screenshot(rig.driver, "hq-away-desk")
    rig.fake.fail = 0
    rig.wait(lambda: "No news of" not in rig.text(), "the banner to go")


def test_an_unknown_shop_and_an_unknown_sku_say_what_to_do(rig):
    rig.open("/shops/nowhere")
    rig.see("There is no shop nowhere.")
    hidden = "return [...document.querySelectorAll('.skeleton')].every((el) => !el.offsetParent)"
    rig.wait(lambda: rig.driver.execute_script(hidden), "the shape of the page to be gone")
    rig.open("/shops/s367/skus/1")
    rig.see("There is no SKU 1 of shop s367.")
    rig.see("Go back to the list")


def test_closed_pages_are_forgotten_and_memory_stays_small(rig):
    rig.driver.get("about:blank")
    before = rig.wait(rig.hq.status, "HQ's status")["pages_open"]
    for _ in range(3):
        for path in ("/", "/shops/s367", "/shops/s367/skus/900003", "/restock", "/fleet"):
            rig.open(path)
            rig.loaded()
    rig.driver.get("about:blank")
    rig.wait(
        lambda: (status := rig.hq.status()) and status["pages_open"] <= before, "closed pages to be forgotten"
    )
    assert rig.hq.rss_mb() < 180


def test_text_from_outside_is_text(rig):
    name = "<img src=x onerror=\"document.title='owned'\">"
    for key in [key for key in rig.fake.triggers if re.match("t-s367", key)]:
        rig.fake.triggers[key] = rig.fake.triggers[key].model_copy(update={"name": name, "why": name})
    for path in ("/", "/restock?scope=store:s367"):
        rig.open(path)
        rig.see("<img src=x")
        assert rig.driver.title != "owned"
