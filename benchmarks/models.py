"""How good and how quick the demo's bundle is, beside its peers in the same run.

    python benchmarks/models.py [--quick] [--json FILE]

Scores: pooled Complete Journey shops, days that the bundle was not trained on, 14 days ahead from each week; 540 best
sellers (--quick: 180). Peers: a 28-day moving average and last week again, both with a negative binomial of the
series' own moments. "Prices known" takes the mean price that the chain was paid that week as known beforehand, as a
shop knows its own price plan; it flatters a little, since what people paid is not quite what was on the label. Also, for the whole-table speed, the numpy baseline that stands in for a missing bundle.
Drift: simulated shops, bands as stated and as corrected day by day (`recalibrating/shops.py`). Empty shelves: a simulated shop that sells out each
evening, forecast from demand as it is recovered and from sales.
Speed: 1,000 SKUs x 14 days on one thread, history to order by the order graph, median of runs; 10,000 SKUs likewise, in time of the
processor, so that a busy machine tells the same.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.recalibrating.shops import drift_rows, restless_rows  # noqa: E402
from contract.records import QUANTILE_LEVELS  # noqa: E402
from models.arrays import F64  # noqa: E402
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY  # noqa: E402
from models.features import HISTORY_DAYS  # noqa: E402
from models.forecast import Forecast  # noqa: E402
from models.inference import Models, baseline_models, open_models  # noqa: E402
from models.known_days import FLAGS  # noqa: E402
from models.manifest import Score  # noqa: E402
from models.order_plan import SkuSupply, questions_from  # noqa: E402
from models.quantile_network import DAY_LEVELS  # noqa: E402
from models.recalibration import Recalibration, recalibrated_span  # noqa: E402
from models.training.completejourney import completejourney_series  # noqa: E402
from models.training.rolling import held_out_scores  # noqa: E402

TEST_FROM = date(2017, 9, 1)
SHOPS, PRODUCTS = 3, 1500
SKUS = 1000
MANY_SKUS = 10_000
MANY_LEVELS = np.random.default_rng(2).gamma(0.6, 3.0, (MANY_SKUS, 1))
GOAL_MS, GOAL_BYTES, GOAL_RSS_MB = 500, 1_000_000, 120
MEMORY = (
    "from pathlib import Path; from models.inference import open_models; import re\n"
    "from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY\n"
    "assert not open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY).doubt\n"
    "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
)

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer series and runs")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rows = [
        *score_rows(180 if options.quick else 540),
        *drift_rows(_demo_models(), 60 if options.quick else 300),
        *restless_rows(_demo_models(), 3 if options.quick else 8),
        *empty_shelf_rows(100 if options.quick else 1000),
        *speed_rows(5 if options.quick else 30),
        *size_rows(),
    ]
    print(f"{'name':<42}{'value':>12} {'unit':<10}{'goal':>10}  peers")
    for row in rows:
        peers = ", ".join(f"{name} {value}" for name, value in row["peers"].items())
        goal = "" if row["goal"] is None else row["goal"]
        print(f"{row['name']:<42}{row['value']:>12} {row['unit']:<10}{goal:>10}  {peers}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def score_rows(series: int) -> list[Row]:
    """The goal of a loss is the best peer's; of a coverage its level."""
    models = _demo_models()
    shops = completejourney_series(SHOPS, PRODUCTS, TEST_FROM).best_sellers(series, before=TEST_FROM)
    plain, priced, planned, *peers = held_out_scores(shops, TEST_FROM, models.demand).scores

    def row(name: str, score: Score, field: str, unit: str) -> Row:
        others = {peer.method: getattr(peer, field) for peer in peers}
        return _row(name, getattr(score, field), unit, min(others.values()), "lower", others)

    def near(name: str, field: str, level: float) -> Row:
        others = {peer.method: getattr(peer, field) for peer in peers}
        return _row(name, getattr(plain, field), "share", level, f"near {level}", others)

    return [
        row("WQL, a day", plain, "wql", "ratio"),
        row("WQL, a day, prices known", priced, "wql", "ratio"),
        row("WQL, a day, prices and calendar known", planned, "wql", "ratio"),
        row("WQL, sum of 7 days", plain, "window_wql", "ratio"),
        row("WQL, sum of 7 days, prices and calendar known", planned, "window_wql", "ratio"),
        row("WAPE of the median", plain, "wape", "ratio"),
        near("inside the 80 % band", "coverage_80", 0.8),
        near("inside the 95 % band", "coverage_95", 0.95),
        near("bias of the mean", "bias", 0.0),
    ]


def empty_shelf_rows(skus: int) -> list[Row]:
    """Shelves that are empty each evening, when two fifths of the day's demand are still to come: mean of the forecasts over demand."""
    random, models = np.random.default_rng(7), _demo_models()
    level = random.gamma(1.0, 8.0, (skus, 1)) + 0.5
    rate = random.gamma(1 / 0.3, 0.3 * level, (skus, 56))
    sold, served = random.poisson(0.6 * rate).astype(float), np.full((skus, 56), 0.6)
    demand = sold + random.poisson(0.4 * rate)
    truth = models.demand.forecast(demand, TEST_FROM).mean.sum()
    found, as_sold = (
        round(float(models.demand.forecast(sold, TEST_FROM, served_share=share).mean.sum() / truth - 1), 4)
        for share in (served, None)
    )
    return [
        _row(
            "forecast of shelves empty each evening, bias",
            found,
            "ratio",
            0.0,
            "near 0.0",
            {"from sales": as_sold},
        )
    ]


def speed_rows(runs: int) -> list[Row]:
    history = np.random.default_rng(1).poisson(2.0, (SKUS, 56)).astype(float)
    models, baseline = _demo_models(), baseline_models("benchmark")
    whole, peer = (_median_ms(partial(_history_to_order, m, history), runs) for m in (models, baseline))
    one = _median_ms(lambda: _history_to_order(models, history[:1]), runs * 10)
    loading = _median_ms(_demo_models, runs)
    many = np.random.default_rng(1).poisson(MANY_LEVELS, (MANY_SKUS, 56)).astype(float)
    known = _calendar(28)
    days, told, orders = (
        _median_cpu_ms(call, max(3, runs // 5))
        for call in (
            lambda: models.demand.forecast(many, TEST_FROM, horizon_days=28),
            lambda: models.demand.forecast(many, TEST_FROM, known_days=known, horizon_days=28),
            lambda: _forecast_to_order(models, many),
        )
    )
    full = _median_cpu_ms(lambda: _forecast_to_order(models, many, corrected=True), max(3, runs // 5))
    tables, wide = (_quantiles_ms(models, many, levels) for levels in (QUANTILE_LEVELS, DAY_LEVELS))
    return [
        _row(f"{MANY_SKUS} SKUs x 28 days, features and graph, one core", days, "ms", 500, "lower", {}),
        _row(f"{MANY_SKUS} SKUs x 28 days, the same with a full calendar", told, "ms", 500, "lower", {}),
        _row(f"{MANY_SKUS} SKUs x 28 days, and nine quantiles a day", tables, "ms", 500, "lower", {}),
        _row(
            f"{MANY_SKUS} SKUs x 28 days, and {len(DAY_LEVELS)} quantiles a day", wide, "ms", 500, "lower", {}
        ),
        _row(f"{MANY_SKUS} SKUs x 14 days, forecast and proposals", orders, "ms", 1000, "lower", {}),
        _row(f"{MANY_SKUS} SKUs x 14 days, recovered, recalibrated", full, "ms", 1000, "lower", {}),
        _row(
            f"{SKUS} SKUs x 14 days, history to order",
            whole,
            "ms",
            GOAL_MS,
            "lower",
            {"numpy baseline": peer},
        ),
        _row("one SKU, history to order", one, "ms", None, "lower", {}),
        _row("open and check the bundle", loading, "ms", None, "lower", {}),
    ]


def _calendar(horizon_days: int) -> dict[str, F64]:
    """Every column, each SKU promoted on its own days."""
    random, days = np.random.default_rng(3), HISTORY_DAYS + horizon_days + 1
    known = {name: (random.random((1, days)) < 0.06).astype(float) for name in FLAGS}
    known["promotion"] = (random.random((MANY_SKUS, days)) < 0.1).astype(float)
    weather = {"rain_mm": random.gamma(1, 3, (1, days)), "temperature_c": random.normal(15, 5, (1, days))}
    return {**known, **weather, "discount": known["promotion"] * 0.2}


def _quantiles_ms(models: Models, history: F64, levels: Sequence[float]) -> float:
    return _median_cpu_ms(
        lambda: models.demand.forecast(history, TEST_FROM, horizon_days=28).quantiles(levels), 3
    )


def size_rows() -> list[Row]:
    size = sum(path.stat().st_size for path in DEMO_BUNDLE.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peak_mb = round(int(re.findall(r"\d+", done.stdout)[-1]) / 1024, 1)
    return [
        _row("bundle size", size, "bytes", GOAL_BYTES, "lower", {}),
        _row("peak RSS of a process with the bundle", peak_mb, "MB", GOAL_RSS_MB, "lower", {}),
    ]


def _history_to_order(models: Models, history: np.ndarray) -> None:
    forecast = models.demand.forecast(history, TEST_FROM)
    forecast.quantiles()
    _orders(models, forecast, None)


def _forecast_to_order(models: Models, history: np.ndarray, *, corrected: bool = False) -> None:
    """What a gateway does each time its stock moves: the daily quantiles are told once a day, orders are not made of them.

    corrected: half of the days are cut short by empty shelves, and the levels are off: as dear as it gets.
    """
    served = (
        np.where(np.arange(history.shape[1]) % 2, 0.6, 1.0) * np.ones(history.shape) if corrected else None
    )
    forecast = models.demand.forecast(history, TEST_FROM, served_share=served)
    _orders(models, forecast, _drifted(forecast) if corrected else None)


def _orders(models: Models, forecast: Forecast, levels: Recalibration | None) -> None:
    """Lead time 3 days, an order of 6 units arrives tomorrow; the base-stock rule where the models have no order graph."""
    window = recalibrated_span(
        forecast,
        levels,
        np.zeros(len(forecast.mean)),
        np.full(len(forecast.mean), 5.0),
        QUANTILE_LEVELS,
        first_day_share=0.4,
    )[1]
    if models.orders is None:
        models.replenishment.propose(window, service_level=0.95, on_hand_units=3, pack_units=6)
        return
    supply = SkuSupply(3.0, 2.0, 0.95, ((None, 3.0),), arrivals=((1.0, 6.0),), pack_units=6, life_days=10.0)
    models.orders.orders(questions_from(forecast, levels, [supply] * len(forecast.mean), first_day_share=0.4))


def _drifted(forecast: Forecast) -> Recalibration:
    mean, dispersion = forecast.mean[:500, 0].astype(float), forecast.dispersion[:500, 0].astype(float)
    return Recalibration.start().observed(mean, dispersion, np.round(1.5 * mean))


def _demo_models() -> Models:
    models = open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
    if models.doubt:
        raise SystemExit(f"the demo's bundle is not usable: {models.doubt}")
    return models


def _median_ms(call: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 2)


def _median_cpu_ms(call: Callable[[], object], runs: int) -> float:
    """Time of the processor, all threads: on one core that is alone it is the time on the wall."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(statistics.median(times) * 1000, 2)


def _row(name: str, value: float, unit: str, goal: float | None, better: str, peers: dict[str, float]) -> Row:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers}


if __name__ == "__main__":
    sys.exit(main())
