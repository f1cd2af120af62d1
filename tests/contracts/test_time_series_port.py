"""One suite for the time-series port: the InfluxDB client over a recorded-protocol double, and a store in memory.

The embedded roll-ups (central/timeseries/sql.py) are no such store: they are made in the ledger's own transaction.
"""

import sys
from pathlib import Path

import pytest

from central.timeseries.influx import InfluxStore
from central.timeseries.port import Capabilities, Point, TimeSeriesUnavailableError, WriteReport

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from test_central_series import InfluxDouble

GOOD = [Point("store-1", f"kind {n}", 1_504_526_400_000 + n, n, 100 * n, 0, 0, 0, 0) for n in range(4)]
BAD = Point("store-1", "bad", 1_504_526_400_000, 1, 1, 0, 0, 0, 0)


class MemorySeries:
    capabilities = Capabilities(upserts=True, reads_back=False)

    def __init__(self):
        self.points, self.away = {}, 0

    def write(self, points):
        if self.away:
            self.away -= 1
            raise TimeSeriesUnavailableError("away")
        rejected = tuple((point, "bad") for point in points if point.category == "bad")
        taken = [point for point in points if point.category != "bad"]
        self.points |= {(point.store, point.category, point.at_ms): point for point in taken}
        return WriteReport(len(taken), rejected)

    def close(self):
        pass


class Rig:
    """sold: the units that the server has, a point each. go_away: the next write finds no server."""

    def __init__(self, store, sold, go_away):
        self.store, self.sold, self.go_away = store, sold, go_away


@pytest.fixture(params=["influx", "memory"])
def rig(request):
    if request.param == "memory":
        memory = MemorySeries()
        yield Rig(
            memory,
            lambda: sorted(point.sold_units for point in memory.points.values()),
            lambda: setattr(memory, "away", 1),
        )
        return
    double = InfluxDouble()
    double.refuses = "category=bad"
    store = InfluxStore(double.url, "token", "org", "shop")

    def sold():
        return sorted(int(fields.split("sold_units=")[1].split("i")[0]) for fields in double.points.values())

    yield Rig(store, sold, lambda: double.fail_with.append(503))
    store.close()
    double.server.shutdown()
    double.server.server_close()


def test_all_that_is_accepted_is_there(rig):
    assert rig.store.write(GOOD) == WriteReport(4)
    assert rig.sold() == [0, 1, 2, 3]


def test_a_point_written_again_replaces_itself_where_the_store_says_so(rig):
    assert rig.store.capabilities.upserts
    for _ in range(3):
        rig.store.write(GOOD)
    assert rig.sold() == [0, 1, 2, 3]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_refused_point_is_named_with_a_reason_and_holds_up_no_other(rig, place):
    report = rig.store.write([*GOOD[:place], BAD, *GOOD[place:]])
    assert report.accepted == 4
    [(point, reason)] = report.rejected
    assert point == BAD
    assert reason
    assert rig.sold() == [0, 1, 2, 3]


def test_a_store_that_is_away_says_so_and_takes_the_same_points_later(rig):
    rig.go_away()
    with pytest.raises(TimeSeriesUnavailableError):
        rig.store.write(GOOD)
    assert rig.store.write(GOOD).accepted == 4
    assert rig.sold() == [0, 1, 2, 3]
