"""Asks the models for SKUs that are due, and turns their answers into forecast and proposal records."""

from datetime import date

from contract.records import ForecastRecord, ProposalRecord
from edge.core.day_inputs import HORIZON_DAYS, DayInputs
from edge.core.effects import RunForecast
from edge.core.lean import SupplyRow
from edge.core.reach import Reach, reach_of
from edge.core.replenish import (
    ForecastAnswer,
    ForecastDone,
    ForecastJob,
    ForecastLine,
    SkuInputs,
    is_news,
)
from edge.core.state import EdgeState

BOOK_USED = "the shelf's stock is unknown, the book's is used"


class Ordering:
    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self._inputs = DayInputs(state.documents, state.demand, state.hours)
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
            plan.was_orderable = line.supply is not None
            plan.ask_below_units = ask_below_units(line, answer)
            doubt = _joined(done.doubt, line.doubt)
            if line.supply is not None and is_news(plan, answer.quantity_units, day, doubt):
                plan.proposed_units, plan.proposed_day, plan.proposed_doubt = (
                    answer.quantity_units, day, doubt,
                )  # fmt: skip
                self._propose(line, answer, doubt, done, now_ms)
            self._state.touch(line.sku, now_ms)

    def forget_inputs(self) -> None:
        """The documents changed."""
        self._inputs.forget()

    def _job(self, skus: list[str], now_ms: int) -> ForecastJob:
        calendar = self._state.documents.calendar
        assert calendar is not None
        today = calendar.business_day(now_ms)
        left: dict[str, float] = {}
        for category in {self._category(sku) for sku in skus}:
            left[category] = self._state.hours.share_left(category, now_ms, calendar)
        lines = tuple(
            self._line(inputs, today, now_ms, left[self._category(inputs.sku)])
            for inputs in self._inputs.of(skus, today, calendar)
        )
        bundle = self._state.bundle
        return ForecastJob(
            now_ms, today, calendar.share_left(now_ms), calendar.closed_days(today, HORIZON_DAYS), HORIZON_DAYS, lines,
            bundle, self._state.calibrations.of(bundle),
        )  # fmt: skip

    def _category(self, sku: str) -> str:
        return self._state.documents.item_by_sku[sku].category

    def _line(self, inputs: SkuInputs, today: date, now_ms: int, share_left: float) -> ForecastLine:
        state, sku = self._state, inputs.sku
        on_hand = state.level(sku).on_hand_units
        doubt = state.shelves.doubt(sku, now_ms)
        if on_hand is None:
            on_hand = state.stock.book_units(sku)
            doubt = _joined(doubt, "stock is unknown" if on_hand is None else BOOK_USED)
        elif on_hand < 0:
            doubt = _joined(doubt, f"the book says {on_hand} units: count them")
        supply = state.documents.supply_by_sku.get(sku)
        if supply is not None and on_hand is not None:
            on_hand = stays(on_hand, supply.leaving_units)
        return ForecastLine(
            inputs=inputs,
            supply=supply,
            on_hand_units=on_hand,
            doubt=doubt,
            daily=state.plans.rows.by_key[sku].forecast_day != today.isoformat(),
            reach=None if supply is None else self._reach(supply, on_hand, today, now_ms, share_left),
            share_left=share_left,
        )

    def _reach(
        self, supply: SupplyRow, on_hand: int | None, today: date, now_ms: int, share_left: float
    ) -> Reach:
        state = self._state
        aged = (
            None
            if on_hand is None
            else state.ages.of(supply.sku, on_hand, supply.shelf_life_days, today, share_left)
        )
        slots = state.documents.slots.get(supply.supplier, [])
        return reach_of(supply, slots, now_ms=now_ms, today=today, share_left=share_left, on_hand=aged)

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
        self, line: ForecastLine, answer: ForecastAnswer, doubt: str, done: ForecastDone, now_ms: int
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
                bundle=done.bundle,
                watermark_ms=self._state.devices.watermark_ms(now_ms),
                expected_unmet_units=_rounded(answer.expected_unmet_units),
                expected_waste_units=_rounded(answer.expected_waste_units),
                order_graph=done.order_graph if answer.question is not None else "",
                question=answer.question,
            )
        )


def stays(on_hand: int, leaving: int) -> int:
    """Units that are here for customers once what is promised to other stores has left."""
    return max(min(on_hand, 0), on_hand - leaving)


def ask_below_units(line: ForecastLine, answer: ForecastAnswer) -> float | None:
    """On-hand units, what is promised to others included, below which the next answer will ask for an order; None when this one did or
    nothing can be said.

    Never above what is on hand: what kept an order back although the target is missed (a full shelf, a short life) is not
    asked about again and again.
    """
    if line.supply is None or line.on_hand_units is None or answer.quantity_units > 0:
        return None
    low = answer.target_units - answer.least_missing_units - line.supply.on_order_units
    return min(low, float(line.on_hand_units)) + line.supply.leaving_units


def _rounded(units: float | None) -> float | None:
    return None if units is None else max(0.0, round(units, 3))


def _joined(*doubts: str) -> str:
    return "; ".join(doubt for doubt in doubts if doubt)
