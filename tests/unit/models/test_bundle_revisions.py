"""Bundles of earlier and later features than a gateway's own."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models import bundle, features
from models.bundle import load_bundle
from models.errors import BundleError
from models.inference import DemandModel
from models.known_days import KNOWN_DAY_COLUMNS
from models.signing import public_pem, sign_bundle
from models.training.build import Plan, build_bundle
from models.training.network import Fit
from models.training.series import DailySeries


@pytest.fixture(scope="module")
def revisions(tmp_path_factory, other_key) -> dict[int, Path]:
    """A signed bundle of each revision of features, trained on the same promoted sales."""
    random = np.random.default_rng(3)
    promotion = (random.random((40, 120)) < 0.15).astype(np.float32)
    units = random.poisson(4 * (1 + 4 * promotion)).astype(np.float32)
    price, group = np.full_like(units, np.nan), np.zeros(40, np.int64)
    series = DailySeries(date(2017, 1, 2), units, price, group, "test", None, {"promotion": promotion})
    made = {}
    for revision in (1, 2):
        folder = tmp_path_factory.mktemp("revision") / str(revision)
        plan = Plan("test", "1", 8000, Fit(hidden=(16,), epochs=12), date(2017, 4, 20), revision)
        build_bundle(folder, series, series, plan, say=lambda _text: None)
        sign_bundle(folder, other_key)
        made[revision] = folder
    return made


def test_a_bundle_of_an_earlier_revision_still_runs_and_does_not_see_the_calendar(revisions, other_key):
    key = public_pem(other_key)
    promoted = {"promotion": np.broadcast_to(np.arange(70) >= 56, (1, 70)).astype(float)}
    history = np.full((1, 56), 4.0)
    means = {}
    for revision, folder in revisions.items():
        demand = DemandModel(load_bundle(folder, key))
        means[revision] = [
            float(demand.forecast(history, date(2017, 4, 20), known_days=known).mean.mean())
            for known in (None, {"promotion": np.zeros((1, 70))}, promoted)
        ]
    assert means[1][0] == means[1][1] == means[1][2]
    assert means[2][2] > 1.25 * means[2][1]
    assert means[2][1] <= means[2][0] * 1.1


def test_an_earlier_version_refuses_a_bundle_of_a_later_revision_and_names_the_features(
    revisions, other_key, monkeypatch
):
    first = {1: features.FEATURES_BY_REVISION[1]}
    monkeypatch.setattr(features, "FEATURES_BY_REVISION", first)
    monkeypatch.setattr(bundle, "FEATURES_BY_REVISION", first)
    load_bundle(revisions[1], public_pem(other_key))
    with pytest.raises(
        BundleError, match=r"other features than this version computes \(calendar_known"
    ) as told:
        load_bundle(revisions[2], public_pem(other_key))
    assert told.value.check == "features"


def test_the_golden_examples_meet_every_column_that_is_known_of_days(revisions):
    golden = json.loads((revisions[2] / "golden.json").read_bytes())["demand"]
    assert set(golden["known_days"]) == set(KNOWN_DAY_COLUMNS)
