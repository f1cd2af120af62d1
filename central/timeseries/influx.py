"""An InfluxDB-compatible store by `influxdb-client`, synchronous writes only.

Its batching mode keeps points in memory only, has a `flush()` that does nothing and drops what fails for 180 s.
"""

from collections.abc import Sequence
from typing import Any

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from central.timeseries.port import Capabilities, Point, TimeSeriesUnavailableError, WriteReport

MEASUREMENT = "shelfloop_sales"
TIMEOUT_MS = 10_000
_MILLISECONDS: Any = WritePrecision.MS
"""The class's constants are plain text, whatever its signatures say."""
_BAD_POINT = frozenset({400, 422})
_FIELDS = ("sold_units", "sold_cents", "picked_units", "delivered_units", "shrink_units", "stock_out_ms")
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": " ", "\r": " ", "\\": "/"})


class InfluxStore:
    def __init__(self, url: str, token: str, org: str, bucket: str) -> None:
        self._bucket, self._org = bucket, org
        self._client = InfluxDBClient(url=url, token=token, org=org, timeout=TIMEOUT_MS)
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    @property
    def capabilities(self) -> Capabilities:
        # Same series and time overwrite on InfluxDB; VictoriaMetrics needs -dedup.minScrapeInterval for it.
        return Capabilities(upserts=True, reads_back=False)

    def write(self, points: Sequence[Point]) -> WriteReport:
        try:
            self._send(points)
        except ApiException as error:
            if error.status not in _BAD_POINT:
                raise TimeSeriesUnavailableError(f"HTTP {error.status}: {error.reason}") from None
            return self._one_by_one(points)
        return WriteReport(len(points))

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def _one_by_one(self, points: Sequence[Point]) -> WriteReport:
        """A batch with a bad line is refused whole: find the bad ones, so that they hold up no others."""
        rejected: list[tuple[Point, str]] = []
        for point in points:
            try:
                self._send([point])
            except ApiException as error:
                if error.status not in _BAD_POINT:
                    raise TimeSeriesUnavailableError(f"HTTP {error.status}: {error.reason}") from None
                rejected.append((point, str(error.reason)[:200]))
        return WriteReport(len(points) - len(rejected), tuple(rejected))

    def _send(self, points: Sequence[Point]) -> None:
        try:
            lines = [line_from_point(point) for point in points]
            self._api.write(self._bucket, self._org, lines, _MILLISECONDS)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TimeSeriesUnavailableError(f"{type(error).__name__}: {error}"[:200]) from None


def line_from_point(point: Point) -> str:
    """Line protocol. A category may hold any text: what the protocol reads as syntax is escaped, a backslash replaced."""
    tags = f"store={point.store},category={(point.category or 'none').translate(_ESCAPES)}"
    fields = ",".join(f"{name}={getattr(point, name)}i" for name in _FIELDS)
    return f"{MEASUREMENT},{tags} {fields} {point.at_ms}"
