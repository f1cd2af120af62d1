"""The projection to an InfluxDB-compatible server: a recorded-protocol double, since no InfluxDB 2 or 3 can run here.

The double answers POST /api/v2/write as the server's documentation says: 204, 400 for a bad line, 404 for no such bucket.
"""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from central_rig import START_MS, CentreProcess, Gateway, kill_leftover
from central_rows import receipt, sale
from test_central_loop import set_up_store

from central.timeseries.influx import InfluxStore, line_from_point
from central.timeseries.port import Point, TimeSeriesUnavailableError

LINE = re.compile(
    r"^(?P<series>shelfloop_sales,store=[^ ,]+,category=(?:\\.|[^ ,\\])+) (?P<fields>[a-z_]+=-?\d+i(,[a-z_]+=-?\d+i)*) (?P<at>\d+)$"
)
POINT = Point("store-1", "soft drinks, cold", START_MS, 3, 750, 1, 0, 0, 0)


class InfluxDouble:
    def __init__(self) -> None:
        self.points: dict[tuple[str, int], str] = {}
        self.fail_with: list[int] = []
        self.refuses = "never"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                query = parse_qs(urlsplit(self.path).query)
                status = outer.fail_with.pop(0) if outer.fail_with else outer.write(self.path, query, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

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


@pytest.fixture
def influx() -> Iterator[InfluxDouble]:
    double = InfluxDouble()
    yield double
    double.server.shutdown()
    double.server.server_close()


def test_a_point_written_twice_is_one_point_with_the_later_values(influx: InfluxDouble) -> None:
    store = InfluxStore(influx.url, "token", "org", "shop")
    assert store.write([POINT, POINT]).accepted == 2
    assert len(influx.points) == 1
    assert r"category=soft\ drinks\,\ cold" in line_from_point(POINT)
    store.close()


def test_a_bad_point_is_named_and_the_others_are_taken(influx: InfluxDouble) -> None:
    influx.refuses = "category=bad"
    store = InfluxStore(influx.url, "token", "org", "shop")
    bad = Point("store-1", "bad", START_MS, 1, 1, 0, 0, 0, 0)
    report = store.write([POINT, bad])
    assert (report.accepted, [point for point, _ in report.rejected]) == (1, [bad])
    assert len(influx.points) == 1
    store.close()


def test_no_server_no_bucket_and_a_sick_server_are_told_as_unavailable(influx: InfluxDouble) -> None:
    influx.fail_with = [503]
    for store in (
        InfluxStore("http://127.0.0.1:9", "t", "o", "shop"),
        InfluxStore(influx.url, "t", "o", "shop"),
        InfluxStore(influx.url, "t", "o", "elsewhere"),
    ):
        with pytest.raises(TimeSeriesUnavailableError):
            store.write([POINT])
        store.close()


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
                for (series, _), fields in influx.points.items()
            }

        centre.wait_until(lambda: found() == expected, 20)
        assert {at for _, at in influx.points} == {START_MS}
    finally:
        kill_leftover(centre.process)
