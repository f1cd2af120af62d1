"""One suite for whatever takes the centre's sums: its own SQL, InfluxDB and VictoriaMetrics as they are, InfluxDB 2's protocol.

InfluxDB 2 and 3 cannot run here: a double keeps to what their documentation says of `/api/v2/write` and `/query`.
The ledger's roll-ups take no writes from outside: here they are written as batches write them, and read as HQ's series are.
"""

import sys
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from series_servers import SERVERS, series_server

from central.core.rollups import Sums
from central.ledger import facts
from central.ledger.engine import Ledger
from central.settings import CentralSettings
from central.setup import init_state
from central.timeseries.line_protocol import key_of, line_from_point, tag
from central.timeseries.port import FIELDS, Point, TimeSeriesUnavailableError, WriteReport
from central.timeseries.projection import MAX_CATEGORIES, REST, read_points
from central.timeseries.server import CAPABILITIES, ServerStore, prepare_server, server_store

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from test_central_series import InfluxDouble

QUARTER_MS = 900_000
START_MS = 1_790_000_100_000 - 1_790_000_100_000 % QUARTER_MS
DATABASE = "shop"


def points(count: int = 4, store: str = "store-1", **more) -> list[Point]:
    return [
        Point(store, f"kind {n}", START_MS + n * QUARTER_MS, n, 100 * n, 1, 2, -n, 900_000, **more)
        for n in range(count)
    ]


class SqlWriter:
    """Puts points into roll-ups through the statement that batches use: a SKU of its own stands for a category."""

    def __init__(self, ledger, watched):
        self.ledger, self.watched = ledger, watched

    def send(self, points):
        try:
            with self.ledger.write.begin() as connection:
                for point in points:
                    self._put(connection, point)
        except sa.exc.OperationalError as error:
            raise TimeSeriesUnavailableError(str(error)) from None
        except sa.exc.IntegrityError as error:
            return str(error.orig)
        return ""

    def _put(self, connection, point):
        sku = point.sku or f"all of {point.category}"
        if point.sku:
            self.watched.add(point.sku)
        key = {"store": point.store, "sku": sku, "at_ms": point.at_ms, "category": point.category}
        connection.execute(_PUT_ITEM, key)
        connection.execute(_DROP_SUM, key)
        sums = Sums(**dict(zip(FIELDS, point.values, strict=True)))
        facts.add_rollups(connection, point.store, {(QUARTER_MS, sku, point.at_ms): sums})

    def close(self):
        pass


class SqlReader:
    def __init__(self, ledger, watched):
        self.ledger, self.watched = ledger, watched

    def read(self, stores, from_ms, to_ms):
        with self.ledger.read.connect() as connection:
            found = [
                point
                for store in stores
                for point in read_points(connection, store, from_ms, to_ms, sorted(self.watched))
            ]
        return {key_of(point): point.values for point in found}

    def close(self):
        pass


_PUT_ITEM = sa.text(
    "INSERT INTO items (store_id, sku, gtin, name, category, managed) VALUES (:store, :sku, '', '', :category, 1)"
    " ON CONFLICT DO NOTHING"
)
_DROP_SUM = sa.text(
    "DELETE FROM rollups WHERE store_id = :store AND step_ms = 900000 AND at_ms = :at_ms AND sku = :sku"
)


class SqlRig:
    """The ledger's own tables, with what they declare."""

    kind, server = "sql", None

    def __init__(self, folder):
        self.folder = folder / "state"
        self.settings = CentralSettings(state_dir=self.folder)
        init_state(self.settings)
        self.capabilities = CAPABILITIES["sql"]
        self.ledger = Ledger(self.settings.url)
        watched = set()
        self.writer, self.reader = SqlWriter(self.ledger, watched), SqlReader(self.ledger, watched)
        self.store = ServerStore(self.writer, self.reader, self.capabilities)

    def read(self, stores=("store-1",), from_ms=0, to_ms=4_000_000_000_000):
        return self.reader.read(stores, from_ms, to_ms)

    def away(self):
        self.ledger.close()
        self.folder.rename(self.folder.with_name("away"))

    def back(self):
        self.folder.with_name("away").rename(self.folder)

    def restart(self):
        self.ledger.close()
        self.ledger = self.writer.ledger = self.reader.ledger = Ledger(self.settings.url)

    def close(self):
        self.ledger.close()


class Rig:
    """A server, a store that writes to it, and what a stranger reads there."""

    def __init__(self, kind, folder):
        self.kind = kind
        if kind == "influxdb-2":
            self.server, self.double = None, InfluxDouble()
            self.url = self.double.url
        else:
            self.server = series_server(kind, folder)
            self.url = self.server.url
        self.capabilities = CAPABILITIES[kind]
        prepare_server(kind, self.url, "", DATABASE)
        self.store = self.open()

    def open(self, url=None, bucket=DATABASE):
        return server_store(
            self.kind, url or self.url, "token" if self.kind == "influxdb-2" else "", "org", bucket
        )

    def read(self, stores=("store-1",), from_ms=0, to_ms=4_000_000_000_000):
        return self.store._reader.read(list(stores), from_ms, to_ms)

    def away(self):
        if self.server is None:
            self.double.fail_with.append(503)
        else:
            self.server.kill()

    def back(self):
        if self.server is not None:
            self.server.start()

    def restart(self):
        self.server.kill()
        self.server.start()

    def close(self):
        self.store.close()
        if self.server is not None:
            self.server.kill()
        else:
            self.double.server.shutdown()
            self.double.server.server_close()


@pytest.fixture(scope="module", params=["sql", "influxdb-2", *SERVERS])
def rig(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    rig = SqlRig(folder) if request.param == "sql" else Rig(request.param, folder)
    yield rig
    rig.close()


def test_all_that_is_accepted_is_there_as_it_was_sent(rig):
    sent = points()
    assert rig.store.write(sent) == WriteReport(4)
    assert rig.read() == {key_of(point): point.values for point in sent}


def test_a_point_written_again_replaces_itself(rig):
    first = points(2, "store-2")
    assert rig.store.write(first).accepted == 2
    for units in (7, 0, 9, 3):
        changed = [Point("store-2", "kind 1", START_MS + QUARTER_MS, units, 9 - units, 0, 0, 0, 0)]
        for _ in range(2):
            assert rig.store.write(changed) == WriteReport(1)
    found = rig.read(["store-2"])
    assert found[key_of(changed[0])] == changed[0].values
    assert len(found) == 2


def test_the_later_of_two_values_in_one_batch_is_the_one_to_have(rig):
    early, late = (Point("store-3", "a", START_MS, n, n, 0, 0, 0, 0) for n in (9, 2))
    assert rig.store.write([early, late]).accepted == 2
    assert rig.read(["store-3"]) == {key_of(late): late.values}


def test_late_and_reordered_points_find_their_place(rig):
    sent = points(6, "store-4")
    for point in reversed(sent):
        assert rig.store.write([point]).accepted == 1
    assert rig.read(["store-4"]) == {key_of(point): point.values for point in sent}


def test_any_category_makes_a_point_that_is_found_again(rig):
    words = (
        "",
        "soft drinks, cold",
        "a=b",
        'say "x"',
        "back\\slash",
        "two\nlines",
        "naïve – 日本",
        "x" * 500,
        "ends\\",
    )
    sent = [Point("store-5", word, START_MS, 1, 1, 1, 1, 1, 1) for word in words]
    assert rig.store.write(sent) == WriteReport(len(words))
    assert rig.read(["store-5"]) == {key_of(point): point.values for point in sent}


def test_a_watched_sku_is_a_series_of_its_own_and_adds_to_no_category(rig):
    if rig.capabilities.write == "sql":
        pytest.skip(
            "in the ledger a category is the sum of its SKUs: read_points tells both, see the last tests"
        )
    sku, category = points(2, "store-6", sku="sku 1, large")[1], points(2, "store-6")[1]
    assert rig.store.write([sku, category]).accepted == 2
    assert rig.read(["store-6"]) == {key_of(point): point.values for point in (sku, category)}
    measured = {line_from_point(point).split(",")[0] for point in (sku, category)}
    assert measured == {"shelfloop_sales", "shelfloop_watched"}


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_refused_point_is_named_with_the_servers_reason_and_holds_up_no_other(rig, place):
    if not rig.capabilities.names_bad_lines:
        pytest.skip(f"{rig.kind} declares that it names no bad line; the next test is about it")
    good, bad = points(4, "store-7"), Point("store-7", "bad", START_MS, 1, 1, 0, 0, 0, 0)
    if rig.kind == "sql":  # a sum that is none
        bad = Point("store-7", "bad", START_MS, None, 1, 0, 0, 0, 0)
    elif rig.server is None:
        rig.double.refuses = "category=bad"
    else:  # a field of another type, as somebody else's program may have left it
        at_ms = START_MS + (400 + place) * 86_400_000  # types are of a shard of time
        bad = Point("clash", "bad", at_ms, 1, 1, 0, 0, 0, 0)
        line = f"shelfloop_sales,store=clash,category=bad sold_units=1.5 {at_ms}"
        reply = httpx.post(
            f"{rig.url}/write", params={"db": DATABASE, "precision": "ms"}, content=line, timeout=30
        )
        assert reply.status_code == 204, reply.text
    report = rig.store.write([*good[:place], bad, *good[place:]])
    assert report.accepted == 4
    [(point, reason)] = report.rejected
    assert (point, bool(reason)) == (bad, True)
    assert report.unknown == ()


def test_a_point_that_the_server_takes_and_loses_is_unknown_not_accepted(rig):
    """A 204 alone proves nothing: a time out of retention is dropped without a word by one server."""
    if rig.capabilities.keeps_all_times:
        pytest.skip(f"{rig.kind} declares that it keeps all times")
    good, lost = (
        points(1, "store-8")[0],
        Point("store-8", "future", START_MS + 30 * 365 * 86_400_000, 1, 1, 0, 0, 0, 0),
    )
    report = rig.store.write([good, lost])
    assert (report.accepted, report.rejected, report.unknown) == (1, (), (lost,))


def test_a_server_that_is_away_says_so_and_takes_the_same_points_later(rig):
    rig.away()
    with pytest.raises(TimeSeriesUnavailableError):
        rig.store.write(points(4, "store-9"))
    rig.back()
    assert rig.store.write(points(4, "store-9")) == WriteReport(4)
    assert len(rig.read(["store-9"])) == 4


def test_what_was_accepted_outlives_a_kill_of_the_server(rig):
    if rig.kind == "influxdb-2":
        pytest.skip("a double has no disk")
    if rig.kind == "victoria-metrics":
        pytest.skip(
            "VictoriaMetrics keeps seconds of data in memory: a rebuild writes them again (docs/howto/time-series.md)"
        )
    assert rig.store.write(points(4, "store-10")).accepted == 4
    rig.restart()
    assert len(rig.read(["store-10"])) == 4


def test_no_such_database_and_no_such_server_are_unavailable_and_not_a_loss(rig):
    if rig.kind == "sql":
        pytest.skip("the ledger is the centre's own: without it no centre starts (central.ledger.schema)")
    stores = [rig.open("http://127.0.0.1:9")]
    if rig.kind != "victoria-metrics":  # it knows no databases
        stores.append(rig.open(bucket="elsewhere"))
    for store in stores:
        with pytest.raises(TimeSeriesUnavailableError):
            store.write(points(1))
        store.close()


def test_a_victoria_metrics_that_was_taken_for_an_influxdb_is_found_out(tmp_path):
    """It answers any InfluxQL with the list of databases and 200."""
    server = series_server("victoria-metrics", tmp_path)
    store = server_store("influxdb-2", server.url, "", "org", DATABASE)
    with pytest.raises(TimeSeriesUnavailableError, match="influx_server"):
        store.write(points(1))
    store.close()
    server.kill()


def test_a_tag_is_one_line_of_bounded_length():
    assert tag("") == "none"
    assert tag("a\x00b\tc\\") == "a b c"
    assert len(tag("x" * 500)) == 100


@pytest.fixture
def ledger(tmp_path):
    settings = CentralSettings(state_dir=tmp_path / "state")
    init_state(settings)
    ledger = Ledger(settings.url)
    yield ledger
    ledger.close()


def fill(ledger, rows):
    """rows: (sku, category, at_ms, units)."""
    item = sa.text(
        "INSERT INTO items (store_id, sku, gtin, name, category, managed) VALUES ('store-1', :sku, '', '', :category, 1)"
        " ON CONFLICT DO NOTHING"
    )
    sums = sa.text(
        """INSERT INTO rollups (store_id, step_ms, at_ms, sku, receipts, sold_units, sold_cents, picked_units,
        delivered_units, shrink_units, unresolved_g, stock_out_ms, level_ms)
        VALUES ('store-1', 900000, :at_ms, :sku, 1, :units, :units, 0, 0, 0, 0, 0, 0)"""
    )
    with ledger.write.begin() as connection:
        for sku, category, at_ms, units in rows:
            connection.execute(item, {"sku": sku, "category": category})
            connection.execute(sums, {"sku": sku, "at_ms": at_ms, "units": units})


def test_the_ledgers_own_rollups_say_what_a_server_is_sent(ledger):
    fill(ledger, [("a", "x", START_MS, 1), ("b", "x", START_MS, 2), ("c", "y", START_MS + QUARTER_MS, 4)])
    with ledger.read.connect() as connection:
        found = read_points(connection, "store-1", START_MS, START_MS + QUARTER_MS, ["b"])
    assert {(p.category, p.sku, p.at_ms, p.sold_units) for p in found} == {
        ("x", "", START_MS, 3), ("x", "b", START_MS, 2), ("y", "", START_MS + QUARTER_MS, 4),
    }  # fmt: skip
    assert len(FIELDS) == len(found[0].values)


def test_the_number_of_series_is_bounded_and_no_unit_is_lost_by_it(ledger):
    count = MAX_CATEGORIES + 50
    fill(ledger, [(f"sku-{n}", f"category {n:04}", START_MS, 1) for n in range(count)])
    with ledger.read.connect() as connection:
        found = read_points(connection, "store-1", START_MS, START_MS)
    assert len(found) == MAX_CATEGORIES + 1
    assert sum(point.sold_units for point in found) == count
    [rest] = [point for point in found if point.category == REST]
    assert rest.sold_units == 50
