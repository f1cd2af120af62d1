"""SKUs that nobody has sold yet, days that nobody knows: how good the first are forecast, and what both do to the others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.gateway import GatewayForm
from benchmarks.forecasting.gateway_bundle import GatewayBundle
from benchmarks.forecasting.measures import BANDS, bias, coverage, pit
from benchmarks.forecasting.plan import SEED, Bench, say
from benchmarks.forecasting.sets import M5_DAYS, m5
from benchmarks.forecasting.sums import SUM_DAYS, sold_sums
from models.baseline import SeasonalBaseline
from models.graph import Graph
from models.panel import Panel
from models.training.forecast_files import ready_forecast
from models.training.heavy import HeavyForecast, HeavyModel, heavy_forecast
from models.training.heavy_export import worst_difference
from models.training.heavy_training import train_heavy
from models.training.quantile_graph import PARITY_TOLERANCE, quantile_graph

Array = np.ndarray[Any, Any]
Row = dict[str, Any]
LAST_DAYS = 28
HIDDEN_ITEMS, NEW_SKUS = 0.1, 10_000
GAP_SERIES, GAP_DAYS = 1 / 3, 14
HEAVY, GATEWAY, BASELINE = "heavy form", "gateway form", "baseline"


def new_rows(bench: Bench) -> list[Row]:
    """A tenth of M5's items hidden in all shops, then its last 28 days; beside them what newcomers and gaps move."""
    data = m5(bench.data, bench.cache, bench.size.m5_series, SEED)
    whole = data.panel
    past, sold = whole.before(M5_DAYS - LAST_DAYS), whole.units[:, M5_DAYS - LAST_DAYS :]
    random = np.random.default_rng(SEED)
    items = whole.groups["sku"]
    chosen = random.permutation(int(items.max()) + 1)
    new = np.isin(items, chosen[: int(HIDDEN_ITEMS * len(chosen))])
    shown = replace(past, units=np.where(new[:, None], np.float32(np.nan), past.units))
    say(f"new SKUs: heavy form, {int(new.sum())} of {len(new)} series hidden")
    model = train_heavy(shown, bench.size.recipe, say)
    found = {
        HEAVY: heavy_forecast(model, shown, LAST_DAYS),
        BASELINE: ready_forecast(SeasonalBaseline("a peer"), shown, LAST_DAYS),
    }
    if "gateway" in bench.peers:
        say("new SKUs: gateway form")
        form = GatewayForm(shown, bench.size.gateway_rows, bench.size.gateway_epochs, SEED)
        found[GATEWAY] = ready_forecast(GatewayBundle(form), shown, LAST_DAYS)
    out = [_parity_row(model), *_measured(found, sold, new)]
    before = found[HEAVY].mean[~new].sum(dtype=float)
    say(f"new SKUs: {NEW_SKUS} beside them")
    crowded = heavy_forecast(model, _with_new(shown, NEW_SKUS, random), LAST_DAYS).mean[: len(new)]
    moved = float(crowded[~new].sum(dtype=float) / before - 1)
    out.append(_row(f"M5 forecasts of known SKUs, moved by {NEW_SKUS} new ones", moved, 0.01, {}))
    silent = random.random(len(new)) < GAP_SERIES
    units = shown.units.copy()
    units[silent, -GAP_DAYS:] = np.nan
    say("gaps: a third of the series unknown for two weeks")
    gap = heavy_forecast(model, replace(shown, units=units), LAST_DAYS).mean
    others = ~silent & ~new
    moved = float(gap[others].sum(dtype=float) / found[HEAVY].mean[others].sum(dtype=float) - 1)
    out.append(_row("M5 forecasts of other SKUs, moved by a third unknown for 14 days", moved, 0.03, {}))
    return out


def _parity_row(model: HeavyModel) -> Row:
    """The graph that `models export` writes, beside what was trained."""
    graph = Graph(quantile_graph(model.networks, model.spreads, model.trees), Path("heavy.onnx"))
    name = "heavy form: ONNX beside the model's own answers, largest relative difference"
    worst = worst_difference(model, graph)
    return {
        "name": name,
        "value": worst,
        "unit": "ratio",
        "goal": PARITY_TOLERANCE,
        "better": "lower",
        "peers": {},
    }


def _measured(found: dict[str, HeavyForecast], sold: Array, new: Array) -> list[Row]:
    total = sold_sums(sold)[:, -1]
    out: list[Row] = []
    bands: dict[str, tuple[dict[int, float], dict[int, float]]] = {}
    biases: dict[str, float] = {}
    for name, each in found.items():
        of_days = coverage(pit(sold[new], each.quantiles[new], SEED))
        of_sums = coverage(pit(total[new], each.window[new][:, SUM_DAYS[-1] - 1], SEED))
        bands[name] = (of_days, of_sums)
        biases[name] = bias(sold[new], each.mean[new])
    for place, what in enumerate(("days", f"sum of {LAST_DAYS}")):
        for band in BANDS:
            peers = {name: each[place][band] for name, each in bands.items() if name != HEAVY}
            value = bands[HEAVY][place][band]
            out.append(
                _row(
                    f"M5 new SKUs, {what}: inside the central {band} %",
                    value,
                    band / 100,
                    peers,
                    f"near {band / 100:g}",
                )
            )
    out.append(
        _row(
            "M5 new SKUs: bias of the mean",
            biases[HEAVY],
            0.0,
            {name: each for name, each in biases.items() if name != HEAVY},
            "near 0",
        )
    )
    return out


def _with_new(panel: Panel, count: int, random: np.random.Generator) -> Panel:
    """`count` SKUs more, each in the shop and category of one that is there."""
    like = random.integers(0, panel.n_series, count)
    groups = {name: np.concatenate([codes, codes[like]]) for name, codes in panel.groups.items()}
    groups["sku"][panel.n_series :] = int(panel.groups["sku"].max()) + 1 + np.arange(count)
    return replace(
        panel,
        units=np.concatenate([panel.units, np.full((count, panel.n_days), np.nan, np.float32)]),
        covariates={
            n: v if len(v) == 1 else np.concatenate([v, v[like]]) for n, v in panel.covariates.items()
        },
        groups=groups,
    )


def _row(name: str, value: float, goal: float, peers: dict[str, float], better: str = "near 0") -> Row:
    return {"name": name, "value": value, "unit": "share", "goal": goal, "better": better, "peers": peers}
