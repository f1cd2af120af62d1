"""When an order that was held for its cut-off arrives: told to the replenishment system and to the gateway as the calendar says."""

import json

from central_rows import START_MS, forecast
from test_lifecycle_attacked import HOUR_MS, Life, life

from contract.documents import DocumentKind

__all__ = ["life"]
TUESDAY_CUTOFF_MS = START_MS + 26 * HOUR_MS


def told_days(life: Life) -> list[tuple[str, int]]:
    body = life.rows(f"SELECT body FROM documents WHERE kind = '{DocumentKind.SUPPLY}'")[0][0]
    [line] = [line for line in json.loads(str(body))["lines"] if line["sku"] == "sku-1"]
    return [(part["day"], part["units"]) for part in line["on_order"]]


def test_days_until_delivery_count_from_the_sending_not_from_the_decision(life: Life) -> None:
    """
    Mon 8:00  cut-off 10:00  11:00 decided  │  Tue 10:00 cut-off: sent  │  Wed: the lorry
    """
    life.calendar()
    life.at(START_MS + 3 * HOUR_MS).propose()
    assert life.rows("SELECT lead_time_days FROM triggers") == [(2,)]
    life.at(TUESDAY_CUTOFF_MS)
    [(body,)] = life.rows("SELECT body FROM outgoing")
    assert json.loads(str(body))["data"]["lead_time_days"] == 1


def test_the_gateway_expects_it_on_the_calendars_day(life: Life) -> None:
    life.calendar()
    life.at(START_MS + 3 * HOUR_MS).propose()
    assert told_days(life) == [("2017-09-06", 24)]
    life.at(TUESDAY_CUTOFF_MS)
    assert told_days(life) == [("2017-09-06", 24)]
    life.report("acknowledged", arrives_day="2017-09-07")
    assert told_days(life) == [("2017-09-07", 24)], "what the supplier says counts more"


def test_an_emergency_is_expected_by_its_own_lane(life: Life) -> None:
    life.calendar(order_weekdays=[4], emergency_lead_days=1)
    life.tell(forecast(1))
    life.propose(on_hand_units=0)
    assert life.rows("SELECT kind FROM triggers") == [("emergency",)]
    assert told_days(life) == [("2017-09-05", 24)]
