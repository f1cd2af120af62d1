"""A gateway's figures for Prometheus. Every label's values are listed here: nobody outside can make a new series."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "shelfloop_edge"
KINDS = ("till", "shelf", "esl-base", "dock", "bridge", "scanner", "scale")
OTHER_KIND = "other"
STATES = ("online", "offline", "silent")
SKU_CLASSES = ("slow", "middling", "busy")
CONDITIONS = ("broker", "centre", "disk", "clock", "loop", "outbox")
UNIT_WORDS = {"g": "grams", "units": "units", "ms": "milliseconds", "bytes": "bytes"}


def metrics_from(report: Mapping[str, Any]) -> bytes:
    """report: what GET /report of a gateway answers. In Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(report))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, report: Mapping[str, Any]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report
        yield InfoMetricFamily(
            PREFIX, "What runs here.",
            {"version": report["version"], "gateway": report["gateway"], "store": report["store"], "bundle": report["bundle"]},
        )  # fmt: skip
        for name, value, text in _gauges(report):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
        for name, value in sorted(report["counters"].items()):
            yield CounterMetricFamily(
                f"{PREFIX}_{counter_name(name)}", "Counted since the epoch began.", value=value
            )
        for name, value in _uplink_counters(report["uplink"]):
            yield CounterMetricFamily(f"{PREFIX}_{name}", "Counted since the start.", value=value)
        yield self._devices()
        yield self._conditions()
        yield self._of_classes(
            "forecast_level_drift",
            "levels",
            "Largest gap between a level asked for and the level that covered.",
        )
        yield self._of_classes("forecast_bias_ratio", "bias", "Units expected over units sold, less one.")

    def _devices(self) -> GaugeMetricFamily:
        counted = Counter(
            (row["kind"] if row["kind"] in KINDS else OTHER_KIND, row["state"])
            for row in self._report["devices"].values()
        )
        family = GaugeMetricFamily(
            f"{PREFIX}_devices", "Devices by kind and state.", labels=("kind", "state")
        )
        for kind in (*KINDS, OTHER_KIND):
            for state in STATES:
                family.add_metric((kind, state), counted[kind, state])
        return family

    def _conditions(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            f"{PREFIX}_problem", "1 while the condition holds that makes /healthz 503.", labels=("condition",)
        )
        for condition in CONDITIONS:
            family.add_metric((condition,), int(condition in self._report["conditions"]))
        return family

    def _of_classes(self, name: str, field: str, text: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"{PREFIX}_{name}", f"{text} Of the models in use.", labels=("sku_class",))
        for sku_class in SKU_CLASSES:
            of_class = self._report["drift"].get(sku_class)
            family.add_metric((sku_class,), of_class[field] if of_class else 0.0)
        return family


def counter_name(tally: str) -> str:
    """A counter's name by Prometheus' rules: a unit as a word; the `_total` comes from the library."""
    stem = tally.removesuffix("_total")
    head, _, unit = stem.rpartition("_")
    return f"{head}_{UNIT_WORDS[unit]}" if head and unit in UNIT_WORDS else stem


def _gauges(report: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    uplink, heard = report["uplink"], [row["last_heard_ms"] for row in report["devices"].values()]
    stock = sum(alert["is_stock"] for alert in report["alerts"])
    synchronised = report["clock"]["is_synchronised"]
    return [
        ("backlog_records", report["backlog"], "Accepted and not yet passed on."),
        ("outbox_records", report["outbox_rows"], "Records that the centre has not acknowledged."),
        ("outbox_bytes", report["outbox_bytes"], "Bytes of these."),
        ("outbox_limit_bytes", report["outbox_max_bytes"], "Above it windows get coarser."),
        (
            "outbox_oldest_seconds",
            uplink["oldest_waiting_ms"] / 1000 if uplink else 0,
            "How long the oldest of these has waited, as last looked at.",
        ),
        (
            "slowest_commit_seconds",
            report["slowest_commit_ms"] / 1000,
            "Of the last ten minutes, one under way included: what the disk takes.",
        ),
        ("quarantine_messages", report["quarantine_rows"], "Bad input that is kept."),
        ("alerts_open", report["alerts_open"], "Open alerts."),
        ("stock_alerts_open", stock, "Open alerts of empty facings and low stock, of the newest 200 alerts."),
        ("items", report["items"], "Items that the shop's price list knows."),
        ("uptime_seconds", report["uptime_s"], "Since this process started."),
        (
            "last_data_timestamp_seconds",
            max(heard, default=0) / 1000,
            "When a device was last heard, shop time.",
        ),
        ("clock_timestamp_seconds", report["clock"]["now_ms"] / 1000, "What the gateway takes for the time."),
        (
            "clock_synchronised",
            {True: 1, False: 0, None: -1}[synchronised],
            "1: kept by the network, -1: nobody can say.",
        ),
        ("broker_connected", int(report["broker"]["is_connected"]), "1 while connected to the broker."),
        ("centre_up", int(bool(uplink and uplink["is_up"])), "1 while the centre answers."),
        (
            "centre_silent_seconds",
            uplink["silent_s"] if uplink else 0,
            "Since the centre's last good answer.",
        ),
    ]


def _uplink_counters(uplink: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    if uplink is None:
        return []
    return [
        ("uplink_batches", uplink["batches"]),
        ("uplink_records", uplink["rows"]),
        ("uplink_resent_batches", uplink["resent_batches"]),
        ("uplink_failures", uplink["failures"]),
    ]
