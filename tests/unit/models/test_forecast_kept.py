"""Kept forecasts of the benchmark: computed once, and again when what they depend on is another."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.forecasting.kept import Keeper, code_of
from benchmarks.forecasting.measures import Found
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
