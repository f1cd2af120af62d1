"""How well the bundles forecast the days that have passed: one question a day, a day ahead, over all managed SKUs.

What a day sold is known some hours after it ends; then each bundle is asked for the forecast that it would have made of that
day from the days before it, and both are compared. Nothing has to be remembered for it, and a restart begins the day anew.
What the day says of each bundle's levels is taken in with the commit that marks the day as scored (`calibration`).
"""

from datetime import date, timedelta
from math import isnan

from contract.records import ModelScore
from edge.core.day import ShopCalendar
from edge.core.day_inputs import WHOLE_FROM, DayInputs
from edge.core.score_job import BundleScore, ScoreDone, ScoreJob, ScoreLine
from edge.core.state import EdgeState

SCORED = "scored_day"
SCORE_AFTER_MS = 2 * 3_600_000
"""After the day's end: receipts come late."""
MAX_LINES = 256
PROBE_DAYS, PROBE_SKUS = 7, 200


class Scoring:
    def __init__(self, state: EdgeState) -> None:
        self._state = state
        self._inputs = DayInputs(state.documents, state.demand, state.hours)
        self._day: date | None = None
        self._left: list[str] = []
        self._scores: dict[tuple[str, str], BundleScore] = {}

    def due_ms(self) -> int | None:
        """When yesterday can be scored, None without a calendar or while it is under way."""
        calendar, scored = self._state.documents.calendar, self._state.marks.at(SCORED)
        if calendar is None or self._day is not None or not scored:
            return None
        return calendar.day_start_ms(date.fromordinal(scored + 2)) + SCORE_AFTER_MS

    def next_job(self, now_ms: int) -> ScoreJob | None:
        """The day's first question, when it is due; the following ones come from `answered`."""
        calendar = self._state.documents.calendar
        if calendar is None or self._day is not None:
            return None
        yesterday = calendar.business_day(now_ms - SCORE_AFTER_MS) - timedelta(days=1)
        scored = self._state.marks.at(SCORED)
        if scored >= yesterday.toordinal():
            return None
        if not scored or yesterday.isoformat() not in self._state.demand.heard.by_key:
            self._state.marks.set(SCORED, yesterday.toordinal())  # the first day, or one that nobody heard
            return None
        self._day, self._scores = yesterday, {}
        self._left = sorted(self._state.documents.managed_skus())
        return self._next_part(calendar, is_first=True)

    def answered(self, done: ScoreDone, now_ms: int) -> ScoreJob | None:
        """The next part of the day; after the last one the day's scores are told."""
        if done.job.day != self._day:
            return None
        for score in done.scores:
            key = (score.role.value, score.sha256)
            known = self._scores.get(key)
            self._scores[key] = (
                score
                if known is None
                else BundleScore(score.role, score.bundle, score.sha256, known.sums.plus(score.sums))
            )
        calendar = self._state.documents.calendar
        if not done.job.is_last and calendar is not None:
            return self._next_part(calendar, is_first=False)
        for score in self._scores.values():
            self._tell(done.job.day, score, now_ms)
            self._state.calibrations.after_day(score.bundle, done.job.day, score.sums.evidence)
        self._state.marks.set(SCORED, done.job.day.toordinal())
        self._day, self._left, self._scores = None, [], {}
        return None

    def probe(self, now_ms: int) -> list[ScoreJob]:
        """Questions about the last days and the best known SKUs, for a bundle that is to be tried at once."""
        calendar = self._state.documents.calendar
        if calendar is None:
            return []
        skus = sorted(self._state.documents.managed_skus())[:PROBE_SKUS]
        today = calendar.business_day(now_ms)
        days = [today - timedelta(days=back) for back in range(1, PROBE_DAYS + 1)]
        jobs = []
        for day in days:
            lines = self._lines(skus, day, calendar, only_known=False)
            if lines:
                jobs.append(ScoreJob(day, lines, is_first=day == days[0], is_last=day == days[-1]))
        return jobs

    def _next_part(self, calendar: ShopCalendar, *, is_first: bool) -> ScoreJob:
        assert self._day is not None
        part, self._left = self._left[:MAX_LINES], self._left[MAX_LINES:]
        lines = self._lines(part, self._day, calendar, only_known=True)
        return ScoreJob(
            self._day, lines, is_first=is_first, is_last=not self._left,
            calibrations=self._state.calibrations.all(),
        )  # fmt: skip

    def _lines(
        self, skus: list[str], day: date, calendar: ShopCalendar, *, only_known: bool
    ) -> tuple[ScoreLine, ...]:
        managed = [sku for sku in skus if self._state.documents.is_managed(sku)]
        sold = self._sold(managed, day, calendar)
        asked = [sku for sku in managed if not (only_known and isnan(sold[sku]))]
        inputs = self._inputs.for_day(asked, day, calendar)
        return tuple(
            ScoreLine(of_sku, sold[of_sku.sku], is_cut=self._is_cut(of_sku.sku, day, calendar))
            for of_sku in inputs
        )

    def _is_cut(self, sku: str, day: date, calendar: ShopCalendar) -> bool:
        category = self._state.documents.item_by_sku[sku].category
        return self._state.hours.served_on(sku, category, day, calendar) < WHOLE_FROM

    def _sold(self, skus: list[str], day: date, calendar: ShopCalendar) -> dict[str, float]:
        span = calendar.open_span(day)
        if span is None:
            return dict.fromkeys(skus, float("nan"))
        state = self._state
        histories = state.demand.histories(
            skus, day + timedelta(days=1), state.documents.history, {day: span[1] - span[0]}
        )
        return {sku: history[-1] for sku, history in zip(skus, histories, strict=True)}

    def _tell(self, day: date, score: BundleScore, now_ms: int) -> None:
        sums = score.sums
        self._state.emit(
            ModelScore(
                seq=1,
                at_ms=now_ms,
                day=day.isoformat(),
                bundle=score.bundle,
                sha256=score.sha256,
                role=score.role,
                skus=sums.skus,
                units=sums.units,
                mean_units=round(max(0.0, sums.mean_units), 2),
                pinball=round(max(0.0, sums.pinball), 4),
                inside_80=sums.inside_80,
                inside_95=sums.inside_95,
            )
        )
