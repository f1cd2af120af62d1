"""Logs what changes in a gateway: conditions, alerts and devices, each once as it begins and once as it ends."""

from collections.abc import Callable
from typing import Protocol

from contract.severity import Severity
from runtime.conditions import Conditions
from runtime.logs import Log
from runtime.systemd_notify import ServiceNotifier

log = Log("edge.state")


class Reported(Protocol):
    def conditions(self) -> dict[str, str]: ...

    def open_alerts(self) -> list[dict[str, object]]: ...

    def absent_devices(self) -> dict[str, str]: ...


class StateWatch:
    """`look` every second or so; it costs a walk over what is open now."""

    def __init__(self, report: Reported, notifier: ServiceNotifier) -> None:
        self._report, self._notifier = report, notifier
        self._looks: tuple[tuple[Conditions, Callable[[], dict[str, str]]], ...] = (
            (Conditions(log, "a problem"), report.conditions),
            (Conditions(log, "an alert"), lambda: self._alerts(is_info=False)),
            (Conditions(log, "an alert", is_info=True), lambda: self._alerts(is_info=True)),
            (Conditions(log, "a device's absence"), report.absent_devices),
        )

    def look(self) -> None:
        for conditions, now in self._looks:
            conditions.look(now())
        problems = list(self._report.conditions().values())
        self._notifier.say(f"{len(problems)} problems: {problems[0]}" if problems else "all is well")

    def _alerts(self, *, is_info: bool) -> dict[str, str]:
        return {
            f"{alert['code']} {alert['subject']}": str(alert["text"])
            for alert in self._report.open_alerts()
            if (alert["severity"] == Severity.INFO.value) is is_info
        }
