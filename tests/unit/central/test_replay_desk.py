"""Replays that people ask for: the command's own result, bounded, read-only, one at a time."""

import base64
import threading

import pytest
from test_replaying import played, settings  # noqa: F401 - a fixture

from central import replay_desk
from central.centre import Centre
from central.errors import BusyError, NotFoundError, SenderError
from central.ledger import rollout_rows
from central.ledger.engine import Ledger
from contract.api.replays import ReplayPost, RuleChange
from models.bundle import DEMO_BUNDLE

HIGHER = ReplayPost(days=10, changes=RuleChange(service_level=0.99))


class Clock:
    def now_ms(self):
        return 0


@pytest.fixture
def centre(settings):  # noqa: F811 - the fixture
    ledger = Ledger(settings.url)
    yield Centre(ledger, settings, Clock())
    ledger.close()


def test_a_person_sees_what_the_command_prints_day_by_day(centre, settings):  # noqa: F811 - the fixture
    found = centre.replays.replay("s1", HIGHER)
    command = played(settings, {"service_level": 0.99})
    assert (found.now, found.then, found.skus) == (command.now, command.then, 1)
    assert len(found.days) == 10
    assert found.days[-1].day == "2017-09-08", "the newest day is not over"
    assert centre.writer.commits_total == 0


@pytest.mark.parametrize(
    ("store", "post", "error", "says"),
    [
        ("s1", ReplayPost(), SenderError, "nothing is changed"),
        ("s9", HIGHER, NotFoundError, "store s9"),
        ("s1", ReplayPost(bundle="a" * 64), NotFoundError, "GET /v1/bundles"),
    ],
)
def test_what_cannot_be_played_is_named(centre, store, post, error, says):
    with pytest.raises(error, match=says):
        centre.replays.replay(store, post)


def test_a_bundle_of_the_centre_forecasts_anew(centre):
    files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in DEMO_BUNDLE.iterdir()}
    text = "{" + ",".join(f'"{name}":"{content}"' for name, content in files.items()) + "}"
    with centre.ledger.write.begin() as connection:
        rollout_rows.put_bundle(
            connection,
            sha256="b" * 64,
            name="demo@1",
            manifest="{}",
            files=text,
            size_bytes=1,
            who="Ann",
            now_ms=0,
        )
    found = centre.replays.replay("s1", ReplayPost(days=7, bundle="b" * 64))
    assert found.then.demand_units == found.now.demand_units
    assert found.then.ordered_units > 0
    assert centre.replays.replay("s1", ReplayPost(days=7, bundle="b" * 64)) == found


def test_a_big_shop_is_cut_to_its_best_sellers_and_says_so(centre, monkeypatch):
    monkeypatch.setattr(replay_desk, "MAX_SKUS", 0)
    found = centre.replays.replay("s1", HIGHER)
    assert (found.skus, found.left_out) == (0, 1)
    monkeypatch.undo()
    assert centre.replays.replay("s1", HIGHER).left_out == 0


def test_one_replay_runs_at_a_time_and_the_next_is_told(centre, monkeypatch):
    monkeypatch.setattr(replay_desk, "WAIT_S", 0.01)
    entered, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(centre.replays, "_rest", lambda: (entered.set(), go_on.wait(60)))
    thread = threading.Thread(target=centre.replays.replay, args=("s1", HIGHER))
    thread.start()
    assert entered.wait(60)
    with pytest.raises(BusyError, match="another replay runs"):
        centre.replays.replay("s1", HIGHER)
    go_on.set()
    thread.join(60)
    assert centre.replays.replay("s1", HIGHER).skus == 1
