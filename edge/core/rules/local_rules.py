"""The rules that need a look at several rooms: cold chain, drifted cells, suspicious removals, wrong labels.

Low stock, empty facings, silent devices and till prices are looked at where they show (see `step`, `clockwork` and `till`).
Which rule governs which alert, and whether it is on, says `rule_of`; `EdgeState.alert` asks it.
"""

from contract.devices import Heartbeat
from edge.core.alerts import in_band
from edge.core.event_time import event_ms
from edge.core.rules.cold_chain import COLD_CHAIN
from edge.core.rules.drift import DRIFTED, drifted_cells
from edge.core.rules.label_price import LABEL_MISMATCH
from edge.core.rules.removal import REMOVAL
from edge.core.state import EdgeState

MINUTE_MS = 60_000


class LocalRules:
    def __init__(self, state: EdgeState) -> None:
        self._state = state

    def heartbeat(self, event: Heartbeat, now_ms: int) -> None:
        """A device's temperature, where the cold chain minds it."""
        state, rule = self._state, self._state.documents.rules.cold_chain
        if event.temperature_c is None or not rule.enabled:
            return
        was_active = state.alerts.is_open(COLD_CHAIN, event.device)
        at_ms = event_ms(event, now_ms)
        state.cold_rooms.heard(rule, event.device, event.temperature_c, at_ms, was_active=was_active)
        self._cold_chain(now_ms)

    def picked(self, sku: str, units: int, at_ms: int, now_ms: int) -> None:
        """Units left the shelf; call after the window knows of them."""
        state, rule = self._state, self._state.documents.rules.suspicious_removal
        if not rule.enabled:
            return
        cents = state.documents.price_cents(sku, at_ms)
        taken = state.removals.picked(rule, state.windows, sku, units, cents, at_ms)
        if taken is not None:
            worth = "" if cents is None else f", worth {state.documents.money(taken * cents)}"
            text = (
                f"{state.documents.title(sku)}: {taken} units left the shelf within {rule.within_s} s{worth}"
            )
            state.alert(REMOVAL, sku, active=True, text=text, now_ms=now_ms)

    def settled(self, sku: str, units: int, now_ms: int) -> None:
        """Units were sold at a till or put back."""
        state = self._state
        if state.removals.rows.by_key and state.removals.settled(sku, units):
            text = f"{state.documents.title(sku)}: what was taken is paid or back on the shelf"
            state.alert(REMOVAL, sku, active=False, text=text, now_ms=now_ms)

    def tick(self, now_ms: int) -> None:
        """What falls due between two looks."""
        due_ms = self.next_due_ms()
        if due_ms is not None and now_ms >= due_ms:
            self._cold_chain(now_ms)

    def look(self, now_ms: int) -> None:
        """Every few minutes: what time alone changes."""
        self._cold_chain(now_ms)
        self._drift(now_ms)
        self._labels(now_ms)
        state = self._state
        for sku, units in state.removals.overdue(state.documents.rules.suspicious_removal, now_ms):
            text = f"{state.documents.title(sku)}: {units} units were neither paid nor put back"
            state.alert(REMOVAL, sku, active=False, text=text, now_ms=now_ms)

    def next_due_ms(self) -> int | None:
        """When something becomes true without a message: between two looks, that is only a warm refrigerator."""
        state = self._state
        return state.cold_rooms.next_due_ms(state.documents.rules.cold_chain)

    def changed(self, now_ms: int) -> None:
        """The configuration changed: what a rule that is now off had raised is cleared, the others are looked at anew."""
        state = self._state
        for alert in state.alerts.open_alerts():
            rule = state.documents.rule_of(alert.code)
            if rule is not None and not rule.enabled:
                text = f"the rule {alert.code} was switched off"
                state.alert(alert.code, alert.subject, active=False, text=text, now_ms=now_ms)
        self.look(now_ms)

    def _cold_chain(self, now_ms: int) -> None:
        state = self._state
        for verdict in state.cold_rooms.look(state.documents.rules.cold_chain, now_ms):
            state.alert(COLD_CHAIN, verdict.device, active=verdict.active, text=verdict.text, now_ms=now_ms)

    def _drift(self, now_ms: int) -> None:
        state, rule = self._state, self._state.documents.rules.drifted_cell
        if not rule.enabled:
            return
        drifts = drifted_cells(state.shelves)
        for cell, grams in sorted(drifts.items()):
            was = state.alerts.is_open(DRIFTED, cell)
            # The band is of values that should be small: more is worse.
            active = in_band(-grams, -rule.raise_g, -rule.clear_g, was_active=was)
            if active == was:
                continue
            text = (
                f"cell {cell} is {grams:.0f} g off what its goods weigh: empty it and tare it"
                if active
                else f"cell {cell} weighs right again"
            )
            state.alert(DRIFTED, cell, active=active, text=text, now_ms=now_ms)
        for cell in state.alerts.subjects(DRIFTED):
            if cell not in state.shelves.rows.by_key or state.shelves.facing_of(cell) is None:
                text = f"cell {cell} carries nothing any more"
                state.alert(DRIFTED, cell, active=False, text=text, now_ms=now_ms)

    def _labels(self, now_ms: int) -> None:
        state, rule = self._state, self._state.documents.rules.price_mismatch
        wrong = state.wrong_labels.look(state.labels, now_ms)
        for tag, since_ms in wrong.items():
            if now_ms - since_ms >= rule.label_after_min * MINUTE_MS:
                text = (
                    f"label {tag} does not show the list's price since {(now_ms - since_ms) // MINUTE_MS} min"
                )
                state.alert(LABEL_MISMATCH, tag, active=True, text=text, now_ms=now_ms)
        for tag in state.alerts.subjects(LABEL_MISMATCH):
            if tag not in wrong:
                text = f"label {tag} shows the list's price"
                state.alert(LABEL_MISMATCH, tag, active=False, text=text, now_ms=now_ms)
