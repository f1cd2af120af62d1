"""Conditions that people should know of: each is raised once and cleared once, with a band in between."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.records import AlertRecord, Severity
from edge.core.rows import Row, Rows

MAX_OPEN = 2000


@dataclass(slots=True)
class AlertRow:
    severity: Severity
    since_ms: int
    text: str


class Alerts:
    """Open alerts by (code, subject)."""

    def __init__(self) -> None:
        self.rows: Rows[AlertRow] = Rows("alert", TypeAdapter(AlertRow))

    def set(
        self, code: str, subject: str, *, active: bool, severity: Severity, text: str, now_ms: int
    ) -> list[AlertRecord]:
        """The record of a change of the condition; empty while nothing changes."""
        key = f"{code}|{subject}"
        known = self.rows.get(key)
        if active == (known is not None):
            return []
        if active:
            if len(self.rows.by_key) >= MAX_OPEN:
                return []
            self.rows.put(key, AlertRow(severity, now_ms, text[:300]))
        else:
            self.rows.drop(key)
        return [
            AlertRecord(
                seq=1,
                at_ms=now_ms,
                code=code,
                subject=subject[:200],
                severity=severity,
                cleared=not active,
                text=text[:300],
            )
        ]

    def is_open(self, code: str, subject: str) -> bool:
        return f"{code}|{subject}" in self.rows.by_key

    def subjects(self, code: str) -> list[str]:
        """What the alert `code` is open for."""
        prefix = f"{code}|"
        return [key[len(prefix) :] for key in self.rows.by_key if key.startswith(prefix)]

    def changed(self) -> list[Row]:
        return self.rows.changed()


def in_band(value: float, raise_at: float, clear_at: float, *, was_active: bool) -> bool:
    """Hysteresis: active at or below `raise_at`, inactive at or above `clear_at`, as before in between."""
    if value <= raise_at:
        return True
    return was_active and value < clear_at
