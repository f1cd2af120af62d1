"""The shop's page, its text and the metrics: pure functions of one report."""

import copy
import re
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import counter_name, metrics_from
from edge.status_page import page_from
from edge.status_text import text_from
from edge.status_view import age, size, view_from

NOW_MS = 1_795_332_802_000
REPORT: dict[str, Any] = {
    "backlog": 0, "now_ms": NOW_MS, "gateway": "gw-1", "epoch": "e1", "outbox_rows": 0, "outbox_bytes": 0,
    "quarantine_rows": 0, "documents": {"items": 1}, "bundle": "demo@1",
    "uplink": {"is_up": True, "batches": 3, "rows": 6, "resent_batches": 0, "failures": 0, "silent_s": 2.0,
               "oldest_waiting_ms": 90_000},
    "devices": {
        "till-1": {"kind": "till", "online": True, "last_heard_ms": NOW_MS - 5_000, "accepted": 1234, "duplicates": 0,
                   "rejected": 0, "state": "online"},
    },
    "counters": {"messages_total": 7, "unresolved_g": 250, "picks_counted_units": 3},
    "problems": [], "store": "store-1", "store_name": "Market Street", "timezone": "Europe/Berlin", "version": "0.1.0",
    "uptime_s": 90_000, "clock": {"now_ms": NOW_MS, "is_simulated": False, "is_synchronised": True},
    "broker": {"address": "127.0.0.1:8883", "is_connected": True, "has_tls": True}, "central_url": "https://c",
    "outbox_max_bytes": 536_870_912, "slowest_commit_ms": 2500, "items": 5000, "alerts_open": 0, "alerts": [], "conditions": {},
    "order_graph": True, "drift": {name: {"levels": 0.01, "bias": 0.02, "is_over": False} for name in ("slow", "middling", "busy")},
}  # fmt: skip


def _report(**changes: object) -> dict[str, Any]:
    return {**copy.deepcopy(REPORT), **changes}


def _device(kind: str, state: str) -> dict[str, Any]:
    return {**REPORT["devices"]["till-1"], "kind": kind, "state": state}


def _alert(text: str, *, is_stock: bool) -> dict[str, Any]:
    return {"code": "x", "subject": "s", "severity": "warning", "since_ms": NOW_MS - 7_200_000, "text": text,
            "is_stock": is_stock}  # fmt: skip


def test_a_well_gateway_says_so_first() -> None:
    for shown in (text_from(view_from(REPORT)), page_from(view_from(REPORT))):
        assert "All is well" in shown
        assert "Market Street · gateway gw-1" in shown
        assert "127.0.0.1:8883 by TLS" in shown
        assert "till-1" in shown
        assert "5 s ago" in shown
        assert "running for 1 d 1 h" in shown
        assert "(Europe/Berlin), kept by the network" in shown


def test_without_the_centre_the_shop_reads_that_it_goes_on_and_what_waits() -> None:
    uplink = {**REPORT["uplink"], "is_up": False, "silent_s": 7260.0}
    text = text_from(
        view_from(
            _report(
                uplink=uplink, problems=["the centre is away"], conditions={"centre": "the centre is away"},
                outbox_rows=1500, outbox_bytes=2_500_000,
            )
        )
    )  # fmt: skip
    assert "!!  Somebody should look at this" in text
    assert "- The centre cannot be reached. The shop goes on alone" in text
    assert "(the centre is away)" in text
    assert "has not answered for 2 h 1 min; the shop goes on alone" in text
    assert "1,500 records, 2.5 MB of 536.9 MB" in text


def test_stock_alerts_stand_apart_from_those_of_the_equipment() -> None:
    alerts = [
        _alert("Bananas: the facing is empty", is_stock=True),
        _alert("tag t-1 runs on 2400 mV", is_stock=False),
    ]
    text = text_from(view_from(_report(alerts=alerts, alerts_open=2)))
    assert re.search(r"Stock \(1\)\n! Bananas: the facing is empty +\(for 2 h 0 min\)", text)
    assert re.search(r"Equipment and data \(1\)\n! tag t-1", text)
    assert "The gateway is well; 2 alerts" in text


def test_an_alert_says_who_has_seen_it() -> None:
    seen = {**_alert("Bananas: the facing is empty", is_stock=True), "acknowledged_by": "Ada"}
    view = view_from(_report(alerts=[seen], alerts_open=1))
    assert [alert.text for alert in view.stock_alerts] == ["Bananas: the facing is empty (noted by Ada)"]


def test_a_device_that_is_not_heard_comes_first_and_is_marked() -> None:
    devices = {"a-till": _device("till", "online"), "z-shelf": _device("shelf", "silent")}
    view = view_from(_report(devices=devices))
    assert [line.device for line in view.devices] == ["z-shelf", "a-till"]
    assert "1 device not heard" in view.headline
    assert '<td class="bad">silent</td>' in page_from(view).replace("'", '"')


def test_what_a_device_or_an_item_is_called_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    page = page_from(
        view_from(
            _report(
                store_name=evil, conditions={evil: evil}, alerts=[_alert(evil, is_stock=True)], alerts_open=1,
                devices={"d": _device(evil, "online")}, bundle=evil, version=evil,
            )
        )
    )  # fmt: skip
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 7  # the shop's name stands in the title as well


def test_the_page_needs_nothing_from_elsewhere_and_stays_small() -> None:
    devices = {f"device-{i}": _device("shelf", "online") for i in range(1000)}
    page = page_from(view_from(_report(devices=devices)))
    assert not re.search(r"(src|href)=|url\(|https?://", page)
    assert "… and 700 more devices" in page
    assert len(page) < 60_000


def test_nobody_outside_can_make_a_new_series() -> None:
    def series(report: dict[str, Any]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        return {
            (sample.name, tuple(sorted(sample.labels.items())))
            for family in text_string_to_metric_families(metrics_from(report).decode())
            for sample in family.samples
        }

    flooded = _report(
        devices={f"d-{i}": _device(f"kind-{i}", "online") for i in range(1000)},
        alerts=[_alert(f"text {i}", is_stock=bool(i % 2)) for i in range(200)], alerts_open=900,
        problems=["x" * 500], conditions={"centre": "x" * 500},
    )  # fmt: skip
    assert series(flooded) == series(REPORT)
    assert len(series(REPORT)) < 100


def test_metrics_carry_the_reports_figures_in_base_units() -> None:
    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(
            metrics_from(_report(conditions={"disk": "full"})).decode()
        )
        for sample in family.samples
    }
    assert found["shelfloop_edge_messages_total", ()] == 7
    assert found["shelfloop_edge_unresolved_grams_total", ()] == 250
    assert found["shelfloop_edge_devices", ("till", "online")] == 1
    assert found["shelfloop_edge_problem", ("disk",)] == 1
    assert found["shelfloop_edge_problem", ("centre",)] == 0
    assert found["shelfloop_edge_last_data_timestamp_seconds", ()] == (NOW_MS - 5000) / 1000
    assert counter_name("picks_counted_units") == "picks_counted_units"


def test_ages_and_sizes_read_as_people_say_them() -> None:
    assert [age(s) for s in (-3, 59, 60, 3600, 90_061)] == ["0 s", "59 s", "1 min", "1 h 0 min", "1 d 1 h"]
    assert [size(n) for n in (999, 1000, 2_500_000, 3 * 10**9)] == ["999 bytes", "1.0 kB", "2.5 MB", "3.0 GB"]


def test_drift_of_forecast_levels_is_a_fact_and_a_figure() -> None:
    drift = {**REPORT["drift"], "busy": {"levels": 0.14, "bias": -0.03, "is_over": True}}
    assert re.search(r"Forecast levels +hold", text_from(view_from(REPORT)))
    assert "are off and put right: busy SKUs by 14%, their mean by -3%" in text_from(
        view_from(_report(drift=drift))
    )
    text = metrics_from(_report(drift=drift)).decode()
    assert 'shelfloop_edge_forecast_level_drift{sku_class="busy"} 0.14' in text
    assert 'shelfloop_edge_forecast_level_drift{sku_class="slow"} 0.01' in text
    assert 'shelfloop_edge_forecast_bias_ratio{sku_class="busy"} -0.03' in text


def test_models_that_order_without_an_order_graph_say_so() -> None:
    assert re.search(r"Models +demo@1\n", text_from(view_from(REPORT)))
    assert "demo@1, without an order graph: orders up to a quantile" in text_from(
        view_from(_report(order_graph=False))
    )
