"""The centre's figures for Prometheus: its counters, what waits, and whether it works. No label comes from outside."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.api.gateways import GatewaySign

PREFIX = "shelfloop_central"
SIGN_CODES: tuple[str, ...] = get_args(GatewaySign.model_fields["code"].annotation)


def metrics_from(report: Mapping[str, Any], version: str, signs: Mapping[str, int]) -> bytes:
    """report: what GET /status of a centre answers. signs: how many gateways show each. In Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(report, version, signs))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, report: Mapping[str, Any], version: str, signs: Mapping[str, int]) -> None:
        self._report, self._version, self._signs = report, version, signs

    def collect(self) -> Iterator[Metric]:
        report = self._report
        yield InfoMetricFamily(PREFIX, "What runs here.", {"version": self._version})
        for name, value, text in (
            ("backlog_items", report["backlog"], "Events not delivered and requests not worked off."),
            ("clock_timestamp_seconds", report["now_ms"] / 1000, "The time up to which all is worked off."),
            ("problems", len(report["problems"]), "What makes /healthz 503."),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
        gateways = GaugeMetricFamily(
            f"{PREFIX}_gateways", "Gateways by what is out of order there.", labels=("sign",)
        )
        for code in SIGN_CODES:
            gateways.add_metric((code,), self._signs.get(code, 0))
        yield gateways
        for name, value in sorted(report["counters"].items()):
            yield CounterMetricFamily(
                f"{PREFIX}_{name.removesuffix('_total')}", "Counted since the start.", value=value
            )
