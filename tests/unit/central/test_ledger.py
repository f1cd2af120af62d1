"""The ledger on a real SQLite file, without HTTP: batches in any order, any number of times, cut anywhere."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from central_rows import START_MS, day_close, delivery, gtin, level, proposal, receipt, sale, window
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger_kinds import POSTGRESQL, SQLITE, database, on_both
from local_postgresql import why_absent

from central import desired_state
from central.centre import Centre
from central.context import Work
from central.core import vouched
from central.errors import SenderError
from central.ingestion import Answer, take_batch
from central.ledger import facts, store_rows
from central.ledger.engine import Ledger
from central.ledger.store_views import accounting
from central.ledger.writer import Transaction
from central.settings import CentralSettings
from central.setup import add_gateway, init_state, rebuild_rollups
from central.store_loading import load_items
from contract.api.stores import StorePut
from contract.batch import BatchRows, batch_from_records
from contract.documents import Item, SupplyLine
from contract.records import Record

STORE, GATEWAY = "store-1", "gw-1"


class StandingClock:
    def now_ms(self) -> int:
        return START_MS


class Bench:
    """A centre whose jobs run at once, in this thread, each in a transaction of its own."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.settings = CentralSettings(state_dir=folder, database_url=url)
        init_state(self.settings)
        self.ledger = Ledger(self.settings.url)
        self.centre = Centre(self.ledger, self.settings, StandingClock())
        add_gateway(self.settings, STORE, GATEWAY)
        self.run(self._put_store)

    @staticmethod
    def _put_store(work: Work) -> None:
        put = StorePut(name="Shop", timezone="America/New_York", currency="USD", hours=[])
        store_rows.put_store(work.connection, STORE, put)
        work.vouch_for_row(vouched.STORE, STORE)
        work.memory.forget()

    def run(self, job, store: str = STORE, *, fail: bool = False):  # type: ignore[no-untyped-def]
        transaction = self.centre.writer.transaction(START_MS)
        try:
            result = self.centre.store_job(store, job)(transaction)
            if not fail:
                transaction.commit()
                return result
        finally:
            transaction.close()
        self.centre.memory.forget()
        return None

    def send(self, rows: list[Record], epoch: str = "e1", *, fail: bool = False) -> Answer | None:
        batch = batch_from_records(
            gateway=GATEWAY, store=STORE, epoch=epoch, sent_at_ms=START_MS, have={}, rows=rows
        )
        answer: Answer | None = self.run(
            lambda work: take_batch(work, batch, BatchRows(tuple(rows), ())), fail=fail
        )
        return answer

    def put_supply(self, skus: int = 5) -> None:
        """Items and supply lines, without which no proposal becomes a trigger."""

        def job(work: Work) -> None:
            items = [
                Item(sku=f"sku-{n}", gtins=[gtin(n)], name=f"Good {n}", category="food")
                for n in range(1, skus + 1)
            ]
            store_rows.put_items(work.connection, STORE, items)
            work.vouch_for_list(vouched.ITEMS)
            load_items(work.connection, work.store)
            work.store.supply = {
                f"sku-{n}": SupplyLine(
                    sku=f"sku-{n}",
                    supplier="depot",
                    lead_time_days=2,
                    review_days=1,
                    pack_units=12,
                    cost_cents=150,
                )
                for n in range(1, skus + 1)
            }
            desired_state.vouch_for_supply(work)

        self.run(job)

    def change(self, sql: str) -> None:
        """As somebody with the database's password would."""
        with self.ledger.write.begin() as connection:
            connection.execute(sa.text(sql))

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.ledger.read.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]


@contextmanager
def bench(kind: str) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder, database(kind) as url:
        made = Bench(Path(folder), url)
        yield made
        made.ledger.close()


STREAM: list[Record] = [
    row.model_copy(update={"seq": seq})
    for seq, row in enumerate(
        [
            receipt(1, [sale(1, 2), sale(2, 1)]), window(1), level(1, 8), receipt(2, [sale(1, 1)]), delivery("D-1", 12),
            proposal(1), receipt(3, [sale(3, 4)]), level(1, 19, at_ms=START_MS + 120_000), window(2), day_close(receipts=3, lines=4, units=8, cents=2000),
        ],
        1,
    )
]  # fmt: skip
CUTS = st.lists(
    st.tuples(st.integers(1, len(STREAM)), st.integers(0, 4), st.booleans()), min_size=1, max_size=14
)
FACTS = "SELECT count(*), sum(sold_units), sum(total_cents) FROM receipts"
SUMS = "SELECT step_ms, sku, at_ms, receipts, sold_units, sold_cents, picked_units, delivered_units, on_hand_units FROM rollups ORDER BY 1, 2, 3"


@given(cuts=CUTS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_batches_in_any_order_and_number_and_lost_commits_count_each_row_once(
    cuts: list[tuple[int, int, bool]],
) -> None:
    _send_cut_anyhow(SQLITE, cuts)


@pytest.mark.skipif(bool(why_absent()), reason=why_absent())
@given(cuts=CUTS)
@settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_on_postgresql_too_batches_in_any_order_count_each_row_once(
    cuts: list[tuple[int, int, bool]],
) -> None:
    _send_cut_anyhow(POSTGRESQL, cuts)


def _send_cut_anyhow(kind: str, cuts: list[tuple[int, int, bool]]) -> None:
    with bench(kind) as centre:
        for first, more, dies in cuts:
            centre.send(STREAM[first - 1 : first + more], fail=dies)
        for row in STREAM:  # at last the gateway gets through, one by one
            answer = centre.send([row])
            assert answer is not None
            assert answer.acked_through >= row.seq
        assert centre.rows(FACTS) == [(3, 8, 2000)]
        assert centre.rows("SELECT sum(window_count) FROM windows") == [(2,)]
        assert centre.rows("SELECT count(*), sum(units) FROM stock_facts WHERE fact = 'delivery'") == [
            (1, 12)
        ]
        assert centre.rows("SELECT through_seq FROM positions") == [(len(STREAM),)]
        with centre.ledger.read.connect() as connection:
            assert accounting(connection).balanced
        sums = centre.rows(SUMS)
        assert sum(row[4] for row in sums if row[0] == 86_400_000 and row[1]) == 8  # type: ignore[misc]
        list(rebuild_rollups(centre.settings))
        assert centre.rows(SUMS) == sums


@on_both
def test_a_restart_remembers_what_memory_held(kind: str) -> None:
    with bench(kind) as centre:
        centre.send(STREAM)
        centre.centre.memory.forget()
        assert centre.send(STREAM[:4]).verdict.value == "duplicate"  # type: ignore[union-attr]
        store = centre.run(lambda work: work.store)
        assert store.stock["sku-1"].on_hand_units == 19
        assert store.receipts == {("till-1", "2017-09-04"): 3}


@on_both
def test_a_late_level_does_not_overwrite_a_newer_one(kind: str) -> None:
    with bench(kind) as centre:
        new, old = level(1, 4, seq=1), level(1, 9, seq=2, at_ms=START_MS - 1)
        centre.send([new, old])
        assert centre.rows("SELECT on_hand_units FROM stock") == [(4,)]


@on_both
def test_unknown_stock_is_kept_as_unknown_and_not_as_zero(kind: str) -> None:
    with bench(kind) as centre:
        centre.send([level(1, None, seq=1)])
        assert centre.rows("SELECT on_hand_units FROM stock") == [(None,)]


@on_both
def test_a_job_that_refuses_leaves_its_group_alone(kind: str) -> None:
    with bench(kind) as centre:
        _refuse_in_a_group(centre)


def _refuse_in_a_group(centre: Bench) -> None:

    def refuse(_: Transaction) -> None:
        raise SenderError("no")

    def break_down(transaction: Transaction) -> None:
        transaction.connection.execute(sa.text("INSERT INTO meta VALUES ('half', 'done')"))
        raise ZeroDivisionError

    def keep(transaction: Transaction) -> str:
        transaction.connection.execute(
            sa.text("INSERT INTO meta VALUES ('kept', 'yes') ON CONFLICT DO NOTHING")
        )
        return "kept"

    writer = centre.centre.writer
    futures = [writer.submit(job) for job in (keep, refuse, break_down, keep)]
    centre.centre.stop.set()
    writer.run(centre.centre.stop)
    assert [futures[0].result(), futures[3].result()] == ["kept", "kept"]
    with pytest.raises(SenderError):
        futures[1].result()
    with pytest.raises(ZeroDivisionError):
        futures[2].result()
    assert centre.rows("SELECT key FROM meta WHERE key IN ('half', 'kept')") == [("kept",)]


@pytest.mark.parametrize("level_seq", [1, 3])
def test_of_two_levels_of_one_moment_the_one_that_was_told_later_stands(level_seq: int) -> None:
    told = [window(1, seq=2, on_hand_units=9), level(1, 4, seq=level_seq, at_ms=START_MS + 60_000)]
    rows = sorted([*told, window(2, seq=4 - level_seq)], key=lambda row: row.seq)
    with bench(SQLITE) as centre:
        centre.send(rows)
        [(stock,)] = centre.rows("SELECT on_hand_units FROM stock WHERE sku = 'sku-1'")
        sums = centre.rows("SELECT DISTINCT on_hand_units FROM rollups WHERE sku = 'sku-1'")
        assert (stock, sums) == ((9, [(9,)]) if level_seq == 1 else (4, [(4,)]))


HARD = ('a "quoted" one', "back\\slash", "comma, {brace}", "NULL", "", "plain", "%s %(x)s")


@on_both
def test_any_text_is_kept_as_it_is(kind: str) -> None:
    """One row and many, the same in all and not: each goes to PostgreSQL in another form."""
    cases: list[tuple[str | None, ...]] = [HARD, *((text,) for text in HARD)]
    cases += [("NULL", "NULL"), ("plain", "plain"), (None, "NULL", ""), (None, None), (None,)]
    with bench(kind) as centre:
        for number, texts in enumerate(cases):
            rows = [
                {
                    "store_id": STORE, "gateway": GATEWAY, "epoch": f"e{number}", "seq": seq, "at_ms": START_MS,
                    "fact": "delivery", "sku": text or "", "units": 2**40 if seq % 2 else -1, "place": "store",
                    "on_hand_units": None, "on_shelf_units": seq if seq % 2 else None, "expected_units": seq,
                    "despatch": text, "reason": text or "",
                }
                for seq, text in enumerate(texts, 1)
            ]  # fmt: skip
            centre.run(lambda work, rows=rows: facts.insert(work.connection, "stock_facts", rows))
            kept = centre.rows(f"SELECT * FROM stock_facts WHERE epoch = 'e{number}' ORDER BY seq")
            assert kept == [tuple(row.values()) for row in rows]
