"""Conditions that people should know of: each is raised once, acknowledged at most once and cleared once.

Raising and clearing have a band in between, so that no value on the edge flaps; who took note is kept with the alert.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.records import AlertRecord, Severity
from edge.core.rows import Row, Rows

MAX_OPEN = 2000
MAX_SUBJECT_CHARS = 200
MAX_WHO_CHARS = 80


@dataclass(slots=True)
class AlertRow:
    """acknowledged_by: "" until somebody took note."""

    severity: Severity
    since_ms: int
    text: str
    acknowledged_by: str = ""
    acknowledged_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """For whoever shows them. acknowledged_by: "" while nobody took note."""

    code: str
    subject: str
    severity: Severity
    since_ms: int
    text: str
    acknowledged_by: str
    acknowledged_ms: int | None


class Alerts:
    """Open alerts by (code, subject). refused_total counts those beyond MAX_OPEN."""

    def __init__(self) -> None:
        self.rows: Rows[AlertRow] = Rows("alert", TypeAdapter(AlertRow))
        self.refused_total = 0

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
                self.refused_total += 1
                return []
            self.rows.put(key, AlertRow(severity, now_ms, text[:300]))
        else:
            self.rows.drop(key)
        return [_record(code, subject, severity, text, now_ms, cleared=not active)]

    def acknowledge(
        self, code: str, subject: str, who: str, now_ms: int, raised_ms: int | None = None
    ) -> list[AlertRecord]:
        """The record of somebody's note of an open alert; empty when it is not open or was noted before.

        raised_ms: which raising is meant; one that was cleared and raised again since is news. None: the one that is open.
        """
        key = f"{code}|{subject}"
        row = self.rows.get(key)
        if row is None or row.acknowledged_by or raised_ms not in (None, row.since_ms):
            return []
        row.acknowledged_by, row.acknowledged_ms = who[:MAX_WHO_CHARS] or "unnamed", now_ms
        self.rows.touch(key)
        return [
            _record(code, subject, row.severity, row.text, now_ms, cleared=False, who=row.acknowledged_by)
        ]

    def open_alerts(self) -> list[OpenAlert]:
        """Unacknowledged ones first, then the loudest, then the oldest. May be called from any thread."""
        found = []
        for key, row in list(self.rows.by_key.items()):
            code, _, subject = key.partition("|")
            found.append(
                OpenAlert(
                    code, subject, row.severity, row.since_ms, row.text, row.acknowledged_by, row.acknowledged_ms
                )
            )  # fmt: skip
        return sorted(
            found,
            key=lambda alert: (
                bool(alert.acknowledged_by), -_LOUDNESS[alert.severity], alert.since_ms, alert.code, alert.subject
            ),
        )  # fmt: skip

    def is_open(self, code: str, subject: str) -> bool:
        return f"{code}|{subject}" in self.rows.by_key

    def subjects(self, code: str) -> list[str]:
        """What the alert `code` is open for."""
        prefix = f"{code}|"
        return [key[len(prefix) :] for key in self.rows.by_key if key.startswith(prefix)]

    def changed(self) -> list[Row]:
        return self.rows.changed()


_LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


def _record(
    code: str, subject: str, severity: Severity, text: str, now_ms: int, *, cleared: bool, who: str = ""
) -> AlertRecord:
    return AlertRecord(
        seq=1, at_ms=now_ms, code=code, subject=subject[:MAX_SUBJECT_CHARS], severity=severity, cleared=cleared,
        text=text[:300], acknowledged_by=who,
    )  # fmt: skip


def in_band(value: float, raise_at: float, clear_at: float, *, was_active: bool) -> bool:
    """Hysteresis: active at or below `raise_at`, inactive at or above `clear_at`, as before in between."""
    if value <= raise_at:
        return True
    return was_active and value < clear_at
