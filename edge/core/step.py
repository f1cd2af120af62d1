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
    Place,
    Receipt,
    Rejected,
    Stocktake,
    Weight,
)
from contract.documents import AcksDocument, AnyDocument, ConfigDocument, DeliveriesDocument
from contract.lean_weight import LeanWeight
from contract.records import AlertRecord, Severity, StagingState, StockFact, StockFactKind
from edge.core.alerts import in_band
from edge.core.clock_step import shift_times, step_of_start
from edge.core.clockwork import DAY, EMPTY, HEALTH, RECONCILED, SILENCE, Clockwork
from edge.core.devices import SHELF_KIND
from edge.core.effects import Effect, PublishCommand, RunScore
from edge.core.esl import LOW_BATTERY_MV, LabelOutcome
from edge.core.goods import Goods
from edge.core.intake import Intake
from edge.core.lean import LeanDocument, LeanHistory, LeanSupply, lean_from
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
from edge.core.stock import Level
from edge.core.till import Till

LABEL_FAILED, LABEL_BATTERY, LOW_STOCK = "label-failed", "label-battery", "low-stock"
REFUSED, BUNDLE_REFUSED = "document-refused", "bundle-refused"
MAX_BUNDLES_TOLD = 50
TOLD_KINDS = frozenset({"config", "prices", "models"})
"""Documents whose application the centre is told; the others are told when they are refused."""


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
        self._level_due_ms: int | None = None
        self._next_due_ms = 0

    def restore(self, rows: list[tuple[str, str, str]]) -> None:
        """Takes back the rows of all earlier `take` calls. Raises ValueError when one is none of ours."""
        self.state.restore(rows)
        self._use_rules()
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
            self._document(message.document, now_ms)
        elif isinstance(message, ForecastDone):
            self.ordering.answered(message, now_ms)
        elif isinstance(message, ConditionReported):
            self.state.alert(
                message.code, message.subject, active=message.active, text=message.text, now_ms=now_ms
            )
        elif isinstance(message, AlertNoted):
            self._emit_all(self.state.alerts.acknowledge(message.code, message.subject, message.who, now_ms))
        elif isinstance(message, ScoreDone):
            self._ask_score(self.scoring.answered(message, now_ms))
        elif isinstance(message, BundleNews):
            self._bundle(message, now_ms)
        else:
            assert isinstance(message, BadInput)
            self._intake.put_aside(message.source, message.stream, message.reason, message.payload, now_ms)
            if message.kind:
                self._refused(message.kind, message.version, message.reason, now_ms)

    def settle(self, now_ms: int) -> None:
        """Call once after the messages of a batch."""
        if self._next_due_ms:
            return  # nothing has happened since
        # Documents and late events may have made time-driven work due, also while the clock stands.
        self._clockwork.tick(now_ms)
        self._tell_levels(now_ms)
        self._judge_config(now_ms)
        self.ordering.ask(now_ms)
        self._ask_score(self.scoring.next_job(now_ms))
        dues = (
            self._clockwork.next_due_ms(),
            self._level_due_ms,
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

    def _document(self, given: AnyDocument | LeanDocument, now_ms: int) -> None:
        state, document = self.state, lean_from(given)
        before = (state.documents.rules, state.documents.gates)
        try:
            if not state.documents.apply(document, now_ms):
                return
        except ValueError as error:
            self._refuse(document, str(error), now_ms)
            return
        state.tally.add("documents_total")
        name = f"version {document.version}"
        if document.kind in TOLD_KINDS:
            state.staged(document.kind, name, StagingState.APPLIED, now_ms)
        text = f"{document.kind} {name} is in force"
        state.alert(REFUSED, document.kind, active=False, text=text, now_ms=now_ms)
        if isinstance(document, ConfigDocument):
            state.config_trial.begin(document.version, *before, now_ms)
            self._use_rules()
            self._rules.changed(now_ms)
            return
        if isinstance(document, AcksDocument):
            for ack in document.acks:
                self._emit_all(
                    state.alerts.acknowledge(ack.code, ack.subject, ack.who, now_ms, ack.raised_ms)
                )
            return
        if isinstance(document, DeliveriesDocument):
            self._goods.noted(document, now_ms)
            return
        self._clockwork.plan_again()
        self.ordering.forget_inputs()
        if isinstance(document, LeanSupply):
            for line in document.lines:
                state.plans.dirty(line.sku, now_ms)
                state.plans.can_order(line.sku)
        if isinstance(document, LeanHistory):
            for sku, plan in state.plans.rows.by_key.items():
                plan.forecast_day = ""
                state.plans.dirty(sku, now_ms)
                state.plans.rows.touch(sku)
        state.marks.set(DAY, 0)  # whichever document it was: the day's work looks at all of them

    def _refuse(self, document: AnyDocument | LeanDocument, reason: str, now_ms: int) -> None:
        """The last good document stays in force; people see why the new one does not."""
        self._intake.put_aside("central", document.kind, reason, document.to_json(), now_ms)
        self._refused(document.kind, document.version, reason, now_ms)

    def _refused(self, kind: str, version: int, reason: str, now_ms: int) -> None:
        state = self.state
        if state.documents.refuse(kind, version):
            state.staged(kind, f"version {version}", StagingState.REFUSED, now_ms, reason=reason)
            state.alert(REFUSED, kind, active=True, text=reason, now_ms=now_ms)

    def _judge_config(self, now_ms: int) -> None:
        """Takes a configuration back that floods the shop with alerts; one that has stood its time is good."""
        state, trial = self.state, self.state.config_trial
        running, due_ms = trial.running, trial.due_ms()
        if running is None or due_ms is None:
            return
        name = f"version {running.version}"
        if trial.is_flooded():
            trial.end()
            state.documents.take_back_config(running.rules, running.gates)
            self._use_rules()
            self._rules.changed(now_ms)
            minutes = (now_ms - running.since_ms) // 60_000
            reason = (
                f"config {name} raised {running.raised} alerts within {minutes} minutes; at most"
                f" {running.gates.new_alerts} may: the one before holds again"
            )
            state.staged("config", name, StagingState.REVERTED, now_ms, reason=reason)
            state.alert(REFUSED, "config", active=True, text=reason, now_ms=now_ms)
        elif now_ms >= due_ms:
            trial.end()
            state.staged("config", name, StagingState.GOOD, now_ms)

    def _use_rules(self) -> None:
        """Rooms that keep a limit of the configuration."""
        rule = self.state.documents.rules.silent_device
        devices = self.state.devices
        devices.shelf_silent_ms = rule.shelf_after_min * 60_000
        devices.other_silent_ms = rule.other_after_min * 60_000

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

    def _emit_all(self, records: list[AlertRecord]) -> None:
        for record in records:
            self.state.emit(record)

    def _tell_levels(self, now_ms: int) -> None:
        """Levels that changed, stock-outs that began or ended. A level that may not be told yet stays touched."""
        state = self.state
        later: dict[str, int] = {}
        due_ms: int | None = None
        for sku, at_ms in sorted(state.touched.items()):
            level = state.level(sku)
            self._track_empty(sku, level, at_ms or now_ms, now_ms)
            self._track_low(sku, level, now_ms)
            state.plans.stock_is(sku, level.on_hand_units)
            if not state.levels.is_news(sku, level):
                continue
            may_ms = state.levels.may_tell_ms(sku, level)
            if now_ms < may_ms:
                later[sku] = at_ms
                due_ms = may_ms if due_ms is None else min(due_ms, may_ms)
                continue
            self._tell(sku, level, now_ms)
        state.touched = later
        self._level_due_ms = due_ms

    def _tell(self, sku: str, level: Level, now_ms: int) -> None:
        if not self.state.documents.is_managed(sku):
            return
        self.state.levels.told(sku, level, now_ms)
        on_hand = level.on_hand_units
        self.state.emit(
            StockFact(
                seq=1,
                at_ms=now_ms,
                fact=StockFactKind.LEVEL,
                sku=sku,
                units=on_hand if on_hand is not None else 0,
                place=Place.STORE,
                on_hand_units=on_hand,
                on_shelf_units=level.on_shelf_units,
                reason="" if on_hand is not None else "unknown",
            )
        )

    def _track_empty(self, sku: str, level: Level, at_ms: int, now_ms: int) -> None:
        state = self.state
        if level.on_shelf_units == 0:
            state.stock_outs.set_empty(sku, at_ms)
            return
        calendar = state.documents.calendar
        for piece in state.stock_outs.set_filled(sku, at_ms, calendar):
            state.windows.add_stock_out(piece.sku, piece.from_ms, piece.to_ms - piece.from_ms, piece.open_ms)
            if calendar is not None:
                state.was_empty(piece, calendar)
        state.alert(
            EMPTY, sku, active=False, text=f"{self.state.documents.title(sku)} has goods again", now_ms=now_ms
        )

    def _track_low(self, sku: str, level: Level, now_ms: int) -> None:
        """Low: not more than `raise_days` of demand are left; cleared above `clear_days`."""
        mean = self.state.plans.daily_mean(sku)
        on_hand = level.on_hand_units
        if mean is None or on_hand is None:
            return
        was = self.state.alerts.is_open(LOW_STOCK, sku)
        rule = self.state.documents.rules.low_stock
        low = in_band(on_hand, rule.raise_days * mean, rule.clear_days * mean + 1, was_active=was)
        title = self.state.documents.title(sku)
        text = f"{title}: {on_hand} {'unit' if on_hand == 1 else 'units'} left, {mean:.1f} sell a day"
        self.state.alert(LOW_STOCK, sku, active=low, text=text, now_ms=now_ms)

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
