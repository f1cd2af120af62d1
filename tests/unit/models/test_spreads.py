from datetime import date

import numpy as np
import pytest

from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.panel_examples import PanelExamples
from models.training.partitions import panel_part, parts_of_stores
from models.training.quantile_fit import left_out
from models.training.spreads import UNCHANGED, fitted_spreads, with_spreads

RANDOM = np.random.default_rng(8)


class Known:
    """A network that says one distribution of every day, `width` times as wide as it is."""

    def __init__(self, width: float) -> None:
        self._width = width

    def predict(self, _rows, level):
        usual = np.quantile(np.random.default_rng(1).normal(0, 4, 20_000), DAY_LEVELS)
        table = np.maximum(level[:, None] + self._width * usual[None, :], 0)
        return level, table.astype(np.float32)


def examples(n: int = 12_000) -> PanelExamples:
    level = np.full(n, 30.0, np.float32)
    units = np.rint(np.maximum(level + RANDOM.normal(0, 4, n), 0)).astype(np.float32)
    return PanelExamples(
        np.zeros((n, 1), np.float32), units, level, level, np.arange(n) % 100, np.zeros(n, bool)
    )


@pytest.mark.parametrize(("width", "wanted"), [(0.8, 1.25), (1.0, 1.0), (1.2, 0.83)])
def test_bands_that_are_too_narrow_on_days_nobody_saw_are_stretched(width, wanted):
    slow, middling, busy = fitted_spreads(examples(), (Known(width),) * 4)  # type: ignore[arg-type]
    assert slow == middling == (1.0, 1.0)
    assert busy == pytest.approx((wanted, wanted), abs=0.1)


def test_one_network_leaves_nothing_out_and_changes_nothing():
    assert fitted_spreads(examples(500), (Known(0.5),)) == UNCHANGED  # type: ignore[arg-type]


def test_stretching_keeps_the_median_the_order_and_zero():
    quantiles = np.sort(RANDOM.gamma(1, 2, (50, 3, len(DAY_LEVELS))), axis=-1).astype(np.float32)
    level = RANDOM.gamma(1, 2, 50).astype(np.float32)
    found = with_spreads(quantiles, level, ((1.3, 0.8), (1.0, 1.5), (2.0, 2.0)))
    middle = DAY_LEVELS.index(0.5)
    np.testing.assert_array_equal(found[..., middle], quantiles[..., middle])
    assert (np.diff(found, axis=-1) >= 0).all()
    assert found.min() >= 0


def test_each_network_leaves_a_run_of_days_of_its_own_out():
    given = examples()
    out = left_out(given, 4)
    for network in range(4):
        days = np.unique(given.day[out == network])
        assert days.tolist() == list(range(25 * network, 25 * network + 25))
    assert (left_out(given, 1) == -1).all()


def test_parts_hold_whole_stores_and_are_about_equal():
    sizes = [50, 30, 20, 20, 10, 5]
    stores = np.repeat(np.arange(6), sizes)
    panel = Panel(
        date(2024, 1, 1),
        np.arange(135.0, dtype=np.float32)[:, None],
        groups={"store": stores, "sku": np.arange(135) % 50},
    )
    parts = parts_of_stores(panel, 3)
    assert sorted(len(part) for part in parts) == [40, 45, 50]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(135))
    assert sum(len(np.unique(stores[part])) for part in parts) == 6  # no store is in two
    part = panel_part(panel, parts[1])
    assert part.units[:, 0].tolist() == parts[1].tolist()
    assert set(part.groups["store"]) == set(range(len(np.unique(stores[parts[1]]))))
    assert len(parts_of_stores(panel, 10)) == 6
    assert len(parts_of_stores(Panel(panel.first_day, panel.units), 3)) == 1
