"""Days count as much as they were worth to the category: a SKU known by its Saturdays alone is no busier one."""

from datetime import date

import numpy as np
import pytest

from models.panel import Panel
from models.panel_features import features_at
from models.panel_groups import LONG_DAYS, Group
from models.panel_moves import LATELY_DAYS, LEAST_MEMBERS, MOVES_DAYS, moves_of

SERIES = 2 * LEAST_MEMBERS
KIND = np.arange(SERIES) % 2
SATURDAYS = np.arange(LONG_DAYS) % 7 == 5


def groups_of(sold: np.ndarray, seen: np.ndarray, **codes: np.ndarray) -> dict[str, Group]:
    panel = Panel(date(2024, 1, 1), np.where(seen > 0, sold, np.nan).astype(np.float32))
    return {name: Group(panel, code, sold, seen, LONG_DAYS) for name, code in codes.items()}


def weekly(level: float) -> np.ndarray:
    """Twice as much on Saturdays."""
    return np.tile(np.where(SATURDAYS, 2 * level, level), (SERIES, 1))


def test_a_day_is_worth_what_the_kind_of_goods_sells_on_it() -> None:
    sold, seen = weekly(4.0), np.ones((SERIES, LONG_DAYS))
    sold[KIND == 1] = 4.0
    moves = moves_of(groups_of(sold, seen, store=np.arange(SERIES) % 5, kind=KIND), sold, seen)
    first, second = moves.worth[:, -7:]
    assert moves.codes is not None
    assert first[SATURDAYS[-7:]] / first[~SATURDAYS[-7:]].mean() == pytest.approx(1.8, abs=0.15)
    assert np.ptp(second) < 0.25


def test_a_sku_in_stock_on_saturdays_alone_has_the_level_of_its_kind() -> None:
    units, served = weekly(4.0), np.ones((SERIES, LONG_DAYS), np.float32)
    units[0, ~SATURDAYS], served[0, ~SATURDAYS] = 0.0, 0.0
    panel = Panel(date(2024, 1, 1), units.astype(np.float32), served, {}, {"kind": KIND})
    found = features_at(panel, LONG_DAYS, np.arange(1), np.arange(SERIES))
    plain = len(found.of_series[0]) - len(LATELY_DAYS) - 6
    # Beside its own level, 8 a day by its Saturdays, what it sold is little: it is a SKU of 4 or 5 like the others.
    days = found.of_series[:, plain + 3]
    assert found.level[0] > 1.5 * found.level[2]
    weighed = np.exp(days) * found.level
    assert weighed[0] / weighed[2] < 1.25


def test_what_groups_sold_of_late_stands_beside_what_they_usually_sell() -> None:
    sold, seen = np.full((SERIES, LONG_DAYS), 3.0), np.ones((SERIES, LONG_DAYS))
    store = np.arange(SERIES) // 20
    sold[store == 3, -3:] *= 2
    lately = moves_of(groups_of(sold, seen, store=store, kind=KIND), sold, seen).lately["store"]
    assert lately.shape == (10, len(LATELY_DAYS))
    assert np.exp(lately[3]) == pytest.approx([1.8, 1.8, 1.4], abs=0.15)
    assert np.abs(lately[[0, 1, 2, 4, 5]]).max() < 0.15


def test_days_that_nobody_knows_are_worth_a_usual_one() -> None:
    sold, seen = np.zeros((SERIES, LONG_DAYS)), np.zeros((SERIES, LONG_DAYS))
    sold[:, -5:], seen[:, -5:] = 2.0, 1.0
    for groups in (groups_of(sold, seen, kind=KIND), {}):
        moves = moves_of(groups, sold, seen)
        assert moves.worth.shape[1] == MOVES_DAYS
        assert moves.worth == pytest.approx(1.0, abs=0.2)


def test_series_that_nobody_has_seen_move_nobody() -> None:
    sold, seen = weekly(4.0), np.ones((SERIES, LONG_DAYS))
    alone = moves_of(groups_of(sold, seen, kind=KIND), sold, seen)
    more, unseen = np.concatenate([sold, 0 * sold, 0 * sold]), np.concatenate([seen, 0 * seen, 0 * seen])
    found = moves_of(groups_of(more, unseen, kind=np.r_[KIND, KIND, KIND + 2]), more, unseen)
    np.testing.assert_allclose(found.worth[:2], alone.worth)
    np.testing.assert_allclose(found.lately["kind"][:2], alone.lately["kind"], atol=1e-9)
