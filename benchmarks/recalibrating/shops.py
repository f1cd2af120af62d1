"""Simulated shops whose demand becomes restless: what the bands of the demo's bundle cover, as they are and recalibrated by the day.

Before, every SKU sells some 24 units a day, evenly. Then, for weeks: "by the day" all SKUs of a shop sell half or one and a half times that, drawn
each day; "by SKU" each by itself two fifths or eight fifths; "by half a month" all of them one and a half times for 15 days, then half; "steady" as
before. Every day is forecast as a gateway does it, from the 56 before it, and then learned from. Peer: not recalibrated.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from contract.records import QUANTILE_LEVELS
from models.arrays import F64
from models.forecast import Forecast
from models.inference import Models
from models.recalibration import Recalibration, recalibrated_quantiles
from models.scores import pinball

FIRST_DAY = date(2017, 9, 4)
LIVE_DAYS, SCORED_DAYS, SKUS = 46, 22, 40
_BANDS = tuple(
    (QUANTILE_LEVELS.index(low), QUANTILE_LEVELS.index(high)) for low, high in ((0.1, 0.9), (0.025, 0.975))
)
Row = dict[str, Any]
Factor = Callable[[int, np.random.Generator], F64]

WORLDS: dict[str, Factor] = {
    "restless by the day": lambda _day, random: np.full(SKUS, random.choice([0.5, 1.5])),
    "restless by SKU": lambda _day, random: np.asarray(random.choice([0.4, 1.6], SKUS)),
    "restless by half a month": lambda day, _random: np.full(SKUS, 0.5 if day // 15 % 2 else 1.5),
    "steady": lambda _day, _random: np.ones(SKUS),
}


def restless_rows(models: Models, seeds: int) -> list[Row]:
    """A shop of 40 SKUs in each world, pooled over its seeds: coverage of the last 22 of 46 days, and pinball loss beside that of the bands as they are."""
    rows = []
    for name, factor in WORLDS.items():
        kept, plain = (np.zeros(4) for _ in range(2))
        for seed in range(1, seeds + 1):
            for place, (forecast, sold, state) in enumerate(_lived(models, factor, seed)):
                if place >= LIVE_DAYS - SCORED_DAYS:
                    kept += _scored(forecast, sold, state)
                    plain += _scored(forecast, sold, Recalibration.start())
        for place, level in enumerate((0.8, 0.95)):
            peers = {"not recalibrated": round(float(plain[place] / plain[3]), 3)}
            told = f"{name}, {SKUS} SKUs, inside {round(100 * level)} %"
            value = round(float(kept[place] / kept[3]), 3)
            rows.append(_row(told, value, "share", level, f"near {level}", peers))
        ratio = round(float(kept[2] / plain[2]), 3)
        told = f"{name}, {SKUS} SKUs, pinball loss"
        rows.append(_row(told, ratio, "ratio", 1.0, "lower", {"not recalibrated": 1.0}))
    return rows


def _lived(models: Models, factor: Factor, seed: int) -> Iterator[tuple[Forecast, F64, Recalibration]]:
    """Each day's forecast, what sold, and the levels as they were learned before it."""
    random, state = np.random.default_rng(seed), Recalibration.start()
    usual = random.gamma(6, 4, SKUS)
    units = np.asarray(random.poisson(usual[:, None], (SKUS, 56)), dtype=np.float64)
    for day in range(LIVE_DAYS):
        sold = np.asarray(random.poisson(usual * factor(day, random)), dtype=np.float64)
        past = units[:, -56:]
        forecast = models.demand.forecast(
            past,
            FIRST_DAY + timedelta(days=day),
            price_ratio=np.ones((SKUS, 1)),
            category_level=np.full(SKUS, past[:, -28:].mean()),
            horizon_days=1,
        )
        yield forecast, sold, state
        state = _learned(state, forecast, sold)
        units = np.column_stack([units, sold])


def drift_rows(models: Models, skus: int) -> list[Row]:
    """A shop of steady sales that become restless by SKU: the bands of its last 20 of 60 days, forecast from sales alone."""
    random = np.random.default_rng(6)
    usual = random.gamma(6, 4, (skus, 1))
    days = (
        random.poisson(usual, (skus, 56)),
        random.poisson(usual * random.choice([0.4, 1.6], (skus, 60)), (skus, 60)),
    )
    units, state = np.concatenate(days, axis=1).astype(float), Recalibration.start()
    kept, plain = (np.zeros(4) for _ in range(2))
    for day in range(56, 116):
        forecast = models.demand.forecast(
            units[:, day - 56 : day], date(2017, 9, 1) + timedelta(days=day), horizon_days=1
        )
        if day >= 96:
            kept += _scored(forecast, units[:, day], state)
            plain += _scored(forecast, units[:, day], Recalibration.start())
        state = _learned(state, forecast, units[:, day])
    return [
        _row(
            f"drifting shop, inside the {round(100 * level)} % band",
            round(float(kept[place] / kept[3]), 3),
            "share",
            level,
            f"near {level}",
            {"not recalibrated": round(float(plain[place] / plain[3]), 3)},
        )
        for place, level in enumerate((0.8, 0.95))
    ]


def _scored(forecast: Forecast, sold: F64, state: Recalibration) -> F64:
    """SKUs inside 80 and 95 %, pinball loss, SKUs."""
    found = recalibrated_quantiles(forecast, state, QUANTILE_LEVELS)[:, 0]
    inside = [((sold >= found[:, low]) & (sold <= found[:, high])).sum() for low, high in _BANDS]
    return np.array([*inside, pinball(sold, found, QUANTILE_LEVELS).sum(), len(sold)], dtype=np.float64)


def _learned(state: Recalibration, forecast: Forecast, sold: F64) -> Recalibration:
    return state.observed(forecast.mean[:, 0].astype(float), forecast.dispersion[:, 0].astype(float), sold)


def _row(name: str, value: float, unit: str, goal: float, better: str, peers: dict[str, float]) -> Row:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers}
