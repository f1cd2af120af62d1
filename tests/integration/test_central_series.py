"""The projection from the ledger to time-series servers, real ones and a double of InfluxDB 2, which cannot run here.

The double answers POST /api/v2/write as the server's documentation says: 204, 400 for a bad line, 404 for no such bucket;
and GET /query with the points in the asked span.
"""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from central_rig import START_MS, STORE, CentreProcess, Gateway, kill_leftover
from central_rows import receipt, sale
from series_servers import series_server
from test_central_loop import set_up_store

from central.timeseries.port import TimeSeriesUnavailableError
from central.timeseries.server import server_store

LINE = re.compile(
    r"^(?P<series>shelfloop_(?:sales|watched),store=[^ ,]+(?:,(?:category|sku)=(?:\\.|[^ ,\\])+)+) (?P<fields>[a-z_]+=-?\d+i(,[a-z_]+=-?\d+i)*) (?P<at>\d+)$"
)


class InfluxDouble:
    def __init__(self) -> None:
        self.points: dict[tuple[str, int], str] = {}
        self.fail_with: list[int] = []
        self.refuses = "never"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if len(sent) < int(self.headers["Content-Length"]):
                    self.close_connection = True  # its sender was killed between the head and the body
                    return
                body = sent.decode()
                query = parse_qs(urlsplit(self.path).query)
                status = outer.fail_with.pop(0) if outer.fail_with else outer.write(self.path, query, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                body = json.dumps(
                    {"results": [{"series": outer.read(parse_qs(urlsplit(self.path).query)["q"][0])}]}
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def write(self, path: str, query: dict[str, list[str]], body: str) -> int:
        if (
            not path.startswith("/api/v2/write")
            or query.get("bucket") != ["shop"]
            or query.get("precision") != ["ms"]
        ):
            return 404
        matches = [LINE.match(line) for line in body.split("\n")]
        if not all(matches) or self.refuses in body:
            return 400
        for match in matches:
            assert match is not None
            self.points[match["series"], int(match["at"])] = match["fields"]
        return 204

    def read(self, query: str) -> list[dict[str, object]]:
        from_ms, to_ms = (int(part) for part in re.findall(r"time [<>]= (\d+)ms", query))
        stores = re.findall(r"\"store\" = '([^']+)'", query)
        series = []
        for (name, at_ms), fields in list(self.points.items()):
            tags = {
                key: re.sub(r"\\(.)", r"\1", value)
                for key, value in (part.split("=", 1) for part in re.split(r"(?<!\\),", name)[1:])
            }
            if from_ms <= at_ms <= to_ms and tags["store"] in stores:
                pairs = [part.split("=") for part in fields.split(",")]
                columns = ["time", *(field for field, _ in pairs)]
                values = [[at_ms, *(int(value.rstrip("i")) for _, value in pairs)]]
                series.append(
                    {"name": name.split(",")[0], "tags": tags, "columns": columns, "values": values}
                )
        return series


@pytest.fixture
def influx() -> Iterator[InfluxDouble]:
    double = InfluxDouble()
    yield double
    double.server.shutdown()
    double.server.server_close()


def test_the_ledger_reaches_the_server_after_refusals_and_a_kill(
    tmp_path: Path, influx: InfluxDouble
) -> None:
    influx.fail_with = [500, 500]
    centre = CentreProcess(
        tmp_path, influx_url=influx.url, influx_bucket="shop", influx_org="org", influx_token="t"
    )
    centre.command("init")
    centre.start()
    try:
        set_up_store(centre.client())
        gateway = Gateway(centre, centre.add_gateway())
        gateway.send(receipt(1, [sale(1, 2)]))
        centre.kill()
        centre.start()
        gateway.send(receipt(2, [sale(2, 1), sale(3, 5)]))
        expected = {("drinks", 3), ("food", 5)}

        def found() -> set[tuple[str, int]]:
            return {
                (series.split("category=")[1], int(fields.split("sold_units=")[1].split("i")[0]))
                for (series, _), fields in list(influx.points.items())
            }

        centre.wait_until(lambda: found() == expected)
        assert {at for _, at in influx.points} == {START_MS}
    finally:
        kill_leftover(centre.process)


def unwritten(folder: Path) -> bool:
    with sqlite3.connect(f"file:{folder / 'state' / 'ledger.sqlite3'}?mode=ro", uri=True) as ledger:
        [target] = ledger.execute("SELECT value FROM meta WHERE key = 'series_target'").fetchone()
        return not target or ledger.execute("SELECT count(*) FROM series_changes").fetchone()[0] > 0


@pytest.mark.parametrize("kind", ["influxdb-1", "victoria-metrics"])
def test_a_real_server_has_every_unit_after_kills_of_both_and_a_watched_sku_beside_them(
    tmp_path: Path, kind: str
) -> None:
    server = series_server(kind, tmp_path / "server")
    centre = CentreProcess(
        tmp_path, influx_url=server.url, influx_server=kind, influx_bucket="shop", watch_skus=["sku-2"]
    )
    centre.command("init")
    centre.start()
    store = server_store(kind, server.url, "", "", "shop")
    try:
        set_up_store(centre.client())
        gateway = Gateway(centre, centre.add_gateway())
        gateway.send(receipt(1, [sale(1, 2)]))
        centre.wait_until(lambda: centre.status()["counters"].get("series_points", 0) >= 1, 60)
        server.kill()
        gateway.send(receipt(2, [sale(2, 1), sale(3, 5)]))
        centre.kill()
        server.start()
        centre.start()
        expected = {("drinks", ""): 3, ("food", ""): 5, ("drinks", "sku-2"): 1}

        def found() -> dict[tuple[str, str], int]:
            try:
                points = store._reader.read([STORE], 0, START_MS * 2)
            except TimeSeriesUnavailableError:  # the database comes with the first write
                return {}
            return {(category, sku): values[0] for (_, category, sku, _), values in points.items()}

        centre.wait_until(lambda: found() == expected, 60)
        centre.command("rewrite-series")
        centre.wait_until(lambda: not unwritten(tmp_path), 120)
        counters = centre.status()["counters"]
        assert counters.get("series_rejected", 0) == 0
    finally:
        kill_leftover(centre.process)
        store.close()
        server.kill()
