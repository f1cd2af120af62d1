"""A replay asks as a gateway asks: the same reach, the same question, the same order; and it reads forecasts back from what was told."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from central.core.order_reach import reach_days
from central.core.replay_words import Ask
from central.core.supplier_calendar import SupplierCalendar
from central.replay_asking import Asker
from central.replay_forecasts import dispersion_of, lengthened
from contract.documents import OnOrder, OrderSlot, SupplyLine
from contract.records import QUANTILE_LEVELS
from edge.core.lean import LeanSupply
from edge.core.reach import reach_of
from edge.core.replenish import ForecastLine, SkuInputs
from edge.proposing import proposed
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.forecast import Forecast
from models.inference import checked_models
from models.quantiles import negbin_quantiles

TODAY = date(2017, 9, 4)
NOW_MS = int(datetime(2017, 9, 4, 9, tzinfo=UTC).timestamp() * 1000)
LINES = [
    SupplyLine(sku="milk", supplier="depot", lead_time_days=1, review_days=1, pack_units=6, shelf_life_days=6, cost_cents=80),
    SupplyLine(sku="rice", supplier="depot", lead_time_days=2, review_days=1, pack_units=12, cost_cents=150, order_cost_cents=40,
               on_order_units=12, on_order=[OnOrder(day="2017-09-05", units=12)]),
    SupplyLine(sku="soap", supplier="depot", lead_time_days=2, review_days=7, pack_units=1, min_order_units=4, max_stock_units=20,
               presentation_units=3, service_level=0.98),
]  # fmt: skip
MEAN, DISPERSION = np.array([[9.0], [4.0], [0.4]]), np.array([[0.3], [0.5], [1.0]])
FORECAST = Forecast(
    TODAY, np.repeat(MEAN, 14, axis=1).astype(np.float32), np.repeat(DISPERSION, 14, axis=1).astype(np.float32),
    0.1, "demo@1",
)  # fmt: skip
ON_HAND = [((1.6, 4.0), (4.6, 3.0)), ((None, 2.0),), ((None, 1.0),)]


@pytest.fixture(scope="module")
def models():
    return checked_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_the_order_is_the_gateways_own(models, share):
    supply = LeanSupply.from_json(
        b'{"kind":"supply","version":1,"lines":[' + b",".join(line.to_json() for line in LINES) + b"]}"
    )
    reaches = [
        reach_of(line, [], now_ms=NOW_MS, today=TODAY, share_left=share, on_hand=on_hand)
        for line, on_hand in zip(supply.lines, ON_HAND, strict=True)
    ]
    lines = [
        ForecastLine(SkuInputs(line.sku, (), (), 0.0), line, None, "", daily=False, reach=reach)
        for line, reach in zip(supply.lines, reaches, strict=True)
    ]
    window = FORECAST.over_window(np.array([line.window_days for line in lines]), first_day_share=share)
    theirs = proposed(models, FORECAST, None, lines, window.quantiles, first_day_share=share)
    asker = Asker(models.orders, with_confidence=True, pause=lambda: None)
    asker.take(FORECAST, [True] * 3)
    asks = [
        Ask(index, line, ON_HAND[index], reach.arrivals, *reach_days(
            None, line.lead_time_days, line.review_days, now_ms=NOW_MS, today=TODAY, share_left=share), share)
        for index, (line, reach) in enumerate(zip(LINES, reaches, strict=True))
    ]  # fmt: skip
    _, ours = asker.answered(asks)
    assert [one.quantity_units for one in ours] == [one.quantity_units for one in theirs]
    assert sum(one.quantity_units for one in ours) > 0
    for our, their in zip(ours, theirs, strict=True):
        assert max(0.0, our.target_units) == pytest.approx(their.target_units)
        assert our.least_missing_units == pytest.approx(their.least_missing_units)
    assert [one.cumulative_quantiles for one in ours] == window.quantiles.tolist()


@pytest.mark.parametrize("weekdays", [frozenset(range(7)), frozenset({1, 4}), frozenset({0})])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_an_order_reaches_as_far_as_the_gateway_reckons(weekdays, share):
    calendar = SupplierCalendar(ZoneInfo("UTC"), weekdays, 720, 2, freeze_min=30)
    slots, at_ms = [], NOW_MS
    for _ in range(8):
        cutoff_ms = calendar.next_cutoff_ms(at_ms)
        at_ms = cutoff_ms - calendar.freeze_min * 60_000
        slots.append(OrderSlot(until_ms=at_ms, arrives_day=calendar.delivery_day(cutoff_ms).isoformat()))
    line = LeanSupply.from_json(b'{"kind":"supply","version":1,"lines":[' + LINES[0].to_json() + b"]}").lines[
        0
    ]
    theirs = reach_of(line, slots, now_ms=NOW_MS, today=TODAY, share_left=share, on_hand=None)
    assert reach_days(calendar, 1, 1, now_ms=NOW_MS, today=TODAY, share_left=share) == pytest.approx(
        (theirs.lead_days, theirs.cover_days)
    )


def test_who_has_enough_is_not_ordered_for_at_any_service_level(models):
    asker = Asker(models.orders, with_confidence=False, pause=lambda: None)
    asker.take(FORECAST, [True] * 3)
    enough = asker.enough_units([2.0, 3.0, 9.0], [0, 0, 3])
    asks = [
        Ask(
            index,
            line.model_copy(update={"service_level": 0.99}),
            ((None, float(units)),),
            (),
            1.0,
            days - 1.0,
            1.0,
        )
        for index, (line, units, days) in enumerate(zip(LINES, enough, [2.0, 3.0, 9.0], strict=True))
    ]
    assert [one.quantity_units for one in asker.answered(asks)[1]] == [0, 0, 0]


def test_a_dispersion_is_read_back_from_the_quantiles_that_were_told():
    rng = np.random.default_rng(1)
    mean = np.exp(rng.normal(1.0, 1.0, (300, 1))) * np.exp(rng.normal(0, 0.2, (300, 14)))
    dispersion = np.exp(rng.normal(-1.0, 0.7, 300))
    told = negbin_quantiles(mean.ravel(), np.repeat(dispersion, 14), QUANTILE_LEVELS).reshape(300, 14, 9)
    found = dispersion_of(mean.round(2), told)
    error = np.abs(np.log(np.maximum(found, 1e-3) / dispersion))
    assert np.quantile(error[mean.mean(axis=1) > 1], 0.9) < 0.1
    assert np.quantile(error, 0.9) < 0.35


def test_a_short_forecast_goes_on_with_its_last_week():
    assert lengthened([[1, 2, 3, 4, 5, 6, 7]], 9) == [[1, 2, 3, 4, 5, 6, 7, 1, 2]]
    assert lengthened([[3.0]], 3) == [[3.0] * 3]
