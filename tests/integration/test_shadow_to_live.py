"""A candidate's whole way: published, forecasting in a real gateway's shadow, scored on real days, promoted, live. `make soak`."""

import contextlib
import random
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from bundle_rig import centre_and_gateway
from central_rig import START_MS
from central_rows import gtin
from edge_rig import Till, receipt, wait_for
from test_central_loop import get

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))

from edge_bundles import sha_of, variant

pytestmark = pytest.mark.soak
ROOT = Path(__file__).parents[2]
HOUR, DAY = 3_600_000, 86_400_000
FIRST_DAY, MOST_DAYS, ITEMS = date(2017, 9, 4), 9, 60
WITHIN_S = 90


@pytest.fixture
def chain(tmp_path):
    """A centre, a gateway whose installed bundle forecasts two fifths of what is sold, its till, and HQ."""
    installed = variant(tmp_path / "one", "one", scale=0.4)
    with contextlib.ExitStack() as stack:
        centre, gateway, broker = centre_and_gateway(
            stack, tmp_path, store={"items": ITEMS}, bundle_dir=str(installed)
        )
        till = Till(broker.port)
        stack.callback(till.stop)
        yield centre, gateway, till, tmp_path


def published(centre, folder, tmp_path):
    token = tmp_path / "token"
    token.write_text(centre.token("system"))
    done = subprocess.run(
        [sys.executable, "-m", "cli", "models", "publish", str(folder), "--public-key", str(tmp_path / "public.pem"),
         "--central", centre.url, "--token-file", str(token)],
        capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def sell_a_day(centre, till, number, chance):
    """Eight receipts of the business day; returns when the gateway has stored them all."""
    start_ms = START_MS + number * DAY
    for hour in range(8):
        at_ms = start_ms + hour * 40 * 60_000
        lines = [
            (gtin(item), chance.randint(1, 2), 250) for item in range(1, ITEMS + 1) if chance.random() < 0.2
        ]
        day = (FIRST_DAY + timedelta(days=number)).isoformat()
        till.send("receipt", at_ms, **receipt(8 * number + hour + 1, lines, day=day))
        centre.clock.stand_at(at_ms + 1000)
    wait_for(lambda: not till.journal, "the day's receipts stored", WITHIN_S)


def pass_time_until(centre, start_ms, end_ms, true):
    """Moves the clock on by half hours, each as long as a busy machine needs to follow, until `true`; False at end_ms."""
    for now_ms in range(start_ms, end_ms + 1, HOUR // 2):
        centre.clock.stand_at(now_ms)
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            if true():
                return True
            time.sleep(0.1)
    return true()


def test_a_better_candidate_is_scored_in_the_shadow_promoted_and_live(chain):
    centre, gateway, till, tmp_path = chain
    hq, chance = centre.client("hq"), random.Random(1)
    candidate = variant(tmp_path / "two", "two", scale=1.0)
    published(centre, candidate, tmp_path)
    begun = {"sha256": sha_of(candidate), "percent": 100, "who": "anna", "reason": "spring", "mode": "shadow"}
    at = f"/v1/rollouts/{hq.post('/v1/rollouts', json=begun).json()['rollout']}"
    wait_for(
        lambda: get(hq, at)["by_state"] == {"shadow": 1}, "the candidate in the gateway's shadow", WITHIN_S
    )
    early = hq.post(f"{at}/promote", json={"who": "anna", "percent": 100, "reason": "now"})
    assert early.status_code == 409
    assert "no day was scored yet" in early.json()["detail"]
    for number in range(MOST_DAYS):
        sell_a_day(centre, till, number, chance)
        scored = len(get(hq, at)["days"])
        start_ms = START_MS + number * DAY
        pass_time_until(
            centre, start_ms + 6 * HOUR, start_ms + DAY, lambda seen=scored: len(get(hq, at)["days"]) > seen
        )
        centre.advance_to(start_ms + DAY)
        if get(hq, at)["may_promote"]:
            break
    view = get(hq, at)
    assert view["may_promote"], view["advice"]
    assert view["advice"].startswith("better: WQL")
    assert view["candidate"]["wql"] < view["current"]["wql"]
    # Both were scored on the same SKUs and days, and the one in the shadow has ordered nothing.
    assert view["candidate"]["sku_days"] == view["current"]["sku_days"]
    assert gateway.status()["bundle"] == "test@one"
    promoted = hq.post(f"{at}/promote", json={"who": "anna", "percent": 100, "reason": "better"})
    assert promoted.status_code == 200, promoted.text
    wait_for(lambda: gateway.status()["bundle"] == "test@two", "the candidate live", WITHIN_S)
