"""What the calendar says of days reaches the gateway's forecasts; without one, or with a bad one, nothing changes."""

import json
from datetime import date
from math import isnan

import numpy as np
import pytest
from edge_shop import Shop, documents
from edge_world import World

from contract.batch import BatchReceipt
from contract.documents import CalendarDocument
from contract.known_days import known_days_view
from edge.batch_reply import receipt_from
from edge.core.day_inputs import HORIZON_DAYS, DayInputs
from edge.core.demand import HISTORY_DAYS, Demand
from edge.core.documents import Documents
from edge.core.hours import Hours
from edge.core.messages import DocumentArrived
from edge.inference import known_days_of

LIVE = date(2017, 9, 4)


def calendar(version=1, **fields):
    whole = {
        "from_day": "2017-08-01", "until_day": "2017-09-30",
        "days": [{"kind": "holiday", "from_day": "2017-09-05", "until_day": "2017-09-05", "name": "Harvest"}],
        "promotions": [{"from_day": "2017-09-06", "until_day": "2017-09-07", "skus": ["sku-1"], "discount_percent": 20}],
        "weather": [{"day": "2017-09-04", "temperature_c": 21.5}],
    }  # fmt: skip
    return CalendarDocument.model_validate({"version": version, **whole, **fields}, strict=False)


def held(*more):
    found = Documents()
    for document in (*documents(2), *more):
        found.apply(document)
    return found


def inputs_of(found):
    return DayInputs(found, Demand(), Hours()).of(["sku-1", "sku-2"], LIVE, found.calendar)


def test_a_forecast_is_told_of_the_days_of_its_history_and_ahead():
    columns = known_days_of(inputs_of(held(calendar())), HORIZON_DAYS + 1)
    days = HISTORY_DAYS + HORIZON_DAYS + 1
    [holiday] = columns["holiday"]
    assert len(holiday) == days
    assert [day for day in range(days) if holiday[day] == 1] == [HISTORY_DAYS + 1]
    assert isnan(holiday[0]), "before the calendar's first day nothing is known"
    assert holiday[HISTORY_DAYS - 34] == 0
    promoted, other = columns["promotion"]
    assert [day for day in range(days) if promoted[day] == 1] == [HISTORY_DAYS + 2, HISTORY_DAYS + 3]
    assert 1 not in other
    assert columns["discount"][0][HISTORY_DAYS + 2] == 0.2
    assert columns["temperature_c"][0][HISTORY_DAYS] == 21.5
    assert set(columns) == {"holiday", "promotion", "discount", "temperature_c"}


def test_a_promotion_of_a_category_is_of_all_its_skus():
    category = held().item_by_sku["sku-1"].category
    promotion = {"from_day": "2017-09-04", "until_day": "2017-09-04", "categories": [category]}
    columns = known_days_of(inputs_of(held(calendar(promotions=[promotion]))), 1)
    assert [row[HISTORY_DAYS] for row in columns["promotion"]] == [1.0, 1.0]
    assert [row[HISTORY_DAYS] for row in columns["discount"]] == [0.0, 0.0]


def test_no_calendar_and_one_of_another_year_say_nothing():
    assert known_days_of(inputs_of(held()), 15) is None
    past = calendar(from_day="2016-08-01", until_day="2016-09-30", weather=[])
    assert known_days_of(inputs_of(held(past)), 15) is None
    assert known_days_view(None, {}, LIVE, 3) is None


def test_gateways_say_that_they_know_the_document_before_they_have_one():
    assert held().have()["calendar"] == 0
    assert held(calendar(3)).have()["calendar"] == 3


def test_the_calendar_outlives_a_restart():
    found = held(calendar())
    [text] = [text for _, kind, text in found.changed() if kind == "calendar"]
    after = Documents()
    after.restore("calendar", text)
    assert after.known_days == calendar()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"until_day": "2017-07-01"}, "lies before from_day"),
        ({"promotions": [{"from_day": "2017-09-06", "until_day": "2017-09-06"}]}, "names neither SKUs"),
        ({"days": [{"kind": "carnival", "from_day": "2017-09-06", "until_day": "2017-09-06"}]}, "'holiday'"),
    ],
)
def test_a_bad_calendar_is_refused_with_its_reason_and_the_last_one_stays(wrong, says):
    good = json.loads(calendar(2).to_json())
    receipt = BatchReceipt(gateway="g-1", epoch="e-1", acked_through=1, server_time_ms=1).to_json()
    body = json.dumps({**json.loads(receipt), "documents": [{**good, **wrong}]}).encode()
    _, [bad] = receipt_from(body)
    assert (bad.kind, bad.version) == ("calendar", 2)
    assert says in bad.reason
    shop = Shop()
    shop.batch(DocumentArrived(calendar(1)))
    shop.batch(bad)
    assert shop.core.state.documents.have()["calendar"] == 2, "the centre does not send it again"
    assert shop.core.state.documents.known_days == calendar(1)


def test_a_promotion_ahead_raises_the_forecast_of_its_sku_alone():
    world = World(np.full((3, 56), 6))
    promoted = [
        {"from_day": day, "until_day": day, "skus": ["sku-1", "sku-2"], "discount_percent": 30}
        for day in ("2017-07-20", "2017-08-10")
    ]
    ahead = {"from_day": "2017-09-04", "until_day": "2017-09-10", "skus": ["sku-1"], "discount_percent": 30}
    document = calendar(from_day="2017-07-10", days=[], weather=[], promotions=[*promoted, ahead])
    world.batch(DocumentArrived(document))
    world.sell(np.full(3, 6))
    means = {record.sku: np.mean(record.mean[:6]) for record in world.of_kind("forecast")}
    assert means["sku-1"] > 1.2 * means["sku-2"]
    assert means["sku-2"] < 1.1 * means["sku-3"]
