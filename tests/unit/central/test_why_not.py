"""Why nothing was ordered has an answer for every SKU: what holds it, the weightiest first, or that there is no need."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from central_rows import START_MS, forecast, level
from test_lifecycle_attacked import HOUR_MS, Life, life

from central.core.why_not import Standing, why_not
from central.ledger.standing_rows import standing_of

__all__ = ["life"]
NOW = 1_000 * HOUR_MS
FINE = Standing(
    now_ms=NOW, known=True, managed=True, supplier="depot", unlisted="", switches=(), open_order="", heard_ms=NOW,
    first_day=date(2017, 9, 4), today=date(2017, 9, 4), on_hand_units=20, on_order_units=12, expected_units=9.0,
    cover_days=3, outcome="", proposed_ms=None, stale_after_ms=HOUR_MS, stale_forecast_days=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, ["covered"]),
        ({"expected_units": 50.0}, ["below"]),
        ({"known": False}, ["no-item"]),
        ({"managed": False}, ["not-managed"]),
        ({"supplier": ""}, ["no-supply"]),
        ({"unlisted": "delisted from 2017 on"}, ["unlisted"]),
        ({"switches": ("kill-switch for chain",)}, ["kill-switch"]),
        ({"open_order": "the restock r1 is sent"}, ["open-order"]),
        ({"heard_ms": None}, ["never-heard"]),
        ({"heard_ms": NOW - 2 * HOUR_MS}, ["silent"]),
        ({"first_day": None}, ["no-forecast"]),
        ({"first_day": date(2017, 9, 1)}, ["old-forecast"]),
        ({"on_hand_units": None}, ["stock-unknown"]),
        ({"outcome": "held: enough", "proposed_ms": NOW - HOUR_MS}, ["last-proposal", "covered"]),
        ({"supplier": "", "heard_ms": None, "first_day": None}, ["no-supply", "never-heard", "no-forecast"]),
    ],
)
def test_each_cause_is_named_and_what_has_to_go_first_stands_first(change, codes):
    assert [one.code for one in why_not(replace(FINE, **change))] == codes


def test_no_need_is_told_with_its_figures():
    [reason] = why_not(FINE)
    assert "20 on hand and 12 on order, 9.0 expected to sell in 3 days" in reason.text


@pytest.fixture
def ask(life: Life) -> object:
    def codes(sku: str, **heard_ms: int) -> list[str]:
        with life.ledger.read.connect() as connection:
            standing = standing_of(
                connection, "store-1", sku, ZoneInfo("America/New_York"), life.now_ms, (HOUR_MS, 2), heard_ms
            )
        return [one.code for one in why_not(standing)]

    return codes


def test_the_ledger_answers_for_every_sku(life: Life, ask) -> None:
    assert ask("nobody-knows-it") == ["no-item"]
    assert "no-forecast" in ask("sku-1")
    life.tell(forecast(1), level(1, on_hand=40))
    life.change(f"UPDATE gateways SET last_heard_ms = {START_MS}")
    assert ask("sku-1")[-1] in ("covered", "never-heard")
    life.calendar()
    life.at(START_MS + 3 * HOUR_MS).propose()
    assert "open-order" in ask("sku-1")
    assert ask("sku-1")[-1] == "last-proposal"
    life.switch(on=True)
    assert "kill-switch" in ask("sku-1")


def test_a_gateway_that_is_heard_and_not_yet_written_down_is_not_silent(life: Life, ask) -> None:
    life.change(f"UPDATE gateways SET last_heard_ms = {START_MS}")
    [[gateway]] = life.rows("SELECT gateway FROM gateways WHERE store_id = 'store-1'")
    life.at(START_MS + 3 * HOUR_MS)
    assert "silent" in ask("sku-1")
    assert "silent" not in ask("sku-1", **{gateway: life.now_ms})
