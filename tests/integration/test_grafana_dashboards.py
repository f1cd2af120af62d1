"""The dashboards in deploy/grafana ask questions that real servers answer, with the units that were written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from series_servers import influxql, promql, series_server

from central.timeseries.port import FIELDS, Point
from central.timeseries.server import prepare_server, server_store

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS = {"influxdb-1": "influxdb.json", "victoria-metrics": "victoria-metrics.json"}
DATABASE = "shelfloop"
QUARTER_MS, HOUR_S = 900_000, 3_600
START_MS = 1_790_000_100_000 - 1_790_000_100_000 % (86_400_000)
QUARTERS = 16


def dashboard(kind: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((GRAFANA / "dashboards" / DASHBOARDS[kind]).read_text())
    return parsed


def written() -> list[Point]:
    """Two shops, two categories and one watched SKU, for four hours; each field of another size."""
    points = []
    for quarter in range(QUARTERS):
        at_ms = START_MS + quarter * QUARTER_MS
        for store, category, sku in (
            ("a-1", "milk", ""),
            ("a-1", "bread", ""),
            ("b-2", "milk", ""),
            ("b-2", "milk", "4011"),
        ):
            size = 1 + quarter + len(category) + (100 if store == "b-2" else 0)
            points.append(Point(store, category, at_ms, size, size * 250, 1, 2 * size, 3, 60_000 * size, sku))
    return points


@pytest.fixture(scope="module", params=list(DASHBOARDS))
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(kind, url) of a server that has `written`; the first quarter was wrong before."""
    server = series_server(request.param, tmp_path_factory.mktemp("grafana"))
    prepare_server(request.param, server.url, "", DATABASE)
    store = server_store(request.param, server.url, "", "", DATABASE)
    wrong = [Point(p.store, p.category, p.at_ms, 9, 9, 9, 9, 9, 9, p.sku) for p in written()[:4]]
    assert store.write(wrong).accepted == 4
    assert store.write(written()).accepted == len(written())
    store.close()
    yield request.param, server.url
    server.kill()


def asked(panel: dict[str, Any]) -> tuple[str, str]:
    """(query, the tag that its series are named by), with what Grafana puts in for two shops and an hour."""
    [target] = panel["targets"]
    query = target.get("query") or target["expr"]
    last_ms = START_MS + QUARTERS * QUARTER_MS
    for variable, value in (
        ("$store", "(a-1|b-2)"),
        ("$timeFilter", f"time >= {START_MS}ms and time < {last_ms}ms"),
        ("$__interval", "1h"),
    ):
        query = query.replace(variable, value)
    assert "$" not in query.replace("$/", "/"), query
    alias = target.get("alias", target.get("legendFormat"))
    return query, str(re.search(r"(category|store|sku)", alias)[1])  # type: ignore[index]


@pytest.mark.parametrize("place", range(6))
def test_each_panel_shows_what_was_written(served: tuple[str, str], place: int) -> None:
    kind, url = served
    panel = dashboard(kind)["panels"][place]
    query, by = asked(panel)
    field = next(name for name in FIELDS if name in query)
    scale = float(re.search(r"/ (\d+)$|/ (\d+) FROM", query)[0].split()[1]) if " / " in query else 1.0  # type: ignore[index]
    expected: dict[tuple[str, int], float] = {}
    for point in written():
        if bool(point.sku) == ("watched" in query):
            hour = (point.at_ms // 1000 - START_MS // 1000) // HOUR_S
            key = (str(getattr(point, by)), hour)
            expected[key] = expected.get(key, 0) + getattr(point, field) / scale
    start_s = START_MS // 1000
    found: dict[tuple[str, int], float] = {}
    if kind == "influxdb-1":
        for row in influxql(url, DATABASE, query):
            found[str(row[by]), (int(str(row["time"])) // 1000 - start_s) // HOUR_S] = float(str(row["sum"]))
    else:  # a value stands at the end of its hour there
        for sample in promql(url, query, start_s + HOUR_S, start_s + QUARTERS * 900, HOUR_S):
            found[str(sample[by]), (int(float(str(sample["at_s"]))) - start_s) // HOUR_S - 1] = float(
                str(sample["value"])
            )
    assert found == pytest.approx(expected)
    assert len(found) == 4 * len({tag for tag, _ in expected})


def test_the_list_of_shops_is_what_the_server_has(served: tuple[str, str]) -> None:
    kind, url = served
    [variable] = dashboard(kind)["templating"]["list"]
    if kind == "influxdb-1":
        rows = influxql(url, DATABASE, variable["query"])
        assert {row["value"] for row in rows} == {"a-1", "b-2"}
    else:  # Grafana turns label_values(metric, label) into a question for the label's values
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
        rows = promql(
            url,
            f"count by ({label}) (last_over_time({metric}[1d]))",
            START_MS / 1000 + 14_400,
            START_MS / 1000 + 14_400,
            60,
        )
        assert {row[label] for row in rows} == {"a-1", "b-2"}


@pytest.mark.parametrize("kind", list(DASHBOARDS))
def test_a_dashboard_names_a_source_that_is_provisioned_and_every_panel_says_what_it_shows(kind: str) -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "shelfloop.yaml").read_text())
    known = {source["uid"]: source["type"] for source in sources["datasources"]}
    page = dashboard(kind)
    panels = page["panels"]
    for part in (
        *panels,
        *(target for panel in panels for target in panel["targets"]),
        *page["templating"]["list"],
    ):
        assert known[part["datasource"]["uid"]] == part["datasource"]["type"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 6
    assert all(panel["description"] and panel["title"] for panel in panels)
    providers = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "shelfloop.yaml").read_text())
    assert providers["providers"][0]["options"]["path"] == "/etc/shelfloop/grafana/dashboards"
