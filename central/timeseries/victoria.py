"""VictoriaMetrics: revisions instead of overwriting, and reading back by `/api/v1/export`: raw samples, however new.

Of two samples at one time either may win there, with `-dedup.minScrapeInterval` too (1.79.5: seen with each of the fields
of one line, and another way after a restart). So a quarter hour's first value stands 1 ms after its beginning, and each
later one a millisecond later: the last in the quarter hour is the one in force, in PromQL `last_over_time(name[15m])`.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from central.core.rollups import QUARTER_MS
from central.timeseries.influx import TIMEOUT_S
from central.timeseries.line_protocol import CATEGORIES, WATCHED, key_of
from central.timeseries.port import FIELDS, Key, Point, TimeSeriesUnavailableError, Writer

_PLACES = {
    f"{measurement}_{name}": place
    for measurement in (CATEGORIES, WATCHED)
    for place, name in enumerate(FIELDS)
}
"""It makes one metric of each field: measurement, underscore, field."""

MAX_SENT = 50_000
MISSING = -(2**62)
"""Stands for a field that the server has not."""


class RevisionWriter:
    """Writes each point as the next revision of its quarter hour; nothing where the newest one says the same."""

    def __init__(self, writer: Writer, reader: "ExportReader") -> None:
        self._writer, self._reader = writer, reader
        self._sent: dict[Key, int] = {}

    def send(self, points: Sequence[Point]) -> str:
        stores = sorted({point.store for point in points})
        times = [point.at_ms for point in points]
        there = self._reader.newest(stores, min(times), max(times))
        revised = []
        for point in points:
            key = key_of(point)
            revision, values = there.get(key, (0, ()))
            if values != point.values:
                # What was sent and does not show yet may show later: it must not be the newest then.
                number = max(revision, self._sent.get(key, 0)) + 1
                self._sent[key] = number
                revised.append(replace(point, at_ms=point.at_ms + min(number, QUARTER_MS - 1)))
            else:
                self._sent.pop(key, None)
        if len(self._sent) > MAX_SENT:
            self._sent.clear()
        return self._writer.send(revised) if revised else ""

    def close(self) -> None:
        self._writer.close()


class ExportReader:
    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers=headers,
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
        )
        self._looks = time.time_ns()

    def read(self, stores: Sequence[str], from_ms: int, to_ms: int) -> dict[Key, tuple[int, ...]]:
        return {key: values for key, (_, values) in self.newest(stores, from_ms, to_ms).items()}

    def newest(
        self, stores: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[Key, tuple[int, tuple[int, ...]]]:
        """Of each quarter hour that begins in [from_ms, to_ms]: the newest revision's number, and its values."""
        found: dict[Key, dict[int, list[int]]] = {}
        for series in self._series(stores, from_ms, to_ms + QUARTER_MS - 1):
            labels = series["metric"]
            place = _PLACES.get(labels.get("__name__", ""))
            if place is None:
                continue
            of = (labels.get("store", ""), labels.get("category", ""), labels.get("sku", ""))
            for at_ms, value in zip(series["timestamps"], series["values"], strict=True):
                revision = at_ms % QUARTER_MS
                revisions = found.setdefault((*of, at_ms - revision), {})
                revisions.setdefault(revision, [MISSING] * len(FIELDS))[place] = int(value)
        return {key: (max(of), tuple(of[max(of)])) for key, of in found.items()}

    def _series(self, stores: Sequence[str], from_ms: int, to_ms: int) -> list[Any]:
        names = f"{CATEGORIES}|{WATCHED}"
        # Another filter each time, which all series pass: it keeps a "there is none" in mind for ten seconds (1.79.5).
        self._looks += 1
        match = f'{{__name__=~"({names})_.*",store=~"{"|".join(stores)}",look!="{self._looks}"}}'
        params = {"match[]": match, "start": str(from_ms / 1000), "end": str(to_ms / 1000)}
        try:
            reply = self._http.get("/api/v1/export", params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TimeSeriesUnavailableError(f"{type(error).__name__}: {error}"[:200]) from None
        if reply.status_code != 200:
            raise TimeSeriesUnavailableError(f"/api/v1/export: HTTP {reply.status_code}: {reply.text[:150]}")
        return [json.loads(line) for line in reply.text.splitlines()]

    def close(self) -> None:
        self._http.close()
