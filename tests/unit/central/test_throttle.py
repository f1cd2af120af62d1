"""How often a caller may come."""

import asyncio

import httpx
import pytest

from central.api.app import make_app
from central.auth import Authority
from central.centre import Centre
from central.core.throttle import Throttle
from central.ledger.engine import Ledger
from central.settings import CentralSettings
from central.setup import create_token, init_state
from runtime.clock import SystemClock


def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    throttle = Throttle(per_s=2.0, burst=3)
    assert [throttle.take("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert throttle.take("a", 0.4) == pytest.approx(0.1)
    assert throttle.take("a", 0.5) == 0.0
    assert throttle.take("a", 0.5) > 0.0


def test_waiting_earns_no_more_than_a_burst() -> None:
    throttle = Throttle(per_s=2.0, burst=3)
    throttle.take("a", 0.0)
    assert [throttle.take("a", 1e6) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_clock_that_goes_back_earns_nothing_and_costs_nothing() -> None:
    throttle = Throttle(per_s=1.0, burst=1)
    assert throttle.take("a", 100.0) == 0.0
    assert throttle.take("a", 50.0) == 1.0
    assert throttle.take("a", 51.0) == 0.0


def test_callers_do_not_pay_for_each_other_and_the_table_is_bounded() -> None:
    throttle = Throttle(per_s=1.0, burst=1, max_callers=10)
    assert {throttle.take(f"caller {number}", 0.0) for number in range(1000)} == {0.0}
    assert len(throttle) == 10
    assert throttle.take("caller 999", 0.0) == 1.0


def test_no_rate_is_no_limit() -> None:
    throttle = Throttle(per_s=0.0, burst=1)
    assert {throttle.take("a", 0.0) for _ in range(100)} == {0.0}


def test_the_gate_slows_one_caller_down_and_no_other(tmp_path) -> None:
    settings = CentralSettings(state_dir=tmp_path / "state", requests_per_s=0.001, requests_burst=3)
    init_state(settings)
    tokens = [create_token(settings, "hq", name) for name in ("one", "other")]
    ledger = Ledger(settings.url)
    centre = Centre(ledger, settings, SystemClock())
    transport = httpx.ASGITransport(make_app(centre, Authority(ledger)))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://centre") as http:
            bearers = [{"Authorization": f"Bearer {token}"} for token in tokens]
            return [await http.get("/v1/me", headers=bearers[number]) for number in (0, 0, 0, 0, 1)]

    replies = asyncio.run(ask())
    ledger.close()
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 200]
    assert int(replies[3].headers["retry-after"]) > 100
    assert "one sends more than 0.001 requests a second" in replies[3].json()["detail"]
    assert centre.counters["slowed_requests"] == 1
