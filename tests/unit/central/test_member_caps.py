"""What one member may get is counted over all stores: two workers that give coupons at the same moment give no more."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from central_rows import START_MS
from ledger_kinds import POSTGRESQL, database
from local_postgresql import why_absent
from test_coupons import CELL, campaign
from test_ledger import Bench, StandingClock

from central import couponing, leasing
from central.centre import Centre
from central.context import CHAIN, Work
from central.leasing import Ask
from central.ledger import coupon_rows
from central.ledger.engine import Ledger
from central.store_memory import Forecast, ManagedItem, StockLevel
from contract.api.offers import MemberPut

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())

STORES, MEMBERS, DAY = ("store-1", "store-2"), 4, "2017-09-04"
LIMIT_S = 60.0
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def stock_up(work: Work) -> None:
    """A shop by the members that has far too much of two goods."""
    work.store.exists, work.store.h3_cell, work.store.currency = True, CELL, "USD"
    for sku in ("sku-1", "sku-2"):
        work.store.items[sku] = ManagedItem("09520000000019", "Good", "drinks")
        work.store.prices[sku] = [(0, 500)]
        work.store.stock[sku] = StockLevel(5_000, 50, START_MS, 0)
        work.store.forecasts[sku] = Forecast(DAY, [1.0] * 14, [2.0] * 14)


def round_of(work: Work) -> dict[str, Ask]:
    stock_up(work)
    return couponing.run_campaigns(work, coupon_rows.all_campaigns(work.connection))


def run(worker: Centre, store: str, job: Callable[[Work], Any]) -> Any:
    transaction = worker.writer.transaction(START_MS)
    try:
        result = worker.store_job(store, job)(transaction)
        transaction.commit()
        return result
    finally:
        transaction.close()


def set_up(worker: Centre, caps: dict[str, int]) -> None:
    """Both stores hold a lease of the campaign."""
    put = campaign(
        starts_ms=0, ends_ms=4 * 10**12, budget_cents=100_000, cap_total=1000, cap_per_day=100, **caps
    )
    run(worker, CHAIN, lambda work: couponing.put_campaign(work.connection, "plenty", put, START_MS))
    agreed = MemberPut(
        marketing_consent=True, location_consent=True, h3_cell=CELL, timezone="America/New_York", quiet_from_minute=0,
        quiet_until_minute=0,
    )  # fmt: skip
    for n in range(MEMBERS):
        name = f"m-{n}"
        run(worker, CHAIN, lambda work, m=name: coupon_rows.put_member(work.connection, m, agreed, START_MS))
    for store in STORES:
        run(
            worker,
            CHAIN,
            lambda work, of=store: leasing.answer(work.connection, "plenty", of, Ask.RENEW, START_MS, 60),
        )


@pytest.mark.parametrize(("caps", "a_day"), [({"cap_per_member": 1}, 1000), ({"cap_per_member": 1000}, 1)])
def test_two_workers_at_the_same_moment_give_a_member_no_more_than_the_cap(
    tmp_path: Path, caps: dict[str, int], a_day: int
) -> None:
    with database(POSTGRESQL) as url:
        made = Bench(tmp_path, url)
        settings = made.settings.model_copy(update={"coupons_per_member_a_day": a_day})
        ledgers = [Ledger(settings.url) for _ in STORES]
        first, second = (Centre(ledger, settings, StandingClock()) for ledger in ledgers)
        set_up(first, caps)
        open_one = first.writer.transaction(START_MS)
        other = threading.Thread(target=run, args=(second, STORES[1], round_of), daemon=True)
        try:
            first.store_job(STORES[0], round_of)(open_one)  # decided, written, not committed
            other.start()
            limit = time.monotonic() + LIMIT_S
            while other.is_alive() and made.rows(WAITS) == [(0,)]:
                assert time.monotonic() < limit
                time.sleep(0.01)
            open_one.commit()
            other.join(LIMIT_S)
        finally:
            open_one.close()
        assert not other.is_alive()
        counts = made.rows("SELECT member, count(*) FROM coupons GROUP BY member ORDER BY member")
        assert counts == [(f"m-{n}", 1) for n in range(MEMBERS)]
        for ledger in (*ledgers, made.ledger):
            ledger.close()
