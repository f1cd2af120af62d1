"""InfluxDB: writes by `influxdb-client` (2.x, 3.x) or `/write` (1.x), reads by InfluxQL `/query`, which all of them answer.

The client writes synchronously only: its batching mode keeps points in memory, has a `flush()` that does nothing and
drops what fails for 180 s.
"""

import re
from collections.abc import Sequence
from typing import Any

import httpx
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from central.timeseries.line_protocol import CATEGORIES, WATCHED, line_from_point
from central.timeseries.port import FIELDS, Key, Point, TimeSeriesUnavailableError

TIMEOUT_S = 10.0
_MILLISECONDS: Any = WritePrecision.MS
"""The class's constants are plain text, whatever its signatures say."""
BAD_POINT = frozenset({400, 422})
"""Statuses that are about the points; every other one is about the server, or our right to write."""
_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,64}$")


class V2Writer:
    """POST /api/v2/write."""

    def __init__(self, url: str, token: str, org: str, bucket: str) -> None:
        self._bucket, self._org = bucket, org
        self._client = InfluxDBClient(url=url, token=token, org=org, timeout=int(TIMEOUT_S * 1000))
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def send(self, points: Sequence[Point]) -> str:
        try:
            lines = [line_from_point(point) for point in points]
            self._api.write(self._bucket, self._org, lines, _MILLISECONDS)
        except ApiException as error:
            if error.status not in BAD_POINT:
                raise TimeSeriesUnavailableError(f"HTTP {error.status}: {error.reason}") from None
            return str(error.body or error.reason)[:200]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TimeSeriesUnavailableError(f"{type(error).__name__}: {error}"[:200]) from None
        return ""

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


class V1Writer:
    """POST /write, for InfluxDB 1.x, which answers 404 to the newer one."""

    def __init__(self, url: str, token: str, database: str) -> None:
        self._http = _http(url, token)
        self._database = database

    def send(self, points: Sequence[Point]) -> str:
        lines = "\n".join(line_from_point(point) for point in points)
        reply = _asked(self._http, "/write", {"db": self._database, "precision": "ms"}, lines)
        return reply.text.strip()[:200] if reply.status_code in BAD_POINT else ""

    def close(self) -> None:
        self._http.close()


class InfluxQlReader:
    """GET /query. Raises TimeSeriesUnavailableError, too, when the server only looks as if it answered InfluxQL."""

    def __init__(self, url: str, token: str, database: str) -> None:
        self._http = _http(url, token)
        self._database = database

    def read(self, stores: Sequence[str], from_ms: int, to_ms: int) -> dict[Key, tuple[int, ...]]:
        fields = ", ".join(f'"{name}"' for name in FIELDS)
        places = " OR ".join(f"\"store\" = '{_checked(store)}'" for store in stores)
        span = f"time >= {from_ms}ms AND time <= {to_ms}ms"
        measurements = f'"{CATEGORIES}", "{WATCHED}"'
        query = " ".join(  # noqa: FLY002 - an f-string of SQL looks like an injection
            ("SELECT", fields, "FROM", measurements, "WHERE", span, "AND (", places, ") GROUP BY *")
        )
        found: dict[Key, tuple[int, ...]] = {}
        for series in self._series(query):
            tags = series.get("tags", {})
            for at_ms, *values in series["values"]:
                key = (tags.get("store", ""), tags.get("category", ""), tags.get("sku", ""), at_ms)
                found[key] = tuple(-1 if value is None else int(value) for value in values)
        return found

    def _series(self, query: str) -> list[Any]:
        params = {"db": self._database, "q": query, "epoch": "ms"}
        reply = _asked(self._http, "/query", params)
        try:
            result = reply.json()["results"][0]
            if "error" in result:
                raise TimeSeriesUnavailableError(f"/query: {result['error']}"[:200])
            series: list[Any] = result.get("series", [])
        except (ValueError, LookupError, TypeError):
            raise TimeSeriesUnavailableError(
                f"/query: HTTP {reply.status_code}, no InfluxQL answer"
            ) from None
        if any(part.get("columns", [])[1:] != list(FIELDS) for part in series):
            raise TimeSeriesUnavailableError(
                "/query answers another question than was asked: this is no InfluxDB; set influx_server"
            )
        return series

    def close(self) -> None:
        self._http.close()


def create_database(url: str, token: str, database: str) -> None:
    """Makes an InfluxDB 1.x database where there is none. Raises TimeSeriesUnavailableError."""
    with _http(url, token) as http:
        _asked(http, "/query", {}, {"q": f'CREATE DATABASE "{_checked(database)}"'})


def _http(url: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Token {token}"} if token else {}
    return httpx.Client(
        base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
    )


def _asked(
    http: httpx.Client, path: str, params: dict[str, str], body: str | dict[str, str] | None = None
) -> httpx.Response:
    """Raises TimeSeriesUnavailableError for any answer that is neither good nor about the points."""
    try:
        if body is None:
            reply = http.get(path, params=params)
        elif isinstance(body, str):
            reply = http.post(path, params=params, content=body.encode())
        else:
            reply = http.post(path, params=params, data=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TimeSeriesUnavailableError(f"{type(error).__name__}: {error}"[:200]) from None
    if not reply.is_success and reply.status_code not in BAD_POINT:
        raise TimeSeriesUnavailableError(f"HTTP {reply.status_code}: {reply.text[:150]}")
    return reply


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise TimeSeriesUnavailableError(
            f"{name[:40]!r} must be letters, digits, dots, hyphens and underscores"
        )
    return name
