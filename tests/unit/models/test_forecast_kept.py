"""Kept forecasts of the benchmark: computed once, and again when what they depend on is another."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.forecasting.kept import Keeper, code_of, content_of, sales_of
from benchmarks.forecasting.lightgbm_peer import narrowed
from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.methods import CODE
from benchmarks.forecasting.plain_features import Known, plain_rows
from benchmarks.peer_rig.environment import python_with
from models.arrays import F32
from models.panel import Panel
from models.quantile_network import DAY_LEVELS

ROWS = np.arange(3)


class Counting:
    """A method that tells how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def forecast(self, panel: Panel, days: int, rows: np.ndarray) -> Found:
        self.times += 1
        mean = np.full((len(rows), days), float(np.nansum(panel.units)), np.float32)
        return Found(mean, np.repeat(mean[:, :, None], len(DAY_LEVELS), axis=2))


def panel_of(units: F32) -> Panel:
    return Panel(date(2024, 1, 1), units, covariates={"holiday": np.zeros((1, 20), np.float32)})


def test_a_kept_forecast_is_asked_for_once_and_comes_back_as_it_was(tmp_path: Path) -> None:
    counting, panel = Counting(), panel_of(np.ones((3, 10), np.float32))
    for _ in range(2):  # a second run makes its keeper anew
        asked = Keeper(tmp_path).keeping("a peer", "", 7, (), counting.forecast)
        found = asked(panel, 4, ROWS)
    assert counting.times == 1
    assert np.array_equal(found.mean, np.full((3, 4), 30.0))
    assert found.quantiles.shape == (3, 4, len(DAY_LEVELS))


def test_other_sales_days_series_size_or_code_are_another_forecast(tmp_path: Path) -> None:
    counting, units = Counting(), np.ones((3, 10), np.float32)
    code = tmp_path / "method.py"
    code.write_text("one = 1")

    def ask(panel: Panel, days: int = 4, rows: np.ndarray = ROWS, size: int = 7) -> None:
        Keeper(tmp_path).keeping("a peer", "", size, (str(code),), counting.forecast)(panel, days, rows)

    panel = panel_of(units)
    ask(panel)
    other_sale = units.copy()
    other_sale[2, 9] = 2
    ask(panel_of(other_sale))
    ask(replace(panel, covariates={"holiday": np.ones((1, 20), np.float32)}))
    ask(panel.before(9))
    ask(panel, days=5)
    ask(panel, rows=ROWS[:2])
    ask(panel, size=8)
    code.write_text("one = 2")
    ask(panel)
    assert counting.times == 8
    ask(panel)
    assert counting.times == 8


def test_the_code_of_a_method_is_its_file_and_all_that_it_imports_however_far() -> None:
    code = code_of("models/training/heavy_training.py")
    for path in ("heavy_training", "median_trees", "tree_graph", "group_totals", "panel_examples"):
        assert f"models/training/{path}.py" in code
    assert "models/panel_groups.py" in code
    assert not any(path.startswith("benchmarks") for path in code)


def test_a_peer_is_kept_while_our_own_forms_and_what_they_see_change(tmp_path: Path) -> None:
    for peer in ("simple", "statsforecast", "LightGBM"):
        ours = {path for path in CODE[peer] if path.startswith("models/")}
        assert ours <= {"models/quantiles.py"}, peer
    panel = panel_of(np.ones((3, 10), np.float32))
    wider = replace(panel, covariates={**panel.covariates, "moon": np.ones((1, 20), np.float32)})
    grouped = replace(wider, groups={"street": np.zeros(3, np.int64)})
    assert sales_of(grouped) == sales_of(panel)
    assert content_of(narrowed(grouped)) == content_of(panel)
    counting = Counting()
    for each in (panel, grouped):
        Keeper(tmp_path).keeping("a peer", "", 7, (), counting.forecast, sales_of)(each, 4, ROWS)
    assert counting.times == 1


def test_the_plain_columns_see_nothing_of_the_day_that_is_asked_for_or_later() -> None:
    random = np.random.default_rng(3)
    units = random.poisson(3, (4, 60)).astype(np.float32)
    groups = {"store": np.array([0, 0, 1, 1])}
    holiday = {"holiday": (random.random((1, 60)) < 0.1).astype(np.float32)}
    ahead = np.array([0, 6, 20])
    found = plain_rows(Known(date(2024, 1, 1), units, holiday, groups), 30, ahead, ROWS)
    later = units.copy()
    later[:, 30:] = 99
    assert np.array_equal(
        found, plain_rows(Known(date(2024, 1, 1), later, holiday, groups), 30, ahead, ROWS), equal_nan=True
    )
    assert len(found) == len(ROWS) * len(ahead)
    earlier = units.copy()
    earlier[:, 29] = 99
    assert not np.array_equal(
        found, plain_rows(Known(date(2024, 1, 1), earlier, holiday, groups), 30, ahead, ROWS)
    )


def test_a_peer_s_place_is_made_once_and_one_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    place = tmp_path / "there"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / "installed.txt").write_text("peer==1")
    assert python_with(place, "peer==1", said.append) == place / "bin" / "python"
    assert not said
    (tmp_path / "a file").touch()
    assert python_with(tmp_path / "a file" / "below", "peer==1", said.append) is None
    assert "peer==1 is not to be had here" in said[-1]
