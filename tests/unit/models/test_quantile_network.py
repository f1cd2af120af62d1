from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.graph import Graph
from models.panel import Panel
from models.panel_features import features_at
from models.quantile_network import DAY_LEVELS, ensemble_forecast, heads
from models.training.panel_examples import Draw, PanelExamples, panel_examples
from models.training.quantile_fit import QuantileFit, _start, _Weights, fit_ensemble, loss_and_gradients
from models.training.quantile_graph import PARITY_TOLERANCE, quantile_graph
from models.training.spreads import with_spreads


def examples(n: int = 64, width: int = 5) -> PanelExamples:
    random = np.random.default_rng(1)
    level = random.gamma(1, 3, n).astype(np.float32) + 0.05
    rows = random.standard_normal((n, width)).astype(np.float32)
    return PanelExamples(
        rows, random.poisson(level).astype(np.float32), level, level, np.arange(n), np.zeros(n, bool)
    )


def test_the_gradients_are_those_of_the_losses():
    given, random = examples(), np.random.default_rng(2)
    parameters = [p.astype(np.float64) for p in _start(5, QuantileFit(hidden=(7,)), random)]
    parameters[-1][1:] += random.normal(0, 0.3, len(parameters[-1]) - 1)
    weights = _Weights.of(given, 0.7)
    rows = np.arange(64)
    _, gradients = loss_and_gradients(parameters, given, weights, rows)
    # The pinball part alone: the mean's deviance has no part in the loss that is told.
    place = (3, 9)
    step = 1e-5
    losses = []
    for sign in (1, -1):
        moved = [p.copy() for p in parameters]
        moved[-2][place] += sign * step
        losses.append(loss_and_gradients(moved, given, weights, rows)[0])
    assert gradients[-2][place] == pytest.approx(4 * (losses[0] - losses[1]) / (2 * step), rel=1e-2, abs=1e-6)


def test_quantiles_rise_with_the_level_whatever_the_network_says():
    output = np.random.default_rng(3).normal(0, 20, (500, len(DAY_LEVELS) + 1)).astype(np.float32)
    mean, steps = heads(output, np.ones(500, np.float32))
    assert (np.diff(steps, axis=1) >= 0).all()
    assert np.isfinite(mean).all()


def test_a_fitted_ensemble_beats_its_start_and_covers_what_it_says():
    random = np.random.default_rng(4)
    rate = random.gamma(1.5, 2.0, (300, 1)) * (1 + 0.6 * (np.arange(120) % 7 == 5))
    panel = Panel(
        date(2024, 1, 1), random.poisson(rate).astype(np.float32), groups={"store": np.arange(300) % 4}
    )
    past = panel.before(106)
    losses = []
    drawn = panel_examples(past, Draw(rows=30_000, evenings=30, horizon_days=14), lambda *_: None)
    fit = QuantileFit(hidden=(32, 16), epochs=6, networks=1, batch_rows=512, learning_rate=4e-3)
    networks = fit_ensemble(drawn, fit, lambda _, loss: losses.append(loss))
    found = ensemble_forecast(networks, features_at(past, 106, np.arange(14), np.arange(300)))
    assert losses[-1] < losses[0]
    sold = panel.units[:, 106:]
    low, high = found.quantiles[..., DAY_LEVELS.index(0.1)], found.quantiles[..., DAY_LEVELS.index(0.9)]
    assert 0.75 < ((sold >= np.rint(low)) & (sold <= np.rint(high))).mean() < 0.95
    assert abs(found.mean.sum() / sold.sum() - 1) < 0.1
    saturday = (np.arange(106, 120) % 7) == 5
    assert found.mean[:, saturday].mean() > 1.3 * found.mean[:, ~saturday].mean()


def test_the_onnx_graph_says_what_the_trainer_says():
    random = np.random.default_rng(5)
    level = random.gamma(0.5, 6, 4000).astype(np.float32) + 0.002
    given = PanelExamples(
        random.normal(0, 2, (4000, 30)).astype(np.float32),
        random.poisson(level).astype(np.float32),
        level,
        level,
        np.arange(4000),
        np.zeros(4000, bool),
    )
    rows = given.rows.copy()
    networks = fit_ensemble(given, QuantileFit(hidden=(24, 12), epochs=2, networks=3), lambda *_: None)
    spreads = ((1.1, 0.9), (1.2, 1.3), (0.8, 1.05))
    graph = Graph(quantile_graph(networks, spreads), Path("heavy"))
    found = graph.run({"features": rows, "level": level})
    expected = [network.predict(network.standardised(rows), level) for network in networks]
    for place, name in enumerate(("mean", "quantiles")):
        wanted = np.mean([each[place] for each in expected], axis=0)
        if name == "quantiles":
            wanted = with_spreads(wanted, level, spreads)
        assert np.abs(found[name] - wanted).max() <= PARITY_TOLERANCE * max(1.0, float(np.abs(wanted).max()))
