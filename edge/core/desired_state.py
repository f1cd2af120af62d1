"""The centre's documents as they arrive: applied whole, refused with a reason, or taken back when a configuration floods the shop."""

from contract.documents import AcksDocument, AnyDocument, ConfigDocument, DeliveriesDocument
from contract.records import StagingState
from edge.core.clockwork import DAY, Clockwork
from edge.core.goods import Goods
from edge.core.intake import Intake
from edge.core.lean import LeanDocument, LeanHistory, LeanSupply, lean_from
from edge.core.ordering import Ordering
from edge.core.rules.local_rules import LocalRules
from edge.core.state import EdgeState

REFUSED = "document-refused"
TOLD_KINDS = frozenset({"config", "prices", "models"})
"""Documents whose application the centre is told; the others are told when they are refused."""


class DesiredState:
    """Hands a document on to the rooms that it concerns."""

    def __init__(
        self,
        state: EdgeState,
        intake: Intake,
        rules: LocalRules,
        goods: Goods,
        ordering: Ordering,
        clockwork: Clockwork,
    ) -> None:
        self._state, self._intake, self._rules = state, intake, rules
        self._goods, self._ordering, self._clockwork = goods, ordering, clockwork

    def arrived(self, given: AnyDocument | LeanDocument, now_ms: int) -> None:
        state, document = self._state, lean_from(given)
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
            self.use_rules()
            self._rules.changed(now_ms)
            return
        if isinstance(document, AcksDocument):
            for ack in document.acks:
                state.emit_all(
                    state.alerts.acknowledge(ack.code, ack.subject, ack.who, now_ms, ack.raised_ms)
                )
            return
        if isinstance(document, DeliveriesDocument):
            self._goods.noted(document, now_ms)
            return
        self._clockwork.plan_again()
        self._ordering.forget_inputs()
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
        self.refused(document.kind, document.version, reason, now_ms)

    def refused(self, kind: str, version: int, reason: str, now_ms: int) -> None:
        state = self._state
        if state.documents.refuse(kind, version):
            state.staged(kind, f"version {version}", StagingState.REFUSED, now_ms, reason=reason)
            state.alert(REFUSED, kind, active=True, text=reason, now_ms=now_ms)

    def judge_config(self, now_ms: int) -> None:
        """Takes a configuration back that floods the shop with alerts; one that has stood its time is good."""
        state, trial = self._state, self._state.config_trial
        running, due_ms = trial.running, trial.due_ms()
        if running is None or due_ms is None:
            return
        name = f"version {running.version}"
        if trial.is_flooded():
            trial.end()
            state.documents.take_back_config(running.rules, running.gates)
            self.use_rules()
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

    def use_rules(self) -> None:
        """Rooms that keep a limit of the configuration."""
        rule = self._state.documents.rules.silent_device
        devices = self._state.devices
        devices.shelf_silent_ms = rule.shelf_after_min * 60_000
        devices.other_silent_ms = rule.other_after_min * 60_000
