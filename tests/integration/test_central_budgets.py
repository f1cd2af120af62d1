"""Two centres on one PostgreSQL hand out one campaign's budget; one of them is killed again and again, and cents are counted."""

import contextlib
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from central_rig import START_MS, CentreProcess, Gateway, kill_leftover
from central_rows import forecast, level
from ledger_kinds import POSTGRESQL, database
from local_postgresql import why_absent
from soak import IS_SOAK, tell
from test_central_loop import CELL, post, put, set_up_store

from central.settings import CentralSettings
from central.setup import init_state

STORES, MEMBERS, SKUS = 3, 12, 5
BUDGET, DISCOUNT = 2_000, 50
KILLS = 12 if IS_SOAK else 1
MINUTE_MS, DAY_MS = 60_000, 86_400_000

pytestmark = [pytest.mark.skipif(bool(why_absent()), reason=why_absent()), pytest.mark.timeout(1200)]


@pytest.fixture
def centres(tmp_path: Path) -> Iterator[list[CentreProcess]]:
    with database(POSTGRESQL) as url:
        made: list[CentreProcess] = []
        for number in range(2):
            folder = tmp_path / f"worker-{number}"
            folder.mkdir()
            clock = made[0].folder / "clock" if made else folder / "clock"
            made.append(
                CentreProcess(
                    folder, database_url=url, clock_file=str(clock), campaign_interval_min=1, campaign_lease_min=2,
                    coupons_per_member_a_day=1000,
                )
            )  # fmt: skip
        init_state(CentralSettings.load(made[0].config))
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(CentreProcess.start, made))
            yield made
        finally:
            for centre in made:
                kill_leftover(centre.process)


class Books:
    """What the database says, asked without the centre."""

    def __init__(self, centre: CentreProcess) -> None:
        url = next(line for line in centre.config.read_text().splitlines() if "database_url" in line)
        self._db = psycopg.connect(url.split('"')[1], autocommit=True)

    def one(self, sql: str) -> int:
        row = self._db.execute(sql).fetchone()  # type: ignore[call-overload]
        return int(row[0])

    @property
    def promised(self) -> int:
        return self.one("SELECT coalesce(sum(discount_cents), 0) FROM coupons")

    @property
    def granted(self) -> int:
        return self.one("SELECT granted_cents FROM campaigns")

    @property
    def leases(self) -> int:
        return self.one("SELECT count(*) FROM campaign_leases")


def test_two_centres_spend_a_budget_to_the_cent_while_one_is_killed(centres: list[CentreProcess]) -> None:
    first, second = centres
    admin = first.client()
    for number in range(1, STORES + 1):
        set_up_store(admin, f"store-{number}", SKUS)
        gateway = Gateway(
            first, first.add_gateway(f"store-{number}", f"gw-{number}"), f"store-{number}", f"gw-{number}"
        )
        facts = [row for sku in range(1, SKUS + 1) for row in (level(sku, 5_000), forecast(sku))]
        gateway.send(*facts)
    consent = {
        "marketing_consent": True, "location_consent": True, "h3_cell": CELL, "timezone": "America/New_York",
        "quiet_from_minute": 0, "quiet_until_minute": 0, "cell_ttl_s": 7 * 86_400,
    }  # fmt: skip
    for number in range(MEMBERS):
        put(admin, f"/v1/members/m-{number}", consent)
    campaign = {
        "cause": "surplus", "name": "Plenty", "discount_percent": 20, "max_discount_cents": DISCOUNT, "budget_cents": BUDGET,
        "cap_per_member": 1000, "holdout_percent": 0, "starts_ms": START_MS, "ends_ms": START_MS + 2 * DAY_MS,
    }  # fmt: skip
    put(admin, "/v1/campaigns/plenty", campaign)

    books, lots, now_ms = Books(first), random.Random(1), START_MS
    for _ in range(KILLS):
        for _ in range(2):
            now_ms += MINUTE_MS
            first.clock.stand_at(now_ms)
            time.sleep(lots.random() * 0.15)  # where in its work the kill falls
        first.kill()
        assert books.promised <= books.granted <= BUDGET
        tell("kills of a centre that holds leases")
        first.start()
    limit = time.monotonic() + 240
    while books.promised < BUDGET:
        assert time.monotonic() < limit, f"{books.promised} of {BUDGET} cents promised"
        assert books.granted <= BUDGET
        now_ms = next_minute(centres, now_ms)
    assert books.promised == BUDGET
    change = {"active": False, "who": "Ann", "reason": "it is over"}
    post(second.client(), "/v1/campaigns/plenty/change", change, 200)
    while books.leases:
        assert time.monotonic() < limit, f"{books.leases} leases were never given back"
        now_ms = next_minute(centres, now_ms)
    assert (books.granted, books.promised) == (BUDGET, BUDGET)
    assert books.one("SELECT count(DISTINCT store_id) FROM coupons") > 1


def next_minute(centres: list[CentreProcess], now_ms: int) -> int:
    now_ms += MINUTE_MS
    centres[0].clock.stand_at(now_ms)
    for centre in centres:
        with contextlib.suppress(OSError):
            centre.wait_until(lambda each=centre: each.status()["now_ms"] >= now_ms)
    time.sleep(0.05)
    return now_ms
