import json
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from models.panel import Panel
from models.training.evenings import measured
from models.training.heavy_build import HeavyPlan, build_heavy, score_methods
from models.training.heavy_export import export_heavy
from models.training.heavy_files import HeavyModelError, load_heavy, require_fit
from models.training.heavy_scores import heavy_method
from models.training.heavy_training import Recipe
from models.training.panel_examples import Draw
from models.training.quantile_fit import QuantileFit
from models.training.workers import ThisProcess

RANDOM = np.random.default_rng(4)
LEVEL = RANDOM.gamma(1.5, 3, (60, 1))
PANEL = Panel(
    date(2024, 1, 1),
    RANDOM.poisson(LEVEL * (1 + (np.arange(100) % 7 == 5))).astype(np.float32),
    covariates={"holiday": (np.arange(101) % 30 == 3).astype(np.float32)[None]},
    groups={"store": np.arange(60) % 4},
)
RECIPE = Recipe(
    Draw(rows=6000, evenings=12, horizon_days=14),
    QuantileFit(hidden=(16,), epochs=2, networks=2),
    partitions=2,
)


def build(folder, recipe: Recipe = RECIPE):
    return build_heavy(folder, PANEL, HeavyPlan("a test", None, recipe), lambda _text: None, ThisProcess())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("heavy") / "model"
    build(out)
    return out


def test_equal_recipes_on_equal_sales_give_equal_bytes(folder, tmp_path):
    build(tmp_path / "model")
    for name in ("networks.npz", "model.json", "CARD.md"):
        assert (tmp_path / "model" / name).read_bytes() == (folder / name).read_bytes()


def test_another_seed_gives_another_model(folder, tmp_path):
    build(tmp_path / "model", Recipe(RECIPE.draw, QuantileFit(hidden=(16,), epochs=2, networks=2, seed=2), 2))
    assert (tmp_path / "model" / "networks.npz").read_bytes() != (folder / "networks.npz").read_bytes()


def test_the_card_tells_span_columns_scores_with_intervals_and_limits(folder):
    card = (folder / "CARD.md").read_text()
    assert "60 series, 2024-01-01 to 2024-03-12" in card
    assert "holiday" in card
    assert "seasonal-naive-negbin" in card
    assert "## Limits" in card
    for picture in ("calibration.png", "error-by-day.png", "fan.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    scores = {(each.method, each.measure): each for each in load_heavy(folder)[1].held_out}
    mine = scores["model", "wql"]
    assert mine.low < mine.value < mine.high


def test_a_saved_model_scores_what_its_card_says(folder):
    model, manifest = load_heavy(folder)
    found = measured(score_methods(PANEL, 72, {"model": heavy_method(model)})["model"])
    told = {each.measure: each.value for each in manifest.held_out if each.method == "model"}
    assert {name: interval.value for name, interval in found.items()} == told


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("networks.npz", lambda content: content[:-40] + b"x" * 40, "is not what model.json says"),
        ("model.json", lambda content: content.replace(b'"horizon_days": 14', b'"horizon_days": 400'), "less than or equal"),
        ("model.json", lambda content: json.dumps(json.loads(content) | {"features_version": 1}).encode(), "train it again"),
        ("model.json", lambda _content: b"{", "train the model again"),
    ],
)  # fmt: skip
def test_a_folder_that_was_changed_is_refused(folder, tmp_path, name, change, says):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(HeavyModelError, match=says):
        load_heavy(tmp_path)


def test_no_folder_is_no_model(tmp_path):
    with pytest.raises(HeavyModelError, match="no heavy model"):
        load_heavy(tmp_path / "none")


def test_tables_with_other_columns_are_refused_by_name(folder):
    manifest = load_heavy(folder)[1]
    require_fit(manifest, PANEL)
    for other in ({"covariates": {}}, {"groups": {"sku": PANEL.groups["store"]}}):
        panel = Panel(**{"first_day": PANEL.first_day, "units": PANEL.units, "covariates": PANEL.covariates, "groups": PANEL.groups} | other)  # fmt: skip
        with pytest.raises(HeavyModelError, match="learned from"):
            require_fit(manifest, panel)


def test_the_exported_graph_is_checked_against_the_model(folder, tmp_path):
    out = tmp_path / "heavy.onnx"
    assert export_heavy(folder, out) < 1e-4
    assert out.stat().st_size > 1000


def test_rows_that_tell_of_stock_outs_alone_do_not_make_missing_days_unknown():
    from models.training.panel_table import panel_from_tables

    days = [date(2024, 1, 1 + n) for n in range(20)]
    history = pa.table({
        "store": ["s"] * 31, "sku": ["often"] * 20 + ["seldom"] * 11, "date": days + days[:11],
        "units": [3.0] * 30 + [0.0], "stockout_hours": [0.0] * 30 + [5.0],
    })  # fmt: skip
    panel = panel_from_tables(history, history.slice(0, 0), 0).panel
    assert (panel.units[1, 11:] == 0).all()
