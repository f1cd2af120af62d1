"""Asks the models for SKUs that are due, and turns their answers into forecast and proposal records."""

from datetime import date, timedelta
from math import isnan

from contract.records import ForecastRecord, ProposalRecord
from edge.core.day import DAY_MS
from edge.core.demand import HISTORY_DAYS
from edge.core.effects import RunForecast
from edge.core.replenish import (
    ForecastAnswer,
    ForecastDone,
    ForecastJob,
    ForecastLine,
    is_news,
    price_ratios,
)
from edge.core.state import EdgeState

HORIZON_DAYS = 14
PRICE_DAYS = 28
MIN_HISTORY_DAYS = 14
"""With fewer known days a SKU leans on its category."""


class Ordering:
    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self._asked = False

    @property
    def is_waiting(self) -> bool:
        """An answer is under way."""
        return self._asked

    def ask(self, now_ms: int) -> None:
        """Asks for the SKUs that are due, one job at a time. Without a calendar there are no days to forecast."""
        state = self._state
        if self._asked or state.documents.calendar is None:
            return
        due: list[str] = []
        for sku in state.plans.due(now_ms):
            if state.documents.is_managed(sku):
                due.append(sku)
            else:
                state.plans.forget(sku)
        if due:
            self._asked = True
            state.effects.append(RunForecast(self._job(due, now_ms)))

    def answered(self, done: ForecastDone, now_ms: int) -> None:
        self._asked = False
        by_sku = {answer.sku: answer for answer in done.answers}
        for line in done.job.lines:
            if self._state.plans.rows.get(line.sku) is None:
                continue  # no longer managed here
            answer = by_sku.get(line.sku)
            plan = self._state.plans.answered(line.sku, done.job, answer)
            if answer is None:
                self._state.tally.add("forecasts_failed_total")
                continue
            day = done.job.first_day.isoformat()
            if line.daily:
                plan.forecast_day = day
                self._forecast(line.sku, day, answer, done.bundle, now_ms)
            doubt = _joined(done.doubt, line.doubt)
            if line.supply is not None and is_news(plan, answer.quantity_units, day, doubt):
                plan.proposed_units, plan.proposed_day, plan.proposed_doubt = (
                    answer.quantity_units, day, doubt,
                )  # fmt: skip
                self._propose(line, answer, doubt, done.bundle, now_ms)
            self._state.touch(line.sku, now_ms)

    def _job(self, skus: list[str], now_ms: int) -> ForecastJob:
        state = self._state
        calendar = state.documents.calendar
        assert calendar is not None
        today = calendar.business_day(now_ms)
        days = [today - timedelta(days=back) for back in range(HISTORY_DAYS, 0, -1)]
        open_ms = {}
        for day in days:
            span = calendar.open_span(day)
            open_ms[day] = span[1] - span[0] if span else 0
        histories = state.demand.histories(skus, today, state.documents.history, open_ms)
        levels = self._category_levels(skus, histories)
        midnight_ms = calendar.day_start_ms(today)
        # Noon, give or take an hour of daylight saving: prices change at night.
        noons_ms = [midnight_ms + ahead * DAY_MS + DAY_MS // 2 for ahead in range(-PRICE_DAYS, HORIZON_DAYS)]
        lines = tuple(
            self._line(sku, history, levels, today, noons_ms, now_ms)
            for sku, history in zip(skus, histories, strict=True)
        )
        return ForecastJob(
            now_ms, today, calendar.share_left(now_ms), calendar.closed_days(today, HORIZON_DAYS), HORIZON_DAYS, lines
        )  # fmt: skip

    def _line(
        self,
        sku: str,
        history: list[float],
        levels: dict[str, float],
        today: date,
        noons_ms: list[int],
        now_ms: int,
    ) -> ForecastLine:
        state = self._state
        on_hand = state.level(sku).on_hand_units
        doubt = state.shelves.doubt(sku, now_ms)
        if on_hand is None:
            on_hand = state.stock.book_units(sku)
            doubt = _joined(
                doubt,
                "the shelf's stock is unknown, the book's is used"
                if on_hand is not None
                else "stock is unknown",
            )
        elif on_hand < 0:
            doubt = _joined(doubt, f"the book says {on_hand} units: count them")
        plan = state.plans.rows.by_key[sku]
        return ForecastLine(
            sku=sku,
            history=tuple(history),
            price_ratio=self._price_ratio(sku, noons_ms),
            category_level=levels.get(state.documents.item_by_sku[sku].category, float("nan")),
            supply=state.documents.supply_by_sku.get(sku),
            on_hand_units=on_hand,
            doubt=doubt,
            daily=plan.forecast_day != today.isoformat(),
        )

    def _price_ratio(self, sku: str, noons_ms: list[int]) -> tuple[float, ...]:
        prices = [self._state.documents.price_cents(sku, noon_ms) for noon_ms in noons_ms]
        return price_ratios(prices, PRICE_DAYS)

    def _category_levels(self, skus: list[str], histories: list[list[float]]) -> dict[str, float]:
        """Mean units a day of a category's SKUs, from those at hand that have enough history."""
        sums: dict[str, list[float]] = {}
        for sku, history in zip(skus, histories, strict=True):
            known = [units for units in history[-28:] if not isnan(units)]
            if len(known) >= MIN_HISTORY_DAYS:
                category = self._state.documents.item_by_sku[sku].category
                sums.setdefault(category, []).append(sum(known) / len(known))
        return {category: sum(levels) / len(levels) for category, levels in sums.items()}

    def _forecast(self, sku: str, day: str, answer: ForecastAnswer, bundle: str, now_ms: int) -> None:
        self._state.tally.add("forecasts_total")
        self._state.emit(
            ForecastRecord(
                seq=1,
                at_ms=now_ms,
                sku=sku,
                first_day=day,
                bundle=bundle,
                mean=[round(units, 2) for units in answer.mean],
                quantiles=[[round(units, 2) for units in row] for row in answer.quantiles],
            )
        )

    def _propose(
        self, line: ForecastLine, answer: ForecastAnswer, doubt: str, bundle: str, now_ms: int
    ) -> None:
        assert line.supply is not None
        self._state.tally.add("proposals_total")
        self._state.emit(
            ProposalRecord(
                seq=1,
                at_ms=now_ms,
                sku=line.sku,
                quantity_units=answer.quantity_units,
                on_hand_units=line.on_hand_units,
                on_order_units=line.supply.on_order_units,
                cumulative_quantiles=list(answer.cumulative_quantiles),
                window_days=line.window_days,
                service_level=line.supply.service_level,
                pack_units=line.supply.pack_units,
                min_order_units=line.supply.min_order_units,
                max_stock_units=line.supply.max_stock_units,
                target_units=max(0.0, round(answer.target_units, 3)),
                expected_stock_out_units=max(0.0, round(answer.expected_stock_out_units, 3)),
                reasons=list(answer.reasons),
                doubt=doubt[:200],
                bundle=bundle,
                watermark_ms=self._state.devices.watermark_ms(now_ms),
            )
        )


def _joined(*doubts: str) -> str:
    return "; ".join(doubt for doubt in doubts if doubt)
