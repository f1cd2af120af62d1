"""A time-series server: writes, then reads back what it wrote. A status of 204 alone proves nothing."""

import time
from collections.abc import Sequence

from central.timeseries.line_protocol import key_of
from central.timeseries.port import (
    Capabilities,
    Point,
    Reader,
    TimeSeriesStore,
    Writer,
    WriteReport,
)

LOOKS_S = (0.0, 0.3, 0.7, 1.0, 2.0, 3.0)
"""Waits before each look: a server may show what it took a second later."""

CAPABILITIES = {
    # The ledger's own roll-ups: nobody writes there from outside, and what is there is what the facts add up to.
    "sql": Capabilities(write="sql", query="sql"),
    "influxdb-1": Capabilities(write="v1", query="influxql"),
    "influxdb-2": Capabilities(write="v2", query="influxql"),
    # It drops lines that it cannot read, text, and times outside its retention without a word; of equal times either wins.
    "victoria-metrics": Capabilities(
        write="v2", query="promql", overwrites=False, names_bad_lines=False, keeps_all_times=False
    ),
}


class ServerStore:
    def __init__(self, writer: Writer, reader: Reader, capabilities: Capabilities) -> None:
        self._writer, self._reader, self._capabilities = writer, reader, capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def write(self, points: Sequence[Point]) -> WriteReport:
        # The later of two values for one place and time is the one to have.
        latest = list({key_of(point): point for point in points}.values())
        rejected: list[tuple[Point, str]] = []
        reason = self._writer.send(latest) if latest else ""
        taken = latest
        if reason:
            taken = []
            for point in latest:  # a refusal names no line: find the bad ones, so that they hold up no others
                refused = self._writer.send([point])
                if refused:
                    rejected.append((point, refused))
                else:
                    taken.append(point)
        unknown = self._not_there(taken)
        return WriteReport(len(points) - len(rejected) - len(unknown), tuple(rejected), tuple(unknown))

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def _not_there(self, points: Sequence[Point]) -> list[Point]:
        missing = list(points)
        for wait_s in LOOKS_S:
            if not missing:
                return []
            time.sleep(wait_s)
            stores = sorted({point.store for point in missing})
            times = [point.at_ms for point in missing]
            found = self._reader.read(stores, min(times), max(times))
            missing = [point for point in missing if found.get(key_of(point)) != point.values]
        return missing


def server_store(kind: str, url: str, token: str, org: str, bucket: str) -> TimeSeriesStore:
    """kind: one of CAPABILITIES. Nothing is asked of the server yet."""
    from central.timeseries.influx import InfluxQlReader, V1Writer, V2Writer  # noqa: PLC0415 - 15 MB that few centres need
    from central.timeseries.victoria import ExportReader, RevisionWriter  # noqa: PLC0415

    if kind == "victoria-metrics":
        export = ExportReader(url, token)
        revisions = RevisionWriter(V2Writer(url, token, org, bucket), export)
        return ServerStore(revisions, export, CAPABILITIES[kind])
    writer = V1Writer(url, token, bucket) if kind == "influxdb-1" else V2Writer(url, token, org, bucket)
    return ServerStore(writer, InfluxQlReader(url, token, bucket), CAPABILITIES[kind])


def prepare_server(kind: str, url: str, token: str, bucket: str) -> None:
    """Makes the database of an InfluxDB 1.x; the others have theirs. Raises TimeSeriesUnavailableError."""
    if kind == "influxdb-1":
        from central.timeseries.influx import create_database  # noqa: PLC0415

        create_database(url, token, bucket)
