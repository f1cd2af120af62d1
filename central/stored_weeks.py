"""Stored weeks of a store as a replay plays them: its days, its forecasts, or those that another bundle would have made."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of, day_start_ms
from central.core.replay import Outcome, PlayedDay, Rule, changed, play_by_day
from central.core.rollups import STORE_TOTAL
from central.ledger.made_orders import MadeOrders, made_orders
from central.ledger.of_skus import OfSkus
from contract.documents import SupplyDocument, SupplyLine
from contract.records import QUANTILE_LEVELS

DAY_MS = 86_400_000
HISTORY_DAYS = 56
_HIGH = QUANTILE_LEVELS.index(0.9)

_SUPPLY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = 'supply'")
_DAYS = OfSkus(
    """SELECT sku, at_ms, sold_units, stock_out_ms, on_hand_units FROM rollups WHERE store_id = :store
    AND step_ms = :step AND at_ms >= :from_ms AND at_ms < :to_ms AND {among} ORDER BY at_ms"""
)
_FORECASTS = sa.text(
    """SELECT sku, first_day, mean, quantiles FROM forecasts WHERE store_id = :store AND first_day >= :first
    AND first_day < :end"""
)
_LAST = sa.text("SELECT max(at_ms) FROM rollups WHERE store_id = :store AND step_ms = :step")

_UNSOLD = (0, 0, None)

Facts = dict[str, dict[date, tuple[int, int, int | None]]]
"""SKU -> day -> (sold units, ms of stock-out, on hand at its end)."""
Curves = tuple[list[float], list[float]]
"""Mean and 90 % quantile, a day each."""


@dataclass(frozen=True, slots=True)
class DayOutcomes:
    """All played SKUs of one day, simulated as the rules are and as they would be changed; made: what was really ordered."""

    day: str
    now: Outcome
    then: Outcome
    made: MadeOrders


@dataclass(frozen=True, slots=True)
class StoreReplay:
    """skus: played. left_out: beyond the limit, the slowest sellers."""

    skus: int
    left_out: int
    days: tuple[DayOutcomes, ...]

    @property
    def now(self) -> Outcome:
        return sum((day.now for day in self.days), Outcome())

    @property
    def then(self) -> Outcome:
        return sum((day.then for day in self.days), Outcome())

    @property
    def made(self) -> MadeOrders:
        return sum((day.made for day in self.days), MadeOrders())


def replay_store(
    connection: Connection, store: str, zone: ZoneInfo, changes: dict[str, object], *, days: int,
    auto_approve_below_cents: int, models: object | None = None, max_skus: int | None = None,
    pause: Callable[[], None] = lambda: None,
) -> StoreReplay:  # fmt: skip
    """The newest `days` days of one store under both rules. Reads only. Raises ValueError for a change that cannot be.

    models: a models.inference.Models whose forecasts the changed rule uses; None: the stored forecasts for both. pause:
    called between two SKUs, so that a caller who shares a process lets others go first.
    """
    weeks = _weeks_of(connection, store, zone, days, models, max_skus)
    if weeks is None:
        return StoreReplay(0, 0, ())
    now, then = ([Outcome()] * len(weeks.dates) for _ in range(2))
    for line, played, anew, opening in weeks.played():
        rule = _rule(line, auto_approve_below_cents)
        now = [total + one for total, one in zip(now, play_by_day(played, rule, opening), strict=True)]
        then = [
            total + one
            for total, one in zip(then, play_by_day(anew, changed(rule, changes), opening), strict=True)
        ]
        pause()
    made = made_orders(connection, store, zone, weeks.dates, weeks.skus)
    found = tuple(
        DayOutcomes(day.isoformat(), before, after, really)
        for day, before, after, really in zip(weeks.dates, now, then, made, strict=True)
    )
    return StoreReplay(len(weeks.skus), weeks.left_out, found)


def _rule(line: SupplyLine, auto_approve_below_cents: int) -> Rule:
    return Rule(
        service_level=line.service_level, lead_time_days=line.lead_time_days, review_days=line.review_days,
        pack_units=line.pack_units, min_order_units=line.min_order_units, max_stock_units=line.max_stock_units,
        shelf_life_days=line.shelf_life_days, cost_cents=line.cost_cents,
        auto_approve_below_cents=auto_approve_below_cents,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Weeks:
    dates: list[date]
    skus: list[str]
    left_out: int
    lines: dict[str, SupplyLine]
    facts: Facts
    stored: dict[tuple[str, date], Curves]
    anew: dict[tuple[str, date], Curves]

    def played(self) -> Iterator[tuple[SupplyLine, list[PlayedDay], list[PlayedDay], int]]:
        """Each SKU: its supply line, its days as they were forecast, as the other models forecast them, and its opening stock."""
        for sku in self.skus:
            of_sku = self.facts[sku]
            opening = next(
                (of_sku[day][2] for day in self.dates if day in of_sku and of_sku[day][2] is not None), 0
            )
            yield (
                self.lines[sku], _days(of_sku, self.stored, self.stored, sku, self.dates),
                _days(of_sku, self.stored, self.anew, sku, self.dates), max(0, opening or 0),
            )  # fmt: skip


def _weeks_of(
    connection: Connection,
    store: str,
    zone: ZoneInfo,
    n_days: int,
    models: object | None,
    max_skus: int | None,
) -> _Weeks | None:
    body = connection.execute(_SUPPLY, {"store": store}).scalar()
    last_ms = connection.execute(_LAST, {"store": store, "step": DAY_MS}).scalar()
    if body is None or last_ms is None:
        return None
    end = date.fromisoformat(day_of(int(last_ms), zone))  # the newest day is not over
    dates = [end - timedelta(days=back) for back in range(n_days, 0, -1)]
    stored = _forecasts(connection, store, dates[0], end)
    forecast = {sku for sku, day in stored if day >= dates[0]}
    lines = {line.sku: line for line in SupplyDocument.from_json(body).lines}
    wanted = [STORE_TOTAL, *sorted(lines.keys() & forecast)]
    facts = _facts(connection, store, zone, dates[0] - timedelta(days=HISTORY_DAYS), end, wanted)
    skus = [sku for sku in wanted[1:] if sku in facts]
    kept = skus
    if max_skus is not None and len(skus) > max_skus:
        sold = {sku: sum(units for units, _, _ in facts[sku].values()) for sku in skus}
        kept = sorted(sorted(skus, key=lambda sku: -sold[sku])[:max_skus])
    anew = stored if models is None or not kept else _forecast_anew(models, facts, kept, dates)
    return _Weeks(dates, kept, len(skus) - len(kept), lines, facts, stored, anew)


def _days(
    facts: dict[date, tuple[int, int, int | None]],
    told: dict[tuple[str, date], Curves],
    used: dict[tuple[str, date], Curves],
    sku: str,
    dates: Sequence[date],
) -> list[PlayedDay]:
    """told: the forecasts of the time, which say what a stock-out hid. used: those to order by.

    A day without a forecast of its own goes on with the one before, as a gateway does.
    """
    found: list[PlayedDay] = []
    then: Curves = ([], [])
    newest: Curves = ([], [])
    for day in dates:
        then, newest = told.get((sku, day), then), used.get((sku, day), newest)
        sold, out_ms, _ = facts.get(day, _UNSOLD)
        expected = then[0][0] if then[0] else 0.0
        found.append(PlayedDay(sold, min(1.0, out_ms / DAY_MS), expected, *newest))
    return found


def _facts(
    connection: Connection, store: str, zone: ZoneInfo, first: date, end: date, skus: Sequence[str]
) -> Facts:
    """Of `skus`, those that have any."""
    found: Facts = {}
    span = {
        "store": store, "step": DAY_MS, "from_ms": day_start_ms(first.isoformat(), zone),
        "to_ms": day_start_ms(end.isoformat(), zone),
    }  # fmt: skip
    days: dict[int, date] = {}
    for sku, at_ms, sold_units, stock_out_ms, on_hand_units in _DAYS.run(connection, span, skus):
        day = days.get(at_ms)
        if day is None:
            day = days[at_ms] = date.fromisoformat(day_of(at_ms, zone))
        found.setdefault(sku, {})[day] = (sold_units, stock_out_ms, on_hand_units)
    return found


def _forecasts(connection: Connection, store: str, first: date, end: date) -> dict[tuple[str, date], Curves]:
    rows = connection.execute(
        _FORECASTS, {"store": store, "first": first.isoformat(), "end": end.isoformat()}
    )
    return {
        (row.sku, date.fromisoformat(row.first_day)): (
            json.loads(row.mean), [day[_HIGH] for day in json.loads(row.quantiles)],
        )
        for row in rows
    }  # fmt: skip


def _forecast_anew(
    models: object, facts: Facts, skus: list[str], dates: Sequence[date]
) -> dict[tuple[str, date], Curves]:  # fmt: skip
    """What `models` would have said each morning from the sales before it."""
    from models.inference import Models  # noqa: PLC0415 - 100 MB that a replay of rules does not need

    assert isinstance(models, Models)
    found: dict[tuple[str, date], Curves] = {}
    heard = {
        day for of_sku in facts.values() for day in of_sku
    }  # a SKU without a row sold nothing on such a day
    for day in dates:
        before = [day - timedelta(days=back) for back in range(HISTORY_DAYS, 0, -1)]
        history = np.array(
            [
                [facts[sku].get(past, _UNSOLD)[0] if past in heard else np.nan for past in before]
                for sku in skus
            ]
        )
        forecast = models.demand.forecast(history, day)
        high = forecast.quantiles([0.9])[:, :, 0]
        for place, sku in enumerate(skus):
            found[sku, day] = (forecast.mean[place].astype(float).tolist(), high[place].tolist())
    return found
