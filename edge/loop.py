"""The one thread that owns the gateway's state: drain, step, commit, and only then acknowledge.

messages of the broker ─┐
answers of the centre  ─┼─► core ─► one transaction ─► PUBACKs, `stored`, commands; questions to the models
time                   ─┘
"""

import queue
import threading
import time
from collections.abc import Callable

from contract.devices import Stored
from contract.documents import BundleDocument
from contract.topics import STORED, command_topic
from edge.backlog import Backlog
from edge.calibrated import ClassDrift, drift_of, recalibration_from
from edge.commit_pace import CommitPace
from edge.core.effects import Effect, Emit, PublishCommand, PublishStored, PutAside, RunForecast, RunScore
from edge.core.messages import ConditionReported, DeviceMessage, DocumentArrived
from edge.core.replenish import ForecastDone, ForecastJob
from edge.core.score_job import ScoreJob
from edge.core.step import EdgeCore
from edge.errors import DiskError
from edge.gather import Gathering, is_time_to_commit
from edge.inbox import Arrival, Inbox
from edge.shop_clock import ShopClock
from edge.staging.model_stage import ModelStage
from edge.store import Commit, EdgeStore
from edge.uplink import Acked, Forked, FromUplink, Poisoned, UplinkStatus
from runtime.clock import Clock
from runtime.heap import give_back_memory
from runtime.logs import Log

log = Log("edge.loop")

MAX_BATCH = 1000
DISK_RETRY_S = 1.0
REST_S = 0.25
BASELINE, DRIFT, DISK = "model-baseline", "model-drift", "disk"

Publish = Callable[[str, bytes], None]
Acknowledge = Callable[[list[Arrival]], None]


class EdgeLoop:
    """`run` until `is_stopping`. `idle_wait_s`: how long to wait for a message before looking at the clock again.

    on_progress: called after each cycle, in the loop's thread.
    """

    def __init__(
        self,
        core: EdgeCore,
        store: EdgeStore,
        stage: ModelStage,
        clock: Clock,
        inbox: Inbox,
        uplink_inbox: "queue.Queue[FromUplink]",
        uplink_status: UplinkStatus | None,
        publish: Publish,
        acknowledge: Acknowledge,
        *,
        gathering: Gathering,
        idle_wait_s: float,
        outbox_max_bytes: int,
        is_stopping: Callable[[], bool],
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._core, self._store, self._stage, self._clock = core, store, stage, clock
        self._inbox, self._uplink_inbox, self._uplink = inbox, uplink_inbox, uplink_status
        self._publish, self._acknowledge = publish, acknowledge
        self._gathering, self._idle_wait_s = gathering, idle_wait_s
        self._is_stopping, self._on_progress = is_stopping, on_progress
        self._full_cycle_s = 0.0
        self._backlog = Backlog(store, outbox_max_bytes, uplink_status)
        self._forks: list[Forked] = []
        self._job: ForecastJob | None = None
        self._score_job: ScoreJob | None = None
        self._acked: dict[str, int] = {}
        self._acked_since_s = 0.0
        self.ended = threading.Event()
        """The last commit is done and acknowledged."""
        self.uncommitted = 0
        self.ticked_ms = 0
        self.commits = 0
        self.disk_problem = ""
        self.pace = CommitPace(time.monotonic)
        self.have: dict[str, int] = {**core.state.documents.have(), **stage.have()}

    @property
    def bundle(self) -> str:
        return self._stage.models.name

    @property
    def bundle_problem(self) -> str:
        """Why the disk refuses what is to be kept of bundles, "" when it does not."""
        return self._stage.disk_problem

    @property
    def has_order_graph(self) -> bool:
        """Whether the models in use order by one; without, up to a quantile of demand."""
        return self._stage.models.orders is not None

    def drift(self) -> dict[str, ClassDrift]:
        """By class of SKUs: how far the levels of the models in use are off."""
        return drift_of(recalibration_from(self._core.state.calibrations.of(self.bundle)))

    @property
    def pending_jobs(self) -> int:
        return int(self._job is not None) + int(self._score_job is not None)

    def run(self) -> None:
        if isinstance(self._clock, ShopClock):
            self._core.clock_began(self._clock.now_ms())
        self._tell_models(self._clock.now_ms())
        while not self._is_stopping():
            self.cycle(self._idle_wait_s)
            self._on_progress()
        self._full_cycle_s = 0.0
        self.cycle(0.0)
        self.ended.set()

    def cycle(self, wait_s: float) -> None:
        """One group commit."""
        messages = self._drain(wait_s)
        now_ms = self._clock.now_ms()
        if not messages and self._is_at_rest(now_ms):
            return
        self._full_cycle_s = time.monotonic()
        if isinstance(self._clock, ShopClock) and (step_ms := self._clock.take_step()):
            log.warning("the clock was set", step_ms=step_ms)
            self._core.clock_stepped(step_ms, now_ms)
        commit = Commit(at_ms=now_ms, freeze=self._uplink is not None and self._uplink.is_up)
        self._core.tick(now_ms, int(time.monotonic() * 1000))
        for topic, payload, _, _ in messages:
            self._core.step(DeviceMessage(topic, payload), now_ms)
        documents = self._take_from_uplink(commit, now_ms)
        if self._job is not None:
            self._core.step(self._answered(self._job), now_ms)
            self._job = None
        self._mind_bundles(now_ms)
        self._core.settle(now_ms)
        effects, rows = self._core.take()
        commit.rows = rows
        commit.records = [effect.record for effect in effects if isinstance(effect, Emit)]
        commit.put_aside = [effect for effect in effects if isinstance(effect, PutAside)]
        self._add_acked(commit)
        if not commit.is_empty():
            self._commit(commit)
        if documents:
            self.have = {**self._core.state.documents.have(), **self._stage.have()}
        self._acknowledge(messages)
        self._after_commit(effects)
        # The tick counts as done only when all that it brought about is saved and handed on.
        self.ticked_ms = now_ms
        self.uncommitted = 0
        if documents:
            give_back_memory()
        if documents and self._uplink is not None:
            self._uplink.documents_applied += documents
        if self._forks:
            self._backlog.leave(self._forks, now_ms)
        self._backlog.let_out()
        self.disk_problem = self.disk_problem or self._backlog.problem

    def _is_at_rest(self, now_ms: int) -> bool:
        """Nothing came and no time passed in the shop: a look at the labels' real time now and then is enough."""
        return (
            now_ms == self.ticked_ms
            and not self.pending_jobs
            and self._uplink_inbox.empty()
            and time.monotonic() - self._full_cycle_s < REST_S
        )

    def _drain(self, wait_s: float) -> list[Arrival]:
        """Messages for one commit: what waits for company is gathered, rest is never waited for."""
        is_asked = bool(self.pending_jobs) or not self._uplink_inbox.empty()
        if self._inbox.wait(0.0 if is_asked else wait_s):
            self._gather(is_asked=is_asked)
        self.uncommitted = min(len(self._inbox), MAX_BATCH)
        return self._inbox.take(MAX_BATCH)

    def _gather(self, *, is_asked: bool) -> None:
        """Until it is time to commit what lies in the inbox; nothing is taken out yet, so a full one holds devices back."""
        inbox = self._inbox
        began_s = quiet_since_s = time.monotonic()
        seen = len(inbox)
        while not self._is_stopping():
            now_s, count = time.monotonic(), len(inbox)
            if count != seen:
                seen, quiet_since_s = count, now_s
            if count >= MAX_BATCH or is_time_to_commit(
                self._gathering, count=count, waited_s=now_s - began_s, quiet_s=now_s - quiet_since_s,
                is_urgent=inbox.is_urgent or is_asked,
            ):  # fmt: skip
                return
            time.sleep(self._gathering.slice_s)

    def _take_from_uplink(self, commit: Commit, now_ms: int) -> int:
        """Applies what came back from the centre; the number of documents among it."""
        documents = 0
        for _ in range(MAX_BATCH):
            try:
                item = self._uplink_inbox.get_nowait()
            except queue.Empty:
                break
            self.uncommitted += 1
            if isinstance(item, Acked):
                if not self._acked:
                    self._acked_since_s = time.monotonic()
                self._acked[item.epoch] = max(item.through, self._acked.get(item.epoch, 0))
                commit.refused.extend((item.epoch, seq, reason) for seq, reason in item.refused)
                self._core.state.tally.add("records_refused_total", len(item.refused))
            elif isinstance(item, Poisoned):
                commit.poisoned.append((item.epoch, item.seq, item.reason))
                self._core.state.tally.add("records_refused_total")
            elif isinstance(item, Forked):
                self._forks.append(item)
            else:
                documents += isinstance(item, DocumentArrived)
                if isinstance(item, DocumentArrived) and isinstance(item.document, BundleDocument):
                    self._stage.take(item.document, self._core.state.documents.models)
                    continue
                self._core.step(item, now_ms)
        return documents

    def _add_acked(self, commit: Commit) -> None:
        """Deleting acknowledged rows is not urgent: it joins the next commit, or makes one after a second."""
        if not self._acked:
            return
        if commit.is_empty() and time.monotonic() - self._acked_since_s < 1.0:
            return
        commit.acked, self._acked = self._acked, {}

    def _commit(self, commit: Commit) -> None:
        """Until it succeeds: nothing is acknowledged before, so devices and broker keep what we cannot."""
        self.pace.begin()
        while True:
            try:
                self._store.commit(commit)
            except DiskError as error:
                if not self.disk_problem:
                    log.warning("the disk refuses a commit, trying again", reason=str(error))
                self.disk_problem = str(error)
                time.sleep(DISK_RETRY_S)
                if self._is_stopping():
                    raise
                # A disk that says no is a known problem, and a restart heals none; a disk that says nothing ends us.
                self._on_progress()
                continue
            self.commits += 1
            self.disk_problem = ""
            break
        self.pace.end()
        self._backlog.after_commit(commit.at_ms, acked=bool(commit.acked))

    def _after_commit(self, effects: list[Effect]) -> None:
        stored: dict[tuple[str, str], int] = {}
        for effect in effects:
            if isinstance(effect, PublishStored):
                stored[effect.device, effect.boot_id] = effect.through_seq
            elif isinstance(effect, PublishCommand):
                self._publish(command_topic(effect.device, effect.name), effect.payload)
            elif isinstance(effect, RunForecast):
                self._job = effect.job
            elif isinstance(effect, RunScore):
                self._score_job = effect.job
        for (device, boot_id), through_seq in stored.items():
            payload = Stored(boot_id=boot_id, through_seq=through_seq).to_json()
            self._publish(command_topic(device, STORED), payload)

    def _answered(self, job: ForecastJob) -> ForecastDone:
        try:
            return self._stage.answer(job)
        except ValueError as error:
            # Inputs that the models refuse: these SKUs go without, everything else goes on.
            log.warning("the models refuse a question", reason=str(error), skus=len(job.lines))
            return ForecastDone(job, (), self._stage.models.name, str(error))

    def _mind_bundles(self, now_ms: int) -> None:
        """Brings the bundles to what the centre wants, scores them, and tells what became of them."""
        core, stage = self._core, self._stage
        wanted = core.state.documents.models
        if wanted is not None and stage.wants_change(wanted):
            stage.reconcile(wanted, core.scoring.probe(now_ms))
        if self._score_job is not None:
            job, self._score_job = self._score_job, None
            core.step(stage.score(job), now_ms)
            if job.is_last:
                self._tell_drift(now_ms)
        if stage.news:
            news, stage.news = stage.news, []
            for each in news:
                core.step(each, now_ms)
            self._tell_models(now_ms)

    def _tell_models(self, now_ms: int) -> None:
        doubt = self._stage.models.doubt
        text = f"forecasts come from the baseline: {doubt}" if doubt else "the bundle is in use"
        self._core.use_bundle(self._stage.models.name)
        self._core.step(ConditionReported(BASELINE, "models", active=bool(doubt), text=text[:300]), now_ms)
        self._tell_drift(now_ms)

    def _tell_drift(self, now_ms: int) -> None:
        """An alert while the levels of the models in use are off by more than they should be."""
        found = recalibration_from(self._core.state.calibrations.of(self._stage.models.name))
        doubts = found.doubts() if found is not None else []
        text = "; ".join(doubts) or "the forecasts' levels hold"
        self._core.step(ConditionReported(DRIFT, "models", active=bool(doubts), text=text[:300]), now_ms)
