"""Trees beside the networks: exported as they decide, absent where there is little to learn from, kept with the model."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from models.graph import Graph
from models.panel import Panel
from models.quantile_network import DAY_LEVELS, QuantileNetwork
from models.training.heavy import day_forecast
from models.training.heavy_build import HeavyPlan, build_heavy
from models.training.heavy_export import export_heavy
from models.training.heavy_files import HeavyModelError, load_heavy
from models.training.heavy_training import Recipe
from models.training.median_trees import (
    MOST_SCALING,
    TreeFit,
    at_level,
    fitted_trees,
    scaling_to,
    with_measured_share,
)
from models.training.panel_examples import Draw, PanelExamples
from models.training.quantile_fit import SHORT_DAYS, QuantileFit
from models.training.quantile_graph import PARITY_TOLERANCE
from models.training.tree_graph import TREES_OUTPUT, single_below, tree_graph
from models.training.workers import ThisProcess

SMALL = TreeFit(rounds=40, sets=2, leaves=15, least_examples=1000)


def steps_of(n: int, seed: int = 1) -> PanelExamples:
    """Demand that doubles above a threshold in the second column: a step, which trees find."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((n, 4)).astype(np.float32)
    level = random.gamma(2, 3, n).astype(np.float32) + np.float32(0.1)
    units = random.poisson(level * np.where(rows[:, 1] > 0.5, 2.0, 1.0)).astype(np.float32)
    return PanelExamples(rows, units, level, level, np.arange(n) % 50, np.zeros(n, bool))


def test_the_graph_decides_as_the_trees_do_at_every_threshold() -> None:
    given = steps_of(4000)
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": 31, "verbose": -1, "use_missing": False},
        lightgbm.Dataset(given.rows, given.units),
        num_boost_round=20,
    )
    graph = Graph(tree_graph([booster.dump_model()], 4), Path("trees"))
    thresholds = np.array(sorted(_thresholds(booster.dump_model())))
    assert len(thresholds) > 50
    # Rows that lie on a threshold, and on the next single numbers below and above it, are where rounding would flip them.
    on = thresholds.astype(np.float32)
    rows = np.stack([on, np.nextafter(on, np.float32(-9)), np.nextafter(on, np.float32(9))]).reshape(-1, 1)
    table = np.ascontiguousarray(np.repeat(rows, 4, axis=1))
    assert graph.run({"features": table})[TREES_OUTPUT][:, 0] == pytest.approx(
        booster.predict(table), rel=1e-5
    )
    assert graph.run({"features": given.rows})[TREES_OUTPUT][:, 0] == pytest.approx(
        booster.predict(given.rows), rel=1e-5, abs=1e-5
    )


def test_several_sets_of_trees_are_one_graph_that_says_their_mean() -> None:
    given = steps_of(3000)
    sets = [
        lightgbm.train(
            {"num_leaves": leaves, "seed": leaves, "verbose": -1, "use_missing": False},
            lightgbm.Dataset(given.rows, given.units),
            num_boost_round=leaves,
        )
        for leaves in (5, 9)
    ]
    graph = Graph(tree_graph([each.dump_model() for each in sets], 4), Path("trees"))
    wanted = np.mean([each.predict(given.rows) for each in sets], axis=0)
    assert graph.run({"features": given.rows})[TREES_OUTPUT][:, 0] == pytest.approx(
        wanted, rel=1e-5, abs=1e-5
    )


def _thresholds(model: dict) -> set[float]:
    found: set[float] = set()
    waiting = [tree["tree_structure"] for tree in model["tree_info"]]
    while waiting:
        node = waiting.pop()
        if "threshold" in node:
            found.add(float(node["threshold"]))
            waiting += [node["left_child"], node["right_child"]]
    return found


def test_a_threshold_is_rounded_down_to_single_precision() -> None:
    assert single_below(0.1) <= 0.1 < float(np.nextafter(np.float32(single_below(0.1)), np.float32(1)))
    assert single_below(-0.1) <= -0.1
    assert single_below(0.5) == 0.5


def test_trees_of_what_has_categories_are_refused() -> None:
    leaf = {"leaf_value": 1.0}
    root = {"split_feature": 0, "threshold": "1||2", "decision_type": "==", "missing_type": "None",
            "left_child": leaf, "right_child": leaf}  # fmt: skip
    with pytest.raises(ValueError, match="only '<='"):
        tree_graph([{"tree_info": [{"tree_structure": root}]}], 1)


def test_the_trees_find_the_step() -> None:
    given = steps_of(8000)
    level = np.full(8000, 8, np.float32)
    units = np.random.default_rng(5).poisson(level * np.where(given.rows[:, 1] > 0.5, 2.0, 1.0))
    given = replace(given, level=level, scale=level, units=units.astype(np.float32))
    more = replace(SMALL, rounds=100)
    fitted = fitted_trees(given, more, 1)
    again = fitted_trees(given, more, 1)
    assert fitted is not None
    assert again is not None
    trees = fitted.trees
    assert trees == again.trees
    rows = np.zeros((2, 4), np.float32)
    rows[1, 1] = 1.5
    low, high = trees.median(rows, np.full(2, 8, np.float32))
    assert high / low == pytest.approx(2, abs=0.35)


def test_the_share_is_measured_on_days_that_neither_family_saw() -> None:
    """A network that knows no step is drawn to the trees; one that says what the trees say is left, or drawn to no harm."""
    given = steps_of(12_000)
    fitted = fitted_trees(given, SMALL, 2)
    assert fitted is not None
    assert (given.day[fitted.rows] >= 25).all()
    flat = flat_network(1.0)
    drawn = with_measured_share(fitted, given, flat, 0.5)
    assert drawn is not None
    assert drawn.share >= 0.4
    misled = replace(fitted, medians=fitted.medians * 3)
    assert with_measured_share(misled, given, flat, 0.5) is None


def test_the_median_is_lowered_after_a_short_history_that_is_often_sold_out() -> None:
    given = steps_of(3000)
    fitted = fitted_trees(given, SMALL, 1)
    assert fitted is not None
    trees, fit = fitted.trees, replace(SMALL, short_level=0.9)
    short = chain(SHORT_DAYS - 1, sold_out=0.3)
    lowered = at_level(trees, short, fit)
    said = trees.median(given.rows, given.level)
    assert lowered.median(given.rows, given.level) == pytest.approx(0.9 * said, rel=1e-5, abs=1e-5)
    assert lowered.share == trees.share
    assert at_level(trees, short, fit) == lowered
    assert at_level(trees, short, replace(fit, short_level=1.0)) == trees
    assert at_level(trees, chain(SHORT_DAYS, sold_out=0.3), fit) == trees
    assert at_level(trees, chain(SHORT_DAYS - 1, sold_out=0.05), fit) == trees
    assert at_level(trees, replace(short, served=None), fit) == trees


def chain(days: int, sold_out: float) -> Panel:
    """Of whose days that share is served by half."""
    served = np.ones((20, days), np.float32)
    served.reshape(-1)[: int(sold_out * served.size)] = 0.5
    return Panel(date(2024, 1, 1), np.ones((20, days), np.float32), served)


def flat_network(share_of_level: float) -> QuantileNetwork:
    """Poisson-like quantiles about a share of each level, whatever the features: steps of the last layer's bias alone."""
    middle = DAY_LEVELS.index(0.5)
    steps = np.full(len(DAY_LEVELS) + 1, -2.2, np.float32)
    steps[1] = 0.9 * share_of_level
    steps[2 + middle :] = -1.5
    return QuantileNetwork(
        np.zeros(4, np.float32), np.ones(4, np.float32), (np.zeros((4, len(steps)), np.float32),), (steps,)
    )


def test_few_examples_or_no_rounds_are_no_trees() -> None:
    given = steps_of(900)
    assert fitted_trees(given, SMALL, 1) is None
    assert fitted_trees(given, replace(SMALL, rounds=0, least_examples=1), 1) is None


def test_forecasts_are_drawn_part_of_the_way_and_no_further_than_the_limit() -> None:
    medians = np.array([0.0, 4.0, 4.0, 4.0], np.float32)
    scaling = scaling_to(np.array([0.0, 4.0, 6.0, 400.0], np.float32), medians, 0.6)
    assert scaling[:2].tolist() == [1, 1]
    assert 1 < scaling[2] < 6.3 / 4.3
    assert scaling[3] < MOST_SCALING


RANDOM = np.random.default_rng(4)
PANEL = Panel(
    date(2024, 1, 1),
    RANDOM.poisson(RANDOM.gamma(1.5, 3, (60, 1)) * (1 + (np.arange(100) % 7 == 5))).astype(np.float32),
    groups={"store": np.arange(60) % 4},
)
RECIPE = Recipe(
    Draw(rows=6000, evenings=12, horizon_days=14),
    QuantileFit(hidden=(16,), epochs=2, networks=2),
    trees=SMALL,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("heavy") / "model"
    build_heavy(out, PANEL, HeavyPlan("a test", None, RECIPE), lambda _text: None, ThisProcess())
    return out


def test_trees_are_kept_with_the_model_and_change_what_it_says(folder: Path) -> None:
    model, manifest = load_heavy(folder)
    assert model.trees is not None
    assert "boosted trees" in (folder / "CARD.md").read_text()
    with_trees, without = day_forecast(model, PANEL, 7), day_forecast(replace(model, trees=None), PANEL, 7)
    assert np.abs(with_trees.mean / without.mean - 1).max() > 0.01
    assert (np.diff(with_trees.quantiles, axis=2) >= 0).all()
    assert manifest.recipe["trees"].startswith("TreeFit(rounds=40")


def test_trees_that_were_changed_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "trees.onnx").write_bytes(b"x" + (folder / "trees.onnx").read_bytes())
    with pytest.raises(HeavyModelError, match=r"trees\.onnx is not what"):
        load_heavy(tmp_path)


def test_the_export_says_what_networks_and_trees_say_together(folder: Path, tmp_path: Path) -> None:
    assert export_heavy(folder, tmp_path / "chain.onnx") <= PARITY_TOLERANCE
    model, _ = load_heavy(folder)
    assert model.trees is not None
    rows = np.random.default_rng(2).standard_normal((50, len(model.networks[0].centre))).astype(np.float32)
    level = np.full(50, 5, np.float32)
    said = Graph((tmp_path / "chain.onnx").read_bytes(), Path("chain")).run(
        {"features": rows, "level": level}
    )
    alone = np.mean(
        [network.predict(network.standardised(rows), level)[1] for network in model.networks], axis=0
    )[:, DAY_LEVELS.index(0.5)]
    wanted = alone * scaling_to(model.trees.median(rows, level), alone, model.trees.share)
    assert said["quantiles"][:, DAY_LEVELS.index(0.5)] == pytest.approx(wanted, rel=1e-4, abs=1e-4)
