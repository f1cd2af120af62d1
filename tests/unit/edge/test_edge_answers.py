"""A job's answers are made a part at a time: what that takes in memory does not grow with the job, and no answer changes."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from contract.calendar import Calendar
from contract.known_days import known_days_view
from edge.core.lean import SupplyRow
from edge.core.reach import Reach
from edge.core.replenish import MAX_LINES, ForecastJob, ForecastLine, SkuInputs
from edge.inference import Forecasting, models_from_settings
from models.forecast import Forecast, Forecaster

HORIZON_DAYS, FIRST_DAY = 14, date(2026, 12, 24)
CALENDAR = Calendar.model_validate(
    {
        "from_day": "2026-10-01", "until_day": "2027-01-31",
        "days": [{"kind": "holiday", "from_day": "2026-12-25", "until_day": "2026-12-26"}],
        "promotions": [
            {"from_day": "2026-12-20", "until_day": "2026-12-28", "skus": [f"s{n}" for n in range(0, MAX_LINES, 7)], "discount_percent": 20}
        ],
    }
)  # fmt: skip


def job(lines: int) -> ForecastJob:
    random = np.random.default_rng(1)
    skus = [f"s{n}" for n in range(lines)]
    known = known_days_view(CALENDAR, dict.fromkeys(skus, "food"), date(2026, 10, 29), 56 + HORIZON_DAYS + 1)
    supply = SupplyRow("s", "depot", 2, 1, 6, cost_cents=100)
    reach = Reach(2.0, 1.0, (), ((None, 3.0),))
    asked = (
        SkuInputs(sku, tuple(random.poisson(3, 56).astype(float).tolist()), (1.0,) * HORIZON_DAYS, 2.0, (), known)
        for sku in skus
    )  # fmt: skip
    return ForecastJob(
        1, FIRST_DAY, 0.5, (), HORIZON_DAYS,
        tuple(ForecastLine(inputs, supply, 3, "", daily=True, reach=reach) for inputs in asked),
    )  # fmt: skip


def test_a_job_is_answered_as_its_lines_are_alone():
    models = models_from_settings("", "")
    whole = job(130)
    answers = Forecasting(models).answer(whole).answers
    assert [each.sku for each in answers] == [line.sku for line in whole.lines]
    for place in (0, 63, 64, 127, 128, 129):
        [alone] = Forecasting(models).answer(replace(whole, lines=(whole.lines[place],))).answers
        assert alone == answers[place]


class Counted:
    """A forecaster that notes how many SKUs it was asked for at once."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.name, self._forecaster = forecaster.name, forecaster
        self.asked: list[int] = []

    def forecast(self, history: np.ndarray, first_day: date, **told: Any) -> Forecast:
        self.asked.append(len(history))
        return self._forecaster.forecast(history, first_day, **told)


def test_no_more_than_64_skus_are_forecast_at_once():
    """All 256 at once took 2 MB more, of a gateway's 120 (features, quantiles, questions)."""
    models = models_from_settings("", "")
    demand = Counted(models.demand)
    done = Forecasting(replace(models, demand=demand)).answer(job(MAX_LINES))
    assert len(done.answers) == MAX_LINES
    assert demand.asked == [64] * 4
