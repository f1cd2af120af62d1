"""Coverage that is stated stays true at the gateway while the world drifts, over restarts, and the drift is told."""

from datetime import date

import numpy as np
import pytest
from edge_bundles import BundleShop
from edge_world import World

from edge.calibrated import drift_of, evidence_from, recalibration_from
from edge.core.calibration import KEPT_A_DAY, KEPT_LATELY, LATELY_NUMBERS, MAX_BUNDLES, Calibrations, added
from models import recalibration
from models.recalibration import BINS, CLASSES, Recalibration, evidence_of

SKUS = 40


def live(days, *, restart_every=0, seed=1):
    """Calm weeks before, then days on which everybody comes or nobody does."""
    random = np.random.default_rng(seed)
    usual = random.gamma(6, 4, SKUS)
    world = World(random.poisson(usual[:, None], (SKUS, 56)))
    for day in range(days):
        world.sell(random.poisson(usual * random.choice([0.5, 1.5])))
        world.night()
        if restart_every and day % restart_every == 0:
            world.restart()
    return world


def inside(scores, band):
    return sum(getattr(each, band) for each in scores) / sum(each.skus for each in scores)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_a_drifting_world_the_bands_cover_what_they_say_and_without_calibration_they_do_not(seed):
    world = live(46, seed=seed)
    told, plain = zip(*world.scored[-22:], strict=True)
    assert inside(plain, "inside_80") < 0.62
    assert inside(plain, "inside_95") < 0.85
    assert inside(told, "inside_80") == pytest.approx(0.8, abs=0.07)
    assert inside(told, "inside_95") == pytest.approx(0.95, abs=0.04)
    assert sum(each.pinball for each in told) < 0.97 * sum(each.pinball for each in plain)
    found = recalibration_from(world.core.state.calibrations.of(world.models.name))
    assert drift_of(found)["busy"].is_over
    assert not drift_of(found)["slow"].is_over
    assert world.jobs[-1].bundle == world.models.name
    assert world.jobs[-1].calibration  # forecasts and orders are made at the corrected levels
    score = world.of_kind("model_score")[-1]
    assert score.inside_95 == told[-1].inside_95


def test_a_kill_at_any_night_neither_loses_a_day_nor_counts_it_twice():
    whole, broken = live(5), live(5, restart_every=1)
    name = whole.models.name
    assert whole.core.state.calibrations.of(name) == broken.core.state.calibrations.of(name) != ()
    assert whole.core.state.calibrations.rows.by_key[name].days == 5
    assert [job.calibration for job in whole.jobs][-1] == [job.calibration for job in broken.jobs][-1]


def test_the_gateways_loop_keeps_the_levels_in_its_file_and_raises_the_alert(tmp_path):
    shop = BundleShop(tmp_path / "state", level=30)
    for day in range(4):
        shop.sell_a_day(units=4 if day % 2 else 90)
        shop.night()
        shop.days_sold += 1  # the night ends at noon of another day
        shop.clock.now += 4 * 3_600_000
        shop.settle()
    numbers = shop.core.state.calibrations.of(shop.loop.bundle)
    assert numbers
    assert shop.loop.drift()["busy"].is_over
    assert any(row["code"] == "model-drift" and not row["cleared"] for row in shop.records("alert"))
    shop.restart()
    assert shop.core.state.calibrations.of(shop.loop.bundle) == numbers
    assert shop.loop.drift()["busy"].is_over
    shop.close()


def test_the_gateway_adds_up_as_the_models_do():
    assert KEPT_A_DAY == recalibration.KEPT_A_DAY
    assert KEPT_LATELY == recalibration.KEPT_LATELY
    assert LATELY_NUMBERS == recalibration.LATELY_NUMBERS
    random, kept, state = np.random.default_rng(2), Calibrations(), Recalibration.start()
    mean = random.gamma(0.6, 4.0, 90) + 0.05
    for day in range(1, 9):
        sold = random.poisson(mean).astype(float)
        state = state.observed(mean, np.full(90, 0.3), sold)
        parts = [
            evidence_of(m, np.full(len(m), 0.3), s)
            for m, s in ((mean[:40], sold[:40]), (mean[40:], sold[40:]))
        ]
        kept.after_day("a@1", date(2024, 1, day), added(*(evidence_from(part) for part in parts)))
    found = recalibration_from(kept.of("a@1"))
    assert np.allclose(found.levels((0.1, 0.5, 0.9)), state.levels((0.1, 0.5, 0.9)), atol=1e-3)


def test_a_day_counts_once_an_empty_one_not_at_all_and_other_versions_numbers_begin_anew():
    kept, day = Calibrations(), ((1.0,) * (BINS + 5),) * CLASSES
    kept.after_day("a@1", date(2024, 1, 2), day)
    for again, evidence in (
        (date(2024, 1, 2), day),
        (date(2024, 1, 1), day),
        (date(2024, 1, 3), ()),
        (date(2024, 1, 3), ((0.0,),)),
    ):
        kept.after_day("a@1", again, evidence)
    assert kept.rows.by_key["a@1"].days == 1
    assert kept.of("a@1") == day
    kept.after_day("a@1", date(2024, 1, 4), ((1.0, 2.0),))
    assert kept.of("a@1") == ((1.0, 2.0),)
    assert recalibration_from(((1.0, 2.0),)) is None
    assert kept.of("unknown") == ()


def test_bundles_that_are_gone_are_forgotten_first():
    kept = Calibrations()
    for number in range(1, MAX_BUNDLES + 3):
        kept.after_day(f"b@{number}", date(2024, 1, number), ((1.0,),))
    assert sorted(kept.rows.by_key) == [f"b@{number}" for number in range(3, MAX_BUNDLES + 3)]
