"""The core of the gateway: messages and time in, effects and rows to save out. No I/O, no clock, no threads.

    core.tick(now_ms, real_ms)         time alone
    core.step(message, now_ms)         one message
    core.settle(now_ms)                what follows from all of it: levels, stock-outs, questions to the models
    effects, rows = core.take()        for one transaction, and what is to be done after it

now_ms is business time, real_ms a monotonic clock for waits. Equal calls give equal effects; a core restored from its rows
goes on as if it had never stopped.
"""

from contract.devices import (
    Adjustment,
    Birth,
    Calibration,
    DayClose,
    Death,
    Delivery,
    DeviceEvent,
    EslAck,
    EslStatus,
    Fault,
    Heartbeat,
    Receipt,
    Rejected,
    Stocktake,
    Weight,
)
from contract.lean_weight import LeanWeight
from contract.records import Severity, StagingState
from edge.core.clock_step import shift_times, step_of_start
from edge.core.clockwork import HEALTH, RECONCILED, SILENCE, Clockwork
from edge.core.desired_state import DesiredState
from edge.core.devices import SHELF_KIND
from edge.core.effects import Effect, PublishCommand, RunScore
from edge.core.esl import LOW_BATTERY_MV, LabelOutcome
from edge.core.goods import Goods
from edge.core.intake import Intake
from edge.core.level_news import LevelNews
from edge.core.messages import (
    AlertNoted,
    BadInput,
    BundleNews,
    ConditionReported,
    DeviceMessage,
    DocumentArrived,
    Message,
)
from edge.core.ordering import Ordering
from edge.core.replenish import ForecastDone
from edge.core.rows import Row
from edge.core.rules.local_rules import LocalRules
from edge.core.score_job import ScoreDone, ScoreJob
from edge.core.scoring import Scoring
from edge.core.sensing import Sensing
from edge.core.state import EdgeState
from edge.core.till import Till

LABEL_FAILED, LABEL_BATTERY = "label-failed", "label-battery"
BUNDLE_REFUSED = "bundle-refused"
MAX_BUNDLES_TOLD = 50


class EdgeCore:
    def __init__(self, *, window_ms: int = 60_000, version: str = "") -> None:
        self.state = EdgeState(window_ms)
        self.state.documents.program = version
        self._intake = Intake(self.state)
        self._rules = LocalRules(self.state)
        self._sensing = Sensing(self.state, self._rules)
        self._till = Till(self.state, self._rules)
        self._goods = Goods(self.state)
        self.ordering = Ordering(self.state)
        self.scoring = Scoring(self.state)
        self._clockwork = Clockwork(self.state, self._sensing, self._goods, self._rules, version)
        self._levels = LevelNews(self.state)
        self._desired = DesiredState(
            self.state, self._intake, self._rules, self._goods, self.ordering, self._clockwork
        )
        self._next_due_ms = 0

    def restore(self, rows: list[tuple[str, str, str]]) -> None:
        """Takes back the rows of all earlier `take` calls. Raises ValueError when one is none of ours."""
        self.state.restore(rows)
        self._desired.use_rules()
        self._clockwork.go_on()

    def use_bundle(self, name: str) -> None:
        """The models' name, as health records tell it; what is known of their levels goes by it."""
        self._clockwork.bundle = self.state.bundle = name

    def tick(self, now_ms: int, real_ms: int) -> None:
        if now_ms >= self._next_due_ms:
            self._clockwork.tick(now_ms)
            self._next_due_ms = 0  # `settle` finds the next one
        if self.state.labels.needs_step():
            commands, outcomes = self.state.labels.step(real_ms)
            for label in commands:
                self.state.effects.append(PublishCommand(label.base, "price", label.command.to_json()))
            self._labels(outcomes, now_ms)

    def clock_began(self, now_ms: int) -> None:
        """The clock's time at the start, after `restore`: it may be behind what was saved."""
        step_ms = step_of_start(self.state.marks, (SILENCE, HEALTH, RECONCILED), now_ms)
        if step_ms:
            self.clock_stepped(step_ms, now_ms)

    def clock_stepped(self, step_ms: int, now_ms: int) -> None:
        """Somebody set the clock by `step_ms`; it says `now_ms`."""
        shift_times(self.state, step_ms, now_ms)
        self._clockwork.plan_again()
        self._next_due_ms = 0

    def step(self, message: Message, now_ms: int) -> None:
        self._next_due_ms = 0
        if isinstance(message, DeviceMessage):
            event = self._intake.event_from(message.topic, message.payload, now_ms)
            if event is not None:
                self._act(event, now_ms)
        elif isinstance(message, DocumentArrived):
            self._desired.arrived(message.document, now_ms)
        elif isinstance(message, ForecastDone):
            self.ordering.answered(message, now_ms)
        elif isinstance(message, ConditionReported):
            self.state.alert(
                message.code, message.subject, active=message.active, text=message.text, now_ms=now_ms
            )
        elif isinstance(message, AlertNoted):
            self.state.emit_all(
                self.state.alerts.acknowledge(message.code, message.subject, message.who, now_ms)
            )
        elif isinstance(message, ScoreDone):
            self._ask_score(self.scoring.answered(message, now_ms))
        elif isinstance(message, BundleNews):
            self._bundle(message, now_ms)
        else:
            assert isinstance(message, BadInput)
            self._intake.put_aside(message.source, message.stream, message.reason, message.payload, now_ms)
            if message.kind:
                self._desired.refused(message.kind, message.version, message.reason, now_ms)

    def settle(self, now_ms: int) -> None:
        """Call once after the messages of a batch."""
        if self._next_due_ms:
            return  # nothing has happened since
        # Documents and late events may have made time-driven work due, also while the clock stands.
        self._clockwork.tick(now_ms)
        self._levels.tell(now_ms)
        self._desired.judge_config(now_ms)
        self.ordering.ask(now_ms)
        self._ask_score(self.scoring.next_job(now_ms))
        dues = (
            self._clockwork.next_due_ms(),
            self._levels.due_ms,
            None if self.ordering.is_waiting else self.state.plans.next_due_ms(),
            self.scoring.due_ms(),
        )
        self._next_due_ms = max(now_ms + 1, min(due for due in dues if due is not None))

    def take(self) -> tuple[list[Effect], list[Row]]:
        effects, self.state.effects = self.state.effects, []
        return effects, self.state.changed()

    def _act(self, event: DeviceEvent | LeanWeight, now_ms: int) -> None:
        if isinstance(event, LeanWeight | Weight):
            self._kind(event.device, SHELF_KIND)
            self._sensing.weight(event, now_ms)
        elif isinstance(event, Receipt):
            self._till.receipt(event, now_ms)
        elif isinstance(event, DayClose):
            self._till.day_close(event, now_ms)
        elif isinstance(event, Delivery):
            self._goods.delivery(event, now_ms)
        elif isinstance(event, Stocktake):
            self._goods.stocktake(event, now_ms)
        elif isinstance(event, Adjustment):
            self._goods.adjustment(event, now_ms)
        elif isinstance(event, EslAck):
            self._labels(self.state.labels.acknowledged(event), now_ms)
        elif isinstance(event, EslStatus):
            self._label_status(event, now_ms)
        elif isinstance(event, Fault):
            self._sensing.fault(event, now_ms)
        elif isinstance(event, Calibration):
            self._sensing.calibration(event, now_ms)
        elif isinstance(event, Birth):
            self._birth(event)
        elif isinstance(event, Death):
            self.state.devices.rows.by_key[event.device].online = False
            self.state.devices.rows.touch(event.device)
        elif isinstance(event, Rejected):
            self._intake.reject(event, now_ms)
        elif isinstance(event, Heartbeat):
            self._rules.heartbeat(event, now_ms)
        # A scan says that the device lives, which `admit` has noted.

    def _birth(self, birth: Birth) -> None:
        self._kind(birth.device, birth.kind)
        self.state.devices.rows.by_key[birth.device].online = True
        if birth.device == self.state.documents.esl_base:
            self.state.labels.base_is_back()

    def _kind(self, device: str, kind: str) -> None:
        row = self.state.devices.rows.by_key[device]
        if row.kind != kind:
            row.kind = kind
            self.state.devices.rows.touch(device)

    def _ask_score(self, job: ScoreJob | None) -> None:
        if job is not None:
            self.state.effects.append(RunScore(job))

    def _bundle(self, news: BundleNews, now_ms: int) -> None:
        """Told to the centre; a bundle that was not taken is an alert until one is."""
        state = self.state
        if news.is_again and state.bundles_told.get(news.sha256) == news.state.value:
            return
        state.bundles_told.put(news.sha256, news.state.value)
        for sha256 in list(state.bundles_told.by_key)[:-MAX_BUNDLES_TOLD]:
            state.bundles_told.drop(sha256)
        state.staged("bundle", news.name, news.state, now_ms, reason=news.reason, sha256=news.sha256)
        if news.state in (StagingState.REFUSED, StagingState.REVERTED):
            text = f"bundle {news.name} was {news.state}: {news.reason}"
            state.alert(BUNDLE_REFUSED, "bundle", active=True, text=text, now_ms=now_ms)
        elif news.state in (StagingState.APPLIED, StagingState.GOOD):
            text = f"bundle {news.name} is in force"
            state.alert(BUNDLE_REFUSED, "bundle", active=False, text=text, now_ms=now_ms)
        if news.state in (StagingState.APPLIED, StagingState.GOOD, StagingState.REVERTED):
            for sku in state.plans.rows.by_key:
                state.plans.dirty(sku, now_ms)

    def _label_status(self, status: EslStatus, now_ms: int) -> None:
        self._labels(self.state.labels.status(status), now_ms)
        if status.battery_mv:  # 0 and None: it cannot measure
            low = status.battery_mv < LOW_BATTERY_MV
            text = (
                f"tag {status.tag} runs on {status.battery_mv} mV; change its battery below {LOW_BATTERY_MV}"
            )
            self.state.alert(LABEL_BATTERY, status.tag, active=low, text=text, now_ms=now_ms)

    def _labels(self, outcomes: list[LabelOutcome], now_ms: int) -> None:
        for outcome in outcomes:
            self.state.tally.add("labels_failed_total", int(outcome.failed))
            self.state.alert(
                LABEL_FAILED, outcome.tag, active=outcome.failed, text=outcome.text, now_ms=now_ms,
                severity=Severity.WARNING,
            )  # fmt: skip
