"""A new configuration is on trial: one that raises a flood of alerts is taken back, and the one before holds again."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.rules import Gates, Rule, Rules
from edge.core.rows import Row, Rows
from edge.core.rules.governed import rules_by_code

_KEY = "config"
MINUTE_MS = 60_000


@dataclass(slots=True)
class TrialRow:
    """The rules and gates that held before, and how many alerts the changed ones have raised since."""

    version: int
    since_ms: int
    rules: Rules
    gates: Gates
    raised: int = 0


class ConfigTrial:
    def __init__(self) -> None:
        self.rows: Rows[TrialRow] = Rows("trial", TypeAdapter(TrialRow))

    @property
    def running(self) -> TrialRow | None:
        return self.rows.get(_KEY)

    def begin(self, version: int, rules: Rules, gates: Gates, now_ms: int) -> None:
        """rules, gates: what held before. While a trial runs, what held before it stays the last good."""
        running = self.running
        if running is not None:
            rules, gates = running.rules, running.gates
        self.rows.put(_KEY, TrialRow(version, now_ms, rules, gates))

    def raised(self, code: str, rule: Rule) -> None:
        """`rule` raised an alert; it counts where the configuration changed the rule."""
        running = self.running
        if running is not None and rules_by_code(running.rules).get(code) != rule:
            running.raised += 1
            self.rows.touch(_KEY)

    def is_flooded(self) -> bool:
        """Judged by the gate that held before: a configuration does not lift its own limit."""
        running = self.running
        return running is not None and running.raised > running.gates.new_alerts

    def due_ms(self) -> int | None:
        running = self.running
        return None if running is None else running.since_ms + running.gates.trial_min * MINUTE_MS

    def end(self) -> None:
        self.rows.drop(_KEY)

    def changed(self) -> list[Row]:
        return self.rows.changed()
