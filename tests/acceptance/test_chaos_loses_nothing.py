"""SIGKILL at seeded points of the run: bridge, broker, gateway, centre and consumer; nothing is lost, nothing counted twice."""

from pathlib import Path

import pytest
from demo_runs import run_demo

pytestmark = [pytest.mark.slow]


def assert_survived(tmp_path: Path, seed: int, days: int, stores: int, kills: int, limit_s: float) -> None:
    run = run_demo(
        tmp_path, "--days", str(days), "--stores", str(stores), "--chaos", str(seed), "--kills", str(kills), limit_s=limit_s
    )  # fmt: skip
    assert run.status == 0, run.output
    assert run.report["kills"] == kills
    assert run.report["balanced"] is True
    for name in ("receipts", "lines", "units", "cents"):
        assert run.report[name]["tills"] == run.report[name]["ledger"] > 0, name
    assert run.report["triggers"]["duplicates_in_effect"] == 0
    for kind in ("bridge", "broker", "edge", "central", "replenisher"):
        assert any(name.startswith(kind) for name in run.report["kills_by_process"]), kind
    assert run.report["unordered_deaths"] == {}
    assert run.left_over == []


@pytest.mark.timeout(900)
def test_a_day_with_twenty_kills_balances(tmp_path: Path) -> None:
    assert_survived(tmp_path, seed=3, days=1, stores=1, kills=20, limit_s=800)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, 6))
def test_days_with_many_kills_balance(tmp_path: Path, seed: int) -> None:
    assert_survived(tmp_path, seed=seed, days=2, stores=1, kills=30, limit_s=880)


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_two_weeks_of_three_shops_with_kills_balance(tmp_path: Path) -> None:
    assert_survived(tmp_path, seed=11, days=14, stores=3, kills=60, limit_s=1400)
