"""The uplink against a centre that refuses, lies, forgets and dies. The store is real, the centre answers in memory."""

import time

import pytest
from edge_centre import Centre
from hypothesis import given, settings
from hypothesis import strategies as st

from central.core.ingest import BatchVerdict, Verdict, judge_batch
from contract.records import AlertRecord, Severity
from edge import uplink as uplink_module
from edge.core.messages import BadInput, DocumentArrived
from edge.outbox_reader import OutboxReader
from edge.pace import MIN_ROWS, WITHIN_S
from edge.store import Commit
from edge.store_file import open_store
from edge.transport import CentralTransport, Reply
from edge.uplink import Acked, Forked, Poisoned, Uplink
from runtime.errors import OperatorError, RetryLaterError


class FixedClock:
    def now_ms(self):
        return 5


def alert(number):
    return AlertRecord(
        seq=1, at_ms=number, code="x", subject=str(number), severity=Severity.INFO, cleared=False, text=""
    )


class Rig:
    def __init__(self, folder, count=0):
        self.store, self.centre = open_store(folder, 0), Centre()
        self.uplink = Uplink(
            self.centre, self.store.streams, self.store.path, FixedClock(), lambda: {"items": 3},
            gateway="gw-1", store="s-1", linger_s=0, poll_interval_s=1000, is_stopping=lambda: False,
        )  # fmt: skip
        self.uplink._last_post_s = time.monotonic()
        self.reader = OutboxReader(self.store.path)
        if count:
            self.store.commit(Commit(0, records=[alert(n) for n in range(count)]))

    def items(self):
        found = []
        while not self.uplink.inbox.empty():
            found.append(self.uplink.inbox.get())
        return [item for item in found if not type(item).__name__.startswith("Condition")]

    def cycle(self):
        return self.uplink.cycle(self.reader)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    monkeypatch.setattr(
        uplink_module.Uplink,
        "_pause",
        lambda self, wait_s: self.__dict__.setdefault("waits", []).append(wait_s),
    )
    rig = Rig(tmp_path, 10)
    yield rig
    rig.reader.close()
    rig.store.close()


def test_rows_go_up_once_and_are_acknowledged(rig):
    assert rig.cycle()
    assert (rig.centre.bodies[0].seq_from, rig.centre.bodies[0].seq_to) == (1, 10)
    assert rig.centre.bodies[0].have == {"items": 3}
    assert rig.items() == [Acked(rig.store.streams.live.epoch, 10)]
    assert not rig.cycle()


def test_an_unanswered_batch_is_sent_again_identically(rig):
    rig.centre.script = [RetryLaterError("gone"), 503, 500]
    for _ in range(4):
        rig.cycle()
    assert len({body.model_dump_json() for body in rig.centre.bodies}) == 1
    assert rig.uplink.status.resent == 3
    waits = rig.uplink.waits
    assert all(0.05 < wait < 6 for wait in waits)
    assert waits[2] > waits[0]


def test_a_partly_acknowledged_batch_goes_on_where_the_centre_is(rig):
    rig.centre.script = [lambda batch: rig.centre.accept(batch, through=4)]
    rig.cycle()
    rig.cycle()
    assert [(body.seq_from, body.seq_to) for body in rig.centre.bodies] == [(1, 10), (5, 10)]


def test_every_batch_says_that_nothing_before_its_first_row_can_come_again(rig):
    rig.centre.script = [503, lambda batch: rig.centre.accept(batch, through=4), 503]
    for _ in range(4):
        rig.cycle()
    kept = [(body.seq_from, body.kept_from_seq) for body in rig.centre.bodies]
    assert kept == [(1, 1), (1, 1), (5, 5), (5, 5)]
    rig.uplink._last_post_s -= 2000
    rig.cycle()
    assert rig.centre.bodies[-1].kept_from_seq is None  # a question has no rows


def test_a_centre_that_forgot_everything_is_no_dead_end(rig):
    rig.cycle()
    rig.store.commit(Commit(0, records=[alert(1)]))
    rig.cycle()
    batch = rig.centre.bodies[-1]
    assert judge_batch(None, 11, 11, rows=1, kept_from_seq=batch.kept_from_seq) == BatchVerdict(
        Verdict.LOST, 11, take_from=11, missing=(1, 10)
    )


@given(
    st.lists(st.sampled_from(["ok", "lost request", "lost answer", "partly", 503, 422]), max_size=30),
    st.data(),
)
@settings(max_examples=40)
def test_a_centre_that_forgets_nothing_never_declares_a_gap(tmp_path_factory, steps, data):
    """Resent, halved, partly acknowledged: by the centre's own judgement, each batch is known or comes next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uplink_module.Uplink, "_pause", lambda self, wait_s: None)
        rig = Rig(tmp_path_factory.mktemp("uplink"), 10)
        through: dict[str, int] = {}

        def answer(step, batch):
            if step in (503, 422) or step == "lost request":
                if step == "lost request":
                    raise RetryLaterError(step)
                return Reply(step, b"no", None)
            found = judge_batch(
                through.get(batch.epoch), batch.seq_from, batch.seq_to,
                rows=sum(len(columns["seq"]) for columns in batch.records.values()), kept_from_seq=batch.kept_from_seq,
            )  # fmt: skip
            assert found.verdict not in (Verdict.LOST, Verdict.AHEAD)
            stored = found.acked_through
            if step == "partly" and found.take_from is not None:
                stored = data.draw(st.integers(found.take_from - 1, found.acked_through))
            through[batch.epoch] = max(stored, through.get(batch.epoch, 0))
            if step == "lost answer":
                raise RetryLaterError(step)
            return rig.centre.accept(batch, through=through[batch.epoch])

        try:
            for number, step in enumerate(steps):
                rig.centre.script = [lambda batch, step=step: answer(step, batch)] * 3
                if data.draw(st.booleans()):
                    rig.store.commit(Commit(0, records=[alert(number)], freeze=data.draw(st.booleans())))
                if data.draw(st.integers(0, 9)) == 0:
                    rig.store.open_epoch()
                rig.store.freeze()
                rig.cycle()
                acked = [item for item in rig.items() if isinstance(item, Acked)]
                if data.draw(st.booleans()):
                    rig.store.commit(Commit(0, acked={item.epoch: item.through for item in acked}))
        finally:
            rig.reader.close()
            rig.store.close()


def test_a_centre_that_has_more_than_we_sent_has_it_from_another_and_acknowledges_nothing(rig):
    live = rig.store.streams.live
    rig.centre.script = [lambda batch: rig.centre.accept(batch, through=10**6)]
    rig.cycle()
    assert rig.items() == [Forked(live.epoch, 10**6)]
    assert live.acked_through == 0
    rig.cycle()
    assert len(rig.centre.bodies) == 1  # the epoch rests until the loop has left it


def test_the_centres_position_is_asked_for_before_the_first_row_of_an_old_file(rig):
    rig.store.close()
    rig.store = open_store(rig.store.path.parent, 0)
    rig.uplink._streams = rig.store.streams
    rig.centre.script = [lambda batch: rig.centre.accept(batch, through=4)]
    rig.cycle()
    rig.cycle()
    assert [(body.seq_from, body.seq_to) for body in rig.centre.bodies] == [(0, 0), (5, 10)]


def test_a_twin_is_told_apart_and_positions_are_compared_again(rig):
    rig.centre.script = [409, lambda batch: rig.centre.accept(batch, through=3)]
    rig.cycle()
    assert "another gateway" in rig.uplink.status.problem
    rig.cycle()
    assert [(body.seq_from, body.seq_to) for body in rig.centre.bodies] == [(1, 10), (0, 0)]
    # It was acknowledged nothing, and the centre has three: they may be the twin's.
    assert rig.items() == [Forked(rig.store.streams.live.epoch, 3)]


def test_a_damaged_row_is_given_up_and_nothing_else(rig):
    rig.store.db.execute("UPDATE outbox SET json = replace(json, 'x', 'y') WHERE seq = 4")
    rig.cycle()
    rig.cycle()
    assert [(body.seq_from, body.seq_to) for body in rig.centre.bodies] == [(1, 3)]
    epoch = rig.store.streams.live.epoch
    [acked, poisoned] = rig.items()
    assert (acked, poisoned.seq) == (Acked(epoch, 3), 4)
    rig.store.commit(Commit(0, poisoned=[(epoch, 4, poisoned.reason)]))
    rig.cycle()
    assert [(body.seq_from, body.seq_to) for body in rig.centre.bodies] == [(1, 3), (4, 10)]
    assert "damaged" in rig.centre.bodies[-1].records["gap"]["reason"][0]


def test_an_answer_for_another_epoch_acknowledges_nothing(rig):
    rig.centre.script = [lambda batch: rig.centre.accept(batch.model_copy(update={"epoch": "other"}))]
    rig.cycle()
    assert rig.items() == []
    assert rig.store.streams.live.acked_through == 0


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_batch_is_halved_until_the_one_bad_row_is_named(rig, status):
    def judge(batch):
        if batch.seq_from <= 7 <= batch.seq_to:
            return Reply(status, b"row 7 is bad", None)
        return rig.centre.accept(batch)

    rig.centre.script = [judge] * 100
    for _ in range(30):
        rig.cycle()
        if rig.store.streams.live.acked_through == 6 and rig.uplink._limit == 1:
            break
    rig.cycle()
    poisoned = [item for item in rig.items() if isinstance(item, Poisoned)]
    assert {(item.seq, item.reason) for item in poisoned} == {(7, "the centre refuses it: row 7 is bad")}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_is_a_problem_and_the_rows_stay(rig, status):
    rig.centre.script = [status]
    rig.cycle()
    assert str(status) in rig.uplink.status.problem
    assert rig.store.streams.live.waiting == 10
    rig.cycle()
    assert rig.uplink.status.problem == ""


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"gateway":"gw-1"}', b"\xff\xfe"])
def test_a_reply_that_makes_no_sense_acknowledges_nothing(rig, body):
    rig.centre.script = [lambda _: Reply(200, body, None)]
    rig.cycle()
    assert rig.store.streams.live.acked_through == 0
    assert "makes no sense" in rig.uplink.status.problem


def test_one_bad_document_does_not_hold_up_the_others(rig):
    good = {"kind": "prices", "version": 4, "prices": []}
    rig.centre.extra = {"documents": [{"kind": "items", "version": 1, "items": [{"sku": "!"}]}, good]}
    rig.cycle()
    items = rig.items()
    assert [type(item) for item in items] == [BadInput, DocumentArrived, Acked]
    assert items[1].document.version == 4


def test_a_refused_row_is_told_with_its_reason(rig):
    rig.centre.extra = {"rejected": [{"seq": 3, "reason": "odd"}]}
    rig.cycle()
    assert rig.items()[-1].refused == ((3, "odd"),)


def test_live_records_do_not_wait_behind_a_backlog(rig):
    rig.uplink._limit = 2
    old = rig.store.streams.live.epoch
    new = rig.store.open_epoch()
    rig.store.commit(Commit(0, records=[alert(99)]))
    rig.cycle()
    assert [body.epoch for body in rig.centre.bodies] == [new, old]
    for _ in range(5):
        rig.cycle()
    assert rig.store.streams.waiting() == 0


def test_a_backlog_that_posts_all_the_time_does_not_make_live_records_linger(rig):
    rig.uplink._limit, rig.uplink._linger_s = 1, 0.05
    new = rig.store.open_epoch()
    rig.store.freeze(rig.store.streams.all()[0])
    rig.store.commit(Commit(0, records=[alert(99)]))
    rig.cycle()
    rig.uplink._limit = 1
    rig.store.commit(Commit(0, records=[alert(100)]))
    for _ in range(5):
        time.sleep(0.02)
        rig.uplink._limit = 1
        rig.cycle()
    assert [body.seq_to for body in rig.centre.bodies if body.epoch == new] == [1, 2]
    assert len([body for body in rig.centre.bodies if body.epoch != new]) > 2


def test_a_backlog_gives_a_slow_centre_small_batches_and_a_fast_one_large_ones(rig):
    pace = rig.uplink._backlog
    most = pace.rows
    old = rig.store.streams.live.epoch
    rig.store.open_epoch()
    rig.store.commit(Commit(0, records=[alert(99)]))
    answer = rig.centre.post
    rig.centre.post = lambda body: (time.sleep(WITHIN_S * 1.1), answer(body))[1]
    pace.rows = 6
    rig.cycle()
    rig.centre.post = answer
    assert [body.seq_to for body in rig.centre.bodies if body.epoch == old] == [6]
    assert pace.rows == MIN_ROWS < most
    for rows in (MIN_ROWS, 2 * MIN_ROWS, 4 * MIN_ROWS, 8 * MIN_ROWS):
        pace.took(0.01, rows)
    assert pace.rows == most
    pace.took(0.01, 3)  # the end of a backlog says nothing about a whole batch
    assert pace.rows == most


def test_unfrozen_rows_are_not_sent(rig):
    rig.cycle()
    rig.store.commit(Commit(0, records=[alert(1)], freeze=False))
    assert not rig.cycle()
    rig.store.freeze()
    assert rig.cycle()


def test_without_news_the_centre_is_asked_at_the_poll_interval(rig):
    rig.cycle()
    rig.uplink._last_post_s -= 2000
    rig.cycle()
    assert rig.centre.bodies[-1].records == {}


@pytest.mark.parametrize("url", ["ftp://x", "central", "http://", ""])
def test_a_bad_central_url_is_named(url):
    with pytest.raises(OperatorError, match="central_url"):
        CentralTransport(url, "gw-1", "")


def test_nobody_listening_is_a_retry():
    with pytest.raises(RetryLaterError, match=r"127\.0\.0\.1:1"):
        CentralTransport("http://127.0.0.1:1", "gw-1", "k").post(b"")
