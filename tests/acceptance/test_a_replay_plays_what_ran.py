"""A replay as it is, over the days of a demo's ledger, makes about the orders that were really made. Long: in `make soak`."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from demo_runs import run_demo

from central.ledger.engine import Ledger
from central.replay_play import replay_store
from central.settings import CentralSettings

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
DAYS = 10


def test_as_it_is_comes_close_to_what_was_ordered(tmp_path: Path) -> None:
    """Tolerance: 75 % of the real orders again, within a day and a pack, and their number and units within 20 %; the rest has reasons."""
    demo = run_demo(tmp_path, "--days", str(DAYS + 2), "--stores", "1", limit_s=1500)
    assert demo.status == 0, demo.output
    settings = CentralSettings(state_dir=str(tmp_path / "demo" / "central"), auto_approve_below_cents=8_000)
    ledger = Ledger(settings.url)
    try:
        with ledger.read.connect() as connection:
            zone = ZoneInfo("Etc/GMT+5")
            found = replay_store(
                connection, "shop-1", zone, {"service_level": 0.99}, days=DAYS, settings=settings
            )
    finally:
        ledger.close()
    agrees = found.agreement
    assert agrees.made > 100
    assert agrees.same >= 0.75 * agrees.made, agrees
    assert abs(found.now.orders - found.made.orders) <= 0.2 * found.made.orders
    assert abs(found.now.ordered_units - found.made.ordered_units) <= 0.2 * found.made.ordered_units
    assert sum(agrees.only_made.values()) == agrees.made - agrees.same - agrees.quantity
    assert sum(agrees.only_played.values()) == agrees.played - agrees.same - agrees.quantity
    assert found.then.missed_units <= found.now.missed_units
    assert found.then.stock_unit_days > found.now.stock_unit_days
