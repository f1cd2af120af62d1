"""The methods of the table: the heavy form, the gateway form and the peers, each fitted on the same days, each kept."""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.forecasting.gateway import GatewayForm
from benchmarks.forecasting.kept import Keeper, Method, code_of, content_of, sales_of
from benchmarks.forecasting.lightgbm_peer import LightGbm, TreeFit, narrowed
from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.peers import (
    STATSFORECAST,
    StatsForecast,
    find_python,
    last_week,
    moving_average,
)
from benchmarks.forecasting.plan import SEED, Bench, say
from benchmarks.forecasting.sums import heavy_sums, moving_average_sums
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.training.heavy import HeavyModel, day_forecast

Array = np.ndarray[Any, Any]
HEAVY, GATEWAY, BARE = "heavy form", "gateway form", "gateway form, no calendar"
_HERE = "benchmarks/forecasting/"
CODE = {
    HEAVY: code_of("models/training/heavy_training.py"),
    GATEWAY: code_of(f"{_HERE}gateway.py"),
    "sums": code_of(f"{_HERE}sums.py"),
    "simple": (f"{_HERE}peers.py", "models/quantiles.py"),
    "statsforecast": (f"{_HERE}peers.py", f"{_HERE}statsforecast_peer.py", "models/quantiles.py"),
    "LightGBM": (f"{_HERE}lightgbm_peer.py", f"{_HERE}plain_features.py"),
}
"""What each method's answers depend on: a change there computes them anew. Peers have no feature of ours, and are kept while
our forms change.
"""


def methods_of(bench: Bench, name: str, past: Panel, horizon_days: int) -> dict[str, Method]:
    """Each fitted on `past` alone when it is first asked, and asked on that evening or any later one."""
    size, keeper, fitted_on = bench.size, Keeper(bench.cache), content_of(past)
    heavy = _heavy_of(bench, name, past, horizon_days, fitted_on)
    recipe = (size.recipe, horizon_days)
    methods = {HEAVY: keeper.keeping(HEAVY, fitted_on, recipe, CODE[HEAVY], heavy.forecast)}
    if "gateway" in bench.peers:
        gateway = _gateway_of(bench, past, fitted_on)
        fit = (size.gateway_rows, size.gateway_epochs)
        methods[GATEWAY] = keeper.keeping(GATEWAY, fitted_on, fit, CODE[GATEWAY], gateway.forecast)
        bare = GatewayForm(past, size.gateway_rows, size.gateway_epochs, SEED, revision=1)
        methods[BARE] = keeper.keeping(BARE, fitted_on, fit, CODE[GATEWAY], bare.forecast)
    if "simple" in bench.peers:
        for peer, method in (("last week", last_week), ("MA28", moving_average)):
            methods[peer] = keeper.keeping(peer, "", DAY_LEVELS, CODE["simple"], method, sales_of)
    python = find_python(bench.peers_python, say) if "statsforecast" in bench.peers else None
    if python is not None:
        classical = StatsForecast(python)
        for peer in StatsForecast.METHODS:
            ask = partial(classical.forecast, peer)
            depends = (STATSFORECAST, DAY_LEVELS)
            methods[peer] = keeper.keeping(peer, "", depends, CODE["statsforecast"], ask, sales_of)
    if "lightgbm" in bench.peers:
        try:
            tree_fit = TreeFit(size.lightgbm_rows, size.lightgbm_rounds, horizon_days)
            trees = LightGbm(past, tree_fit, say)
        except ModuleNotFoundError:
            say("NO LightGBM: its rows are missing; pip install -c constraints.txt '.[train]'")
        else:
            methods["LightGBM"] = keeper.keeping(
                "LightGBM",
                content_of(narrowed(past)),
                (fit, DAY_LEVELS),
                CODE["LightGBM"],
                trees.forecast,
                lambda panel: content_of(narrowed(panel)),
            )
    return methods


def sums_of(bench: Bench, name: str, past: Panel, horizon_days: int) -> dict[str, Method]:
    """The forms' and MA28's sums over lead times (benchmarks.forecasting.sums), the same fit as methods_of's."""
    keeper, fitted_on = Keeper(bench.cache), content_of(past)
    heavy = _heavy_of(bench, name, past, horizon_days, fitted_on)
    recipe = (bench.size.recipe, horizon_days)
    code = tuple(sorted({*CODE[HEAVY], *CODE["sums"]}))
    methods = {HEAVY: keeper.keeping(f"{HEAVY} sums", fitted_on, recipe, code, heavy.sums)}
    if "gateway" in bench.peers:
        gateway, fit = (
            _gateway_of(bench, past, fitted_on),
            (bench.size.gateway_rows, bench.size.gateway_epochs),
        )
        methods[GATEWAY] = keeper.keeping(f"{GATEWAY} sums", fitted_on, fit, CODE[GATEWAY], gateway.sums)
    if "simple" in bench.peers:
        methods["MA28"] = keeper.keeping("MA28 sums", "", None, CODE["sums"], moving_average_sums)
    return methods


_fitted: dict[str, "_Heavy"] = {}
_fitted_gateway: dict[str, GatewayForm] = {}


def _heavy_of(bench: Bench, name: str, past: Panel, horizon_days: int, fitted_on: str) -> "_Heavy":
    """One fit serves days and sums; only the last one is held."""
    mark = f"{name}|{horizon_days}|{fitted_on}|{bench.size.recipe!r}"
    if mark not in _fitted:
        _fitted.clear()
        _fitted[mark] = _Heavy(bench, name, past, horizon_days)
    return _fitted[mark]


def _gateway_of(bench: Bench, past: Panel, fitted_on: str) -> GatewayForm:
    mark = f"{fitted_on}|{bench.size.gateway_rows}|{bench.size.gateway_epochs}"
    if mark not in _fitted_gateway:
        _fitted_gateway.clear()
        _fitted_gateway[mark] = GatewayForm(past, bench.size.gateway_rows, bench.size.gateway_epochs, SEED)
    return _fitted_gateway[mark]


class _Heavy:
    """The heavy form, fitted when it is first asked; its quantiles in whole units."""

    def __init__(self, bench: Bench, name: str, past: Panel, horizon_days: int) -> None:
        self._bench, self._name, self._past, self._days = bench, name, past, horizon_days
        self._model: HeavyModel | None = None

    def forecast(self, panel: Panel, days: int, rows: Array) -> Found:
        found = day_forecast(self._asked(), panel, days, rows)
        return Found(found.mean, np.rint(np.maximum(found.quantiles, 0)))

    def sums(self, panel: Panel, days: int, rows: Array) -> Found:
        return heavy_sums(self._asked(), panel, days, rows)

    def _asked(self) -> HeavyModel:
        if self._model is None:
            self._model = self._bench.heavy(self._name, self._past, self._days)
        return self._model
