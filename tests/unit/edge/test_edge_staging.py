"""Bundles from the centre: staged, checked, tried, applied, taken back; whatever fails, a good one runs."""

import errno
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edge_bundles import HOUR, KEY, BundleShop, bundle_document, models_document, sha_of, variant

from edge.errors import DiskError
from edge.process import stage_from_settings
from edge.settings import EdgeSettings
from edge.staging import bundle_store, durable, model_stage
from edge.staging.bundle_store import BundleStore
from edge.staging.stage_state import MAX_REFUSED, Refused, StageState
from models.signing import sign_bundle
from runtime.errors import OperatorError


@pytest.fixture
def shop(tmp_path):
    shop = BundleShop(tmp_path / "state")
    yield shop
    shop.close()


@pytest.fixture
def good(tmp_path):
    return variant(tmp_path / "good", "2")


def deliver(shop, folder, version=1, **models):
    shop.send(models_document(version, folder, **models), bundle_document(folder))


def test_a_good_bundle_goes_from_staged_over_its_trial_to_good(shop, good):
    assert shop.loop.bundle.startswith("demo@")
    deliver(shop, good)
    assert shop.loop.bundle == "test@2"
    for _ in range(4):
        shop.sell_a_day()
    assert shop.story() == [("test@2", "staged"), ("test@2", "applied"), ("test@2", "good")]
    assert (shop.stage.state.good, shop.stage.state.trial) == (sha_of(good), None)


def test_equal_is_no_change_and_a_bundle_is_sent_once(shop, good):
    deliver(shop, good)
    key = f"bundle:{sha_of(good)}"
    assert shop.loop.have[key] == 1
    told, saved = shop.story(), (shop.folder / "bundles" / "state.json").stat().st_mtime_ns
    shop.send(models_document(1, good), bundle_document(good))
    shop.send(models_document(2, good))
    assert (shop.story(), (shop.folder / "bundles" / "state.json").stat().st_mtime_ns) == (told, saved)
    shop.restart()
    assert shop.loop.have[key] == 1
    assert shop.loop.bundle == "test@2"


def tampered(folder):
    (folder / "demand.onnx").write_bytes(b"x" + (folder / "demand.onnx").read_bytes()[1:])
    return folder


def other_shape(folder):
    (folder / "demand.onnx").write_bytes((folder / "replenishment.onnx").read_bytes())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["demand.onnx"] = manifest["files"]["replenishment.onnx"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sign_bundle(folder, KEY)
    return folder


BAD = {
    "files": lambda at: tampered(variant(at, "bad")),
    "signature": lambda at: variant(at, "bad", key=Ed25519PrivateKey.generate()),
    "graph": lambda at: other_shape(variant(at, "bad")),
    "golden": lambda at: variant(at, "bad", scale=1.3, golden=False),
    "live sanity: .* no numbers": lambda at: variant(at, "bad", nan_above=400.0),
    "live sanity: .* out of range": lambda at: variant(at, "bad", scale=500.0),
    "live sanity: coverage": lambda at: variant(at, "bad", scale=3.0, spread=0.01),
    "live sanity: its WQL": lambda at: variant(at, "bad", scale=1.7),
}


@pytest.mark.parametrize("why", sorted(BAD))
def test_a_bad_bundle_is_refused_with_its_reason_and_the_last_good_one_runs(tmp_path, why):
    shop = BundleShop(tmp_path / "state", level=900 if "numbers" in why else 5)
    good, bad = variant(tmp_path / "good", "2"), BAD[why](tmp_path / "bad")
    deliver(shop, good, trial_days=0)
    deliver(shop, bad, version=2)
    assert shop.story()[-1] == ("test@bad", "refused")
    import re

    assert re.match(why, shop.why()), shop.why()
    for _ in range(2):
        assert shop.loop.bundle == "test@2"
        assert shop.loop.have[f"bundle:{sha_of(bad)}"] == 1  # refused: it need not come again
        shop.restart()
    assert any(alert["code"] == "bundle-refused" for alert in shop.records("alert"))
    assert shop.stage.state.good == sha_of(good)
    shop.close()


def test_a_refused_bundle_is_tried_once_more_when_the_centre_asks_anew(shop, tmp_path, good):
    bad = variant(tmp_path / "bad", "bad", scale=3.0, spread=0.01)
    deliver(shop, bad)
    shop.send(models_document(1, bad), bundle_document(bad))
    assert shop.story().count(("test@bad", "refused")) == 1
    shop.send(models_document(2, bad))
    assert shop.story().count(("test@bad", "refused")) == 2
    deliver(shop, good, version=3)
    assert shop.loop.bundle == "test@2"


def test_a_bundle_that_says_another_name_or_too_much_is_refused(shop, good):
    shop.send(models_document(1, good), bundle_document(good, sha256="0" * 64))
    assert "the centre says 000000000000" in shop.why()
    huge = bundle_document(good).files | {"more.bin": "A" * 10_666_668}
    shop.send(bundle_document(good, files=huge))
    assert "at most 8000000 are taken" in shop.why()
    assert sorted(path.name for path in (shop.folder / "bundles").iterdir()) == ["state.json"]
    deliver(shop, good, version=2)
    assert shop.loop.bundle == "test@2"


def test_a_bundle_that_gives_nonsense_later_is_taken_back_before_anybody_sees_it(shop, tmp_path):
    later = variant(tmp_path / "later", "later", nan_above=400.0)
    deliver(shop, later)
    assert shop.loop.bundle == "test@later"
    for _ in range(3):
        shop.sell_a_day(units=2000)
    assert ("test@later", "reverted") in shop.story()
    assert shop.loop.bundle.startswith("demo@")
    assert all(value is not None for row in shop.records("forecast") for value in row["mean"])
    shop.restart()
    assert shop.loop.bundle.startswith("demo@")


def test_a_bundle_that_loses_its_coverage_on_realised_days_is_taken_back(shop, tmp_path):
    """It looks well on the days before, and the shop changes: the one before would have seen it as badly, so it stays."""
    narrow = variant(tmp_path / "narrow", "narrow", scale=1.2)
    deliver(shop, narrow, trial_days=5)
    assert shop.loop.bundle == "test@narrow"
    for _ in range(2):
        shop.sell_a_day(units=1)
    assert shop.story()[-1] == ("test@narrow", "reverted")
    assert "after" in shop.why()
    assert shop.loop.bundle.startswith("demo@")


def test_a_roll_back_from_the_centre_takes_the_last_good_one_at_once(shop, tmp_path, good):
    deliver(shop, good, trial_days=0)
    newer = variant(tmp_path / "newer", "3", scale=1.05)
    deliver(shop, newer, version=2)
    assert shop.loop.bundle == "test@3"
    shop.send(models_document(3, good))
    assert (shop.loop.bundle, shop.stage.state.trial) == ("test@2", None)
    shop.send(models_document(4))
    assert shop.loop.bundle.startswith("demo@")
    assert shop.stage._store.stored() == set()


def test_a_bundle_that_ends_the_process_is_tried_three_times(shop, good):
    deliver(shop, good, trial_days=3)
    assert shop.stage.state.trial is not None
    for _ in range(3):
        shop.store.close()
        shop.stage._store.open()  # what a start does before the graphs can end it
        trial = shop.stage.state.trial
        shop.stage._save(trial=trial.model_copy(update={"starts": trial.starts + 1}))
    shop.open()
    assert shop.loop.bundle.startswith("demo@")
    assert "ended 3 times before it answered" in shop.why()


def test_ordinary_restarts_during_a_trial_count_for_nothing(shop, good):
    deliver(shop, good, trial_days=5)
    for _ in range(5):
        shop.restart()
        shop.sell_a_day()
    assert shop.loop.bundle == "test@2"


def test_damaged_files_give_way_to_the_installed_bundle(shop, good):
    deliver(shop, good, trial_days=0)
    shop.store.close()
    path = shop.folder / "bundles" / sha_of(good) / "demand.onnx"
    path.write_bytes(path.read_bytes()[:100])
    shop.open()
    assert shop.loop.bundle.startswith("demo@")
    assert "damaged" in shop.why()


def test_a_damaged_record_gives_way_to_the_installed_bundle_and_the_centre_decides_anew(shop, good):
    deliver(shop, good, trial_days=0)
    shop.store.close()
    (shop.folder / "bundles" / "state.json").write_bytes(b"{")
    shop.open()
    assert shop.loop.bundle == "test@2"  # the bundle is there and wanted: it is put in force again
    assert shop.story().count(("test@2", "good")) == 2


# ---- shadow mode ------------------------------------------------------------------------------------------------


def test_a_candidate_is_scored_beside_the_current_one_and_orders_nothing(shop, tmp_path):
    candidate = variant(tmp_path / "candidate", "c", scale=1.4)
    shop.send(models_document(1, candidate=candidate), bundle_document(candidate))
    assert shop.story() == [("test@c", "staged"), ("test@c", "shadow")]
    shop.sell_a_day()
    shop.restart()
    for _ in range(3):
        shop.sell_a_day()
    scores = shop.records("model_score")
    days = sorted({row["day"] for row in scores})
    assert days[:2] == ["2017-09-04", "2017-09-05"]
    for day in days:
        of_day = {row["role"]: row for row in scores if row["day"] == day}
        assert set(of_day) == {"current", "candidate"}
        assert of_day["current"]["skus"] == of_day["candidate"]["skus"] == 60
        assert of_day["current"]["units"] == of_day["candidate"]["units"] > 0
        assert of_day["candidate"]["mean_units"] == pytest.approx(
            1.4 * of_day["current"]["mean_units"], rel=1e-3
        )
    total = {
        role: sum(row["pinball"] for row in scores if row["role"] == role)
        for role in ("current", "candidate")
    }
    assert total["candidate"] > 1.05 * total["current"]  # the demo's own is the better one
    assert {row["bundle"] for row in shop.records("forecast")} == {shop.loop.bundle}
    assert shop.loop.bundle.startswith("demo@")


def test_each_day_is_scored_once_over_restarts_and_closed_days_not_at_all(shop):
    for _ in range(3):
        shop.sell_a_day()
        shop.restart()
    shop.night()  # nobody sold anything: a day that was not heard
    days = [row["day"] for row in shop.records("model_score")]
    assert days == sorted(set(days))
    assert "2017-09-07" not in days


def test_a_candidate_that_gives_nonsense_is_dropped_and_told(shop, tmp_path):
    candidate = variant(tmp_path / "candidate", "c", nan_above=1.0)
    shop.send(models_document(1, candidate=candidate), bundle_document(candidate))
    shop.sell_a_day()
    shop.sell_a_day()
    assert shop.story()[-1] == ("test@c", "refused")
    shop.restart()
    assert shop.stage._candidate is None
    assert {row["role"] for row in shop.records("model_score")} == {"current"}


def test_a_promoted_candidate_becomes_current(shop, good):
    shop.send(models_document(1, candidate=good), bundle_document(good))
    shop.send(models_document(2, current=good, trial_days=0))
    assert shop.loop.bundle == "test@2"
    assert shop.stage._candidate is None


# ---- a kill at any moment ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """As a kill: nothing after it runs."""


def fail_at(monkeypatch, number, error=Killed, through=0):
    """The n-th step towards the disk does not happen, nor those up to `through`."""
    count = 0

    def counted(function):
        def step(*arguments):
            nonlocal count
            count += 1
            if number <= count <= max(number, through):
                raise error
            return function(*arguments)

        return step

    for module, name in (
        (bundle_store, "write_synced"), (bundle_store, "sync_folder"), (bundle_store, "write_file"),
        (durable, "write_synced"), (durable, "sync_folder"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return lambda: count


def test_a_kill_at_any_step_of_staging_leaves_a_bundle_that_runs_and_the_next_start_goes_on(
    tmp_path, good, monkeypatch
):
    number, kills = 0, 0
    while True:
        number += 1
        shop = BundleShop(tmp_path / f"state-{number}", skus=3)
        with monkeypatch.context() as patched:
            reached = fail_at(patched, number)
            try:
                deliver(shop, good, trial_days=0)
            except Killed:
                kills += 1
            done = reached() < number
        shop.store.close()
        shop.open()
        assert shop.loop.bundle in ("test@2", shop.stage._installed.name)
        assert list((shop.folder / "bundles").glob("*.part")) == []
        # The centre sends again what `have` does not name.
        missing = [] if f"bundle:{sha_of(good)}" in shop.loop.have else [bundle_document(good)]
        wanted = [] if shop.loop.have.get("models") else [models_document(1, good, trial_days=0)]
        shop.send(*wanted, *missing)
        assert shop.loop.bundle == "test@2"
        assert shop.story()[-1] == ("test@2", "good")  # told, wherever the kill fell
        shop.close()
        if done:
            break
    assert kills >= 10


@pytest.mark.parametrize("through", [0, 10**6])
def test_a_full_disk_stops_nothing_and_the_bundle_comes_when_there_is_room(
    tmp_path, good, monkeypatch, through
):
    monkeypatch.setattr(model_stage, "DISK_RETRY_S", 0.0)
    full = OSError(errno.ENOSPC, "No space left on device")
    for number in range(1, 12, 3):
        shop = BundleShop(tmp_path / f"state-{number}", skus=3)
        installed = shop.loop.bundle
        with monkeypatch.context() as patched:
            fail_at(patched, number, full, number + through)
            deliver(shop, good, trial_days=0)
            shop.clock.now += HOUR
            shop.settle()
            assert shop.loop.bundle in ("test@2", installed)
        missing = [] if f"bundle:{sha_of(good)}" in shop.loop.have else [bundle_document(good)]
        shop.send(*missing)
        shop.clock.now += HOUR
        shop.settle()
        assert shop.loop.bundle == "test@2"
        assert all(
            row["state"] != "refused" for row in shop.records("staging")
        )  # the bundle was never at fault
        shop.restart()
        assert shop.loop.bundle == "test@2"
        shop.close()


def test_a_full_disk_at_the_start_is_a_fault_that_may_heal_and_no_bad_setting(tmp_path, monkeypatch):
    settings = EdgeSettings(gateway="gw-1", store="store-1", state_dir=str(tmp_path / "state"))
    for number, error in ((errno.ENOSPC, DiskError), (errno.EACCES, OperatorError)):
        monkeypatch.setattr(
            BundleStore, "open", lambda _, number=number: (_ for _ in ()).throw(OSError(number, "no"))
        )
        with pytest.raises(error):
            stage_from_settings(settings)


def test_refused_bundles_are_remembered_within_a_bound():
    state = StageState()
    for number in range(3 * MAX_REFUSED):
        state = state.with_refused(f"{number:064x}", Refused(name="n", reason="r", models_version=1))
    assert len(state.refused) == MAX_REFUSED
    assert f"{3 * MAX_REFUSED - 1:064x}" in state.refused


def test_the_store_removes_what_nobody_wants(tmp_path, good):
    store = BundleStore(tmp_path / "bundles")
    store.open()
    store.begin(bundle_document(good))
    store.finish(sha_of(good))
    store.keep_only({sha_of(good)})
    assert store.stored() == {sha_of(good)}
    store.keep_only(set())
    assert list((tmp_path / "bundles").iterdir()) == []
