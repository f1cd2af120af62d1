"""Campaigns' budgets by leases: whatever is done in whichever order, and whatever is left undone, no cent is promised twice."""

import random
from pathlib import Path

import pytest
from central_rows import START_MS
from hypothesis import given
from hypothesis import strategies as st
from ledger_kinds import SQLITE, on_both
from soak import IS_SOAK
from test_coupons import campaign
from test_ledger import Bench, bench

from central import couponing, leasing
from central.context import CHAIN, Work
from central.core.lease import FEW_COUPONS, LATE_MS, Rest, decide_lease
from central.core.redemption import CouponState
from central.leasing import Ask
from central.ledger import coupon_rows, lease_rows
from central.ledger.coupon_rows import Campaign

STORES = ("store-1", "store-2", "store-3")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
BUDGET = 2_000
STEPS = 4_000 if IS_SOAK else 100


@given(st.integers(-5, 1000), st.integers(-500, 100_000), st.integers(1, 500), st.integers(1, 900))
def test_a_lease_is_never_for_more_than_is_left(coupons: int, cents: int, stores: int, most: int) -> None:
    put = campaign(max_discount_cents=most, cap_per_day=20)
    part = decide_lease(put, Rest(coupons, cents), stores)
    assert 0 <= part.coupons <= max(coupons, 0)
    assert 0 <= part.cents <= max(cents, 0)
    assert part.coupons <= 20


def test_one_store_gets_what_it_may_use_in_a_day_and_many_get_a_part() -> None:
    put = campaign(max_discount_cents=100, cap_per_day=50)
    assert decide_lease(put, Rest(1000, 100_000), 1) == Rest(50, 5_000)
    assert decide_lease(put, Rest(1000, 100_000), 50) == Rest(10, 1_000)
    assert decide_lease(put, Rest(1000, 100_000), 10_000) == Rest(FEW_COUPONS, FEW_COUPONS * 100)
    assert decide_lease(put, Rest(1000, 130), 10_000) == Rest(FEW_COUPONS, 130)


class Chain:
    """Three stores and the chain, whose steps are done one by one, or not."""

    def __init__(self, made: Bench, budget: int = BUDGET) -> None:
        self.made, self.now_ms, self.numbers = made, START_MS, 0
        made.change("DELETE FROM stores")
        for store in STORES:
            made.change(
                f"INSERT INTO stores (store_id, name, region, timezone, currency, hours, closed_days) VALUES ('{store}', '', '', 'UTC', 'EUR', '[]', '[]')"
            )
        self.put(budget)

    def put(self, budget: int, **more: object) -> None:
        put = campaign(
            budget_cents=budget, cap_total=1000, cap_per_day=1000, starts_ms=0, ends_ms=4 * 10**12, **more
        )
        self.job(CHAIN, lambda work: couponing.put_campaign(work.connection, "plenty", put, self.now_ms))

    def job(self, store: str, job, *, dies: bool = False):  # type: ignore[no-untyped-def]
        transaction = self.made.centre.writer.transaction(self.now_ms)
        try:
            result = self.made.centre.store_job(store, job)(transaction)
            if not dies:
                transaction.commit()
            return result
        finally:
            transaction.close()
            if dies:
                self.made.centre.memory.forget()

    def round(self, store: str, wanted: list[int], *, dies: bool = False) -> Ask | None:
        """A round that would issue coupons of `wanted` cents. What it asks of the chain."""

        def use(work: Work, rest: Rest) -> tuple[Rest, bool]:
            short = False
            for cents in wanted:
                if rest.coupons <= 0 or cents > rest.cents:
                    short = True
                    continue
                self.numbers += 1
                row = {
                    "store_id": store, "number": self.numbers, "coupon_id": f"c{self.numbers}", "campaign": "plenty",
                    "member": None, "sku": "s", "gtin": "", "code_hash": "", "code_tail": "", "title": "",
                    "discount_cents": cents, "state": "issued", "issued_ms": work.now_ms, "valid_until_ms": work.now_ms + DAY_MS,
                }  # fmt: skip
                coupon_rows.insert_coupon(work.connection, row)
                rest = Rest(rest.coupons - 1, rest.cents - cents)
            return rest, short

        def job(work: Work) -> Ask | None:
            coupon_rows.expire_coupons(work.connection, store, work.now_ms)
            [known] = coupon_rows.all_campaigns(work.connection)
            return leasing.use_lease(work, known, lambda rest: use(work, rest))

        asked: Ask | None = self.job(store, job, dies=dies)
        return asked

    def renew(self, store: str, ask: Ask = Ask.RENEW, *, dies: bool = False) -> None:
        self.job(
            CHAIN,
            lambda work: leasing.answer(work.connection, "plenty", store, ask, self.now_ms, 60),
            dies=dies,
        )

    def settle(self, lots: random.Random, state: CouponState) -> None:
        """A till uses a coupon, in time, after its end, or a day that it was given back."""
        coupons = self.made.rows("SELECT store_id, number FROM coupons ORDER BY number")
        if coupons:
            store, number = lots.choice(coupons)
            self.job(
                str(store),
                lambda work: coupon_rows.set_coupon_state(
                    work.connection, str(store), int(str(number)), state
                ),
            )

    def promised(self) -> int:
        return int(
            str(
                self.made.rows("SELECT coalesce(sum(discount_cents), 0) FROM coupons WHERE returned = 0")[0][
                    0
                ]
            )
        )

    def granted(self) -> Rest:
        with self.made.ledger.read.connect() as connection:
            return lease_rows.granted(connection, "plenty")

    def held(self) -> Rest:
        """What stores may still promise, or have not given back yet."""
        coupons = cents = 0
        with self.made.ledger.read.connect() as connection:
            for store in STORES:
                lease = lease_rows.lease_of(connection, "plenty", store)
                mine = lease_rows.held(connection, "plenty", store)
                if lease is not None:
                    rest = mine.rest if mine is not None and mine.number == lease.number else lease.granted
                    coupons, cents = coupons + rest.coupons, cents + rest.cents
        return Rest(coupons, cents)

    def check(self) -> None:
        assert self.granted().cents == self.promised() + self.held().cents
        assert self.granted().coupons == self.numbers_issued() + self.held().coupons

    def numbers_issued(self) -> int:
        return int(str(self.made.rows("SELECT count(*) FROM coupons")[0][0]))


@on_both
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_granted_is_what_is_promised_and_held_after_every_step(kind: str, seed: int) -> None:
    lots = random.Random(seed)
    with bench(kind) as made:
        chain = Chain(made)
        for _ in range(STEPS if kind == SQLITE else STEPS // 5):
            store, dies = lots.choice(STORES), lots.random() < 0.2
            act = lots.randrange(10)
            if act < 4:
                chain.round(store, [lots.randrange(1, 91) for _ in range(lots.randrange(6))], dies=dies)
            elif act < 8:
                chain.renew(store, lots.choice(list(Ask)), dies=dies)
            elif act == 8:
                chain.now_ms += lots.choice((0, 60_000, HOUR_MS))
            else:
                chain.settle(lots, CouponState.REDEEMED)
            chain.check()
            assert chain.promised() <= BUDGET
            assert chain.granted().cents <= BUDGET
        assert chain.promised() > 0


def test_a_lease_that_a_killed_process_took_up_or_never_saw_is_used_or_given_back(tmp_path: Path) -> None:
    chain = Chain(Bench(tmp_path))
    assert chain.round("store-1", [50])  # it has none, and wants one
    chain.renew("store-1")
    chain.round("store-1", [50] * 3, dies=True)
    chain.check()
    assert chain.promised() == 0
    chain.now_ms += HOUR_MS  # the lease is over before any round used it
    assert chain.round("store-1", [50])
    chain.renew("store-1", dies=True)
    chain.check()
    assert chain.granted().cents > 0
    chain.renew("store-1")
    assert chain.granted() == chain.held()
    assert not chain.round("store-1", [50])
    assert chain.promised() == 50
    chain.made.ledger.close()


def test_stores_that_want_it_all_get_it_all_to_the_last_coupon(tmp_path: Path) -> None:
    chain = Chain(Bench(tmp_path))
    for _ in range(8):
        for store in STORES:
            while chain.round(store, [50] * 3):
                before = chain.granted()
                chain.renew(store)
                if chain.granted() == before:
                    break
        chain.now_ms += HOUR_MS
        chain.check()
    assert chain.promised() == BUDGET
    chain.made.ledger.close()


def test_an_unused_coupons_cents_return_late_and_a_later_use_takes_them_again(tmp_path: Path) -> None:
    chain = Chain(Bench(tmp_path), budget=100)
    chain.round("store-1", [50])
    chain.renew("store-1")
    chain.round("store-1", [50, 50, 50])
    assert chain.promised() == 100
    chain.now_ms += DAY_MS + LATE_MS - 1
    assert not bring_round(chain, "store-2", [50])
    chain.now_ms += 1
    bring_round(chain, "store-1", [])
    bring_round(chain, "store-1", [])
    chain.check()
    assert chain.promised() == 0
    assert bring_round(chain, "store-2", [50, 50])
    chain.made.change(
        "UPDATE coupons SET state = 'redeemed' WHERE store_id = 'store-1'"
    )  # told by a till very late
    bring_round(chain, "store-1", [50])
    chain.check()
    chain.now_ms += HOUR_MS
    bring_round(chain, "store-1", [50])
    chain.check()
    assert (chain.promised(), chain.granted().cents) == (
        200,
        200,
    )  # more than the budget: so nothing more goes out
    assert not bring_round(chain, "store-3", [50])
    chain.made.ledger.close()


def bring_round(chain: Chain, store: str, wanted: list[int]) -> bool:
    """Rounds as the centre does them: with the chain's step between. Whether a coupon went out."""
    before = chain.numbers_issued()
    ask = chain.round(store, wanted)
    if ask is not None:
        chain.renew(store, ask)
        chain.round(store, wanted)
    return chain.numbers_issued() > before


def test_a_changed_budget_recalls_all_leases_and_a_paused_campaign_gives_all_back(tmp_path: Path) -> None:
    chain = Chain(Bench(tmp_path))
    for store in STORES:
        bring_round(chain, store, [50])
    assert chain.granted().cents > 150
    chain.put(150)
    for store in STORES:
        assert not bring_round(chain, store, [50])
    chain.check()
    assert (chain.promised(), chain.granted().cents) == (150, 150)
    chain.put(BUDGET, active=False)
    for store in STORES:
        assert not bring_round(chain, store, [50])
    assert chain.held() == Rest(0, 0)
    assert chain.made.rows("SELECT count(*) FROM campaign_leases") == [(0,)]
    with chain.made.ledger.read.connect() as connection:
        [known] = coupon_rows.all_campaigns(connection)
        assert isinstance(known, Campaign)
        assert couponing.stores_of_round(connection, [known], chain.now_ms) == []
    chain.made.ledger.close()
