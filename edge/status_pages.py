"""Which path of the status port shows what."""

import json
from collections.abc import Callable, Mapping

from edge.status_page import page_from
from edge.status_report import StatusReport
from edge.status_view import view_from
from runtime.status import Page

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def pages_of(report: StatusReport) -> Mapping[str, Callable[[], Page]]:
    def page() -> Page:
        return Page("text/html; charset=utf-8", page_from(view_from(report.whole())).encode())

    def whole() -> Page:
        return Page("application/json", json.dumps(report.whole()).encode())

    def metrics() -> Page:
        from edge.metrics import metrics_from  # noqa: PLC0415 - 12 MB that a gateway nobody scrapes saves

        return Page(PROMETHEUS_TEXT, metrics_from(report.whole()))

    return {"/": page, "/report": whole, "/metrics": metrics}
