"""What a person changes of a campaign, and what is said before the click."""

import pytest
from fake_central import FakeCentral

from contract.api.offers import CampaignChange
from hq.pages.campaign_dialog import change_of, consequence, last_day_of

NOW = FakeCentral().campaigns()[0]


def change(**typed):
    given = {
        "active": True,
        "last_day": last_day_of(NOW),
        "budget": 500.0,
        "currency": "USD",
        "who": "Ada",
        "reason": "enough",
    }
    return change_of(NOW, **{**given, **typed})


def test_only_what_differs_is_sent():
    assert change(active=False) == CampaignChange(active=False, who="Ada", reason="enough")
    assert change(budget=750.5) == CampaignChange(budget_cents=75_050, who="Ada", reason="enough")
    ended = change(last_day="2025-05-03")
    assert ended.ends_ms == 1_746_316_800_000, "the end of the last day"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({}, "Nothing is changed"),
        ({"who": ""}, "Give your name and a reason"),
        ({"reason": ""}, "Give your name and a reason"),
        ({"last_day": "soon"}, "must be a day such as"),
        ({"last_day": "2020-01-01"}, "must not be before the first"),
        ({"budget": None}, "a number from 0 on"),
    ],
)
def test_what_cannot_be_is_said(typed, says):
    assert says in change(**typed)


def test_the_consequence_comes_before_the_click():
    assert consequence(NOW, active=False, budget_cents=50_000, currency="USD").startswith(
        "No coupon is issued"
    )
    assert "457.90 USD of the budget is left" in consequence(
        NOW, active=True, budget_cents=50_000, currency="USD"
    )
    assert "is spent already" in consequence(NOW, active=True, budget_cents=100, currency="USD")
