"""`shelfloop central replay`: the ledger's own weeks under a changed rule or bundle, before it is enabled. Reads only."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.days import day_of, day_start_ms
from central.core.replay import FIGURES, Outcome, PlayedDay, Rule, changed, play
from central.settings import CentralSettings
from contract.documents import SupplyDocument, SupplyLine
from contract.records import QUANTILE_LEVELS
from runtime.errors import EXIT_OK, OperatorError

DAY_MS = 86_400_000
HISTORY_DAYS = 56
_HIGH = QUANTILE_LEVELS.index(0.9)
_CHANGES = {
    "service_level": (float, "P", "the share of orders after which nothing runs out"),
    "lead_time_days": (int, "N", "days until an order arrives"),
    "review_days": (int, "N", "days between two orders"),
    "pack_units": (int, "N", "units in a pack"),
    "min_order_units": (int, "N", "least units of an order"),
    "max_stock_units": (int, "N", "room for one SKU"),
    "auto_approve_below_cents": (int, "CENTS", "value from which a person is asked"),
}

_STORES = sa.text("SELECT store_id, timezone FROM stores WHERE :store IN ('', store_id) ORDER BY store_id")
_SUPPLY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = 'supply'")
_DAYS = sa.text(
    """SELECT sku, at_ms, sold_units, stock_out_ms, on_hand_units FROM rollups WHERE store_id = :store
    AND step_ms = :step AND at_ms >= :from_ms AND at_ms < :to_ms ORDER BY at_ms"""
)
_FORECASTS = sa.text(
    """SELECT sku, first_day, mean, quantiles FROM forecasts WHERE store_id = :store AND first_day >= :first
    AND first_day < :end"""
)
_LAST = sa.text("SELECT max(at_ms) FROM rollups WHERE store_id = :store AND step_ms = :step")

_UNSOLD = (0, 0, None)

Curves = tuple[list[float], list[float]]
"""Mean and 90 % quantile, a day each."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Sums over all stores and SKUs. days: of each store."""

    stores: int
    skus: int
    days: int
    now: Outcome
    then: Outcome


def add_replay(made: argparse.ArgumentParser) -> None:
    """The options of the command."""
    made.add_argument(
        "--days", type=int, default=28, metavar="N", help="days to play, the newest ones (default: 28)"
    )
    made.add_argument("--store", default="", help="one store; without it all")
    made.add_argument("--bundle", type=Path, metavar="DIR", help="forecast anew with this bundle")
    made.add_argument(
        "--public-key", type=Path, metavar="PEM", help="the key that the bundle was signed with"
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    for name, (kind, word, text) in _CHANGES.items():
        made.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=word, help=f"changed: {text}")


def run_replay(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    """Prints both outcomes and their difference. Raises OperatorError when there is nothing to play or to change."""
    from central.ledger.engine import Ledger  # noqa: PLC0415 - other commands need no database

    changes = {name: getattr(arguments, name) for name in _CHANGES if getattr(arguments, name) is not None}
    if not changes and arguments.bundle is None:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in _CHANGES)
        raise OperatorError(f"nothing is changed; give at least one of {options}, --bundle")
    if not 1 <= arguments.days <= 400:
        raise OperatorError(f"--days {arguments.days} must be from 1 to 400")
    models = _models(arguments)
    ledger = Ledger(settings.url)
    try:
        ledger.require()
        with ledger.read.connect() as connection:
            found = replay(connection, settings, changes, arguments.days, arguments.store, models)
    except ValueError as error:
        raise OperatorError(str(error)) from None
    finally:
        ledger.close()
    if found.skus == 0:
        raise OperatorError(
            "no SKU has both sales and forecasts in these days; let gateways send some, or name another --store"
        )
    print(json.dumps(asdict(found)) if arguments.json else table(found))
    return EXIT_OK


def replay(
    connection: Connection, settings: CentralSettings, changes: dict[str, object], days: int, store: str = "",
    models: object | None = None,
) -> Replayed:  # fmt: skip
    """models: a models.inference.Models whose forecasts the changed rule uses; None: the stored forecasts for both."""
    now = then = Outcome()
    stores = skus = 0
    shown = sys.stderr if sys.stderr.isatty() else None
    for row in connection.execute(_STORES, {"store": store}).all():
        stores += 1
        for line, played, anew, opening in _played(
            connection, row.store_id, ZoneInfo(row.timezone), days, models
        ):
            rule = _rule(line, settings)
            skus += 1
            now += play(played, rule, opening)
            then += play(anew, changed(rule, changes), opening)
        if shown is not None:
            print(f"\r{row.store_id}: {skus} SKUs played", end="", file=shown, flush=True)
    if shown is not None:
        print(file=shown)
    return Replayed(stores, skus, days, now, then)


def table(found: Replayed) -> str:
    """For a person: each figure now, with the change, and the difference."""
    names = {
        "orders": "orders", "ordered_units": "units ordered", "ordered_cents": "cost of orders, cents",
        "asked": "orders that wait for a person", "demand_units": "units wanted", "missed_units": "units missed",
        "stock_out_minutes": "stock-out minutes", "wasted_units": "units wasted", "stock_unit_days": "unit-days of stock",
    }  # fmt: skip
    lines = [
        f"{found.skus} SKUs in {found.stores} stores, {found.days} days",
        f"{'':32}{'as it is':>14}{'changed':>14}{'difference':>14}",
    ]
    for name in FIGURES:
        now, then = getattr(found.now, name), getattr(found.then, name)
        lines.append(f"{names[name]:32}{now:>14,}{then:>14,}{then - now:>+14,}")
    return "\n".join(lines)


def _rule(line: SupplyLine, settings: CentralSettings) -> Rule:
    return Rule(
        service_level=line.service_level, lead_time_days=line.lead_time_days, review_days=line.review_days,
        pack_units=line.pack_units, min_order_units=line.min_order_units, max_stock_units=line.max_stock_units,
        shelf_life_days=line.shelf_life_days, cost_cents=line.cost_cents,
        auto_approve_below_cents=settings.auto_approve_below_cents,
    )  # fmt: skip


def _played(
    connection: Connection, store: str, zone: ZoneInfo, n_days: int, models: object | None
) -> Iterator[tuple[SupplyLine, list[PlayedDay], list[PlayedDay], int]]:
    """Each SKU: its supply line, its days as they were forecast, as the other models forecast them, and its opening stock."""
    body = connection.execute(_SUPPLY, {"store": store}).scalar()
    last_ms = connection.execute(_LAST, {"store": store, "step": DAY_MS}).scalar()
    if body is None or last_ms is None:
        return
    end = date.fromisoformat(day_of(int(last_ms), zone))  # the newest day is not over
    dates = [end - timedelta(days=back) for back in range(n_days, 0, -1)]
    facts = _facts(connection, store, zone, dates[0] - timedelta(days=HISTORY_DAYS), end)
    stored = _forecasts(connection, store, dates[0], end)
    lines = {line.sku: line for line in SupplyDocument.from_json(body).lines}
    skus = sorted(sku for sku in lines.keys() & facts.keys() if any((sku, day) in stored for day in dates))
    anew = stored if models is None else _forecast_anew(models, facts, skus, dates)
    for sku in skus:
        opening = next(
            (facts[sku][day][2] for day in dates if day in facts[sku] and facts[sku][day][2] is not None), 0
        )
        yield (
            lines[sku], _days(facts[sku], stored, stored, sku, dates), _days(facts[sku], stored, anew, sku, dates), max(0, opening or 0),
        )  # fmt: skip


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
    connection: Connection, store: str, zone: ZoneInfo, first: date, end: date
) -> dict[str, dict[date, tuple[int, int, int | None]]]:
    """SKU -> day -> (sold units, ms of stock-out, on hand at its end)."""
    found: dict[str, dict[date, tuple[int, int, int | None]]] = {}
    span = {
        "store": store, "step": DAY_MS, "from_ms": day_start_ms(first.isoformat(), zone),
        "to_ms": day_start_ms(end.isoformat(), zone),
    }  # fmt: skip
    for row in connection.execute(_DAYS, span):
        day = date.fromisoformat(day_of(row.at_ms, zone))
        found.setdefault(row.sku, {})[day] = (row.sold_units, row.stock_out_ms, row.on_hand_units)
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
    models: object, facts: dict[str, dict[date, tuple[int, int, int | None]]], skus: list[str], dates: Sequence[date]
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


def _models(arguments: argparse.Namespace) -> object | None:
    if arguments.bundle is None:
        return None
    if arguments.public_key is None:
        raise OperatorError("--public-key is missing; a bundle is only used when its signature holds")
    from models.errors import BundleError  # noqa: PLC0415
    from models.inference import checked_models  # noqa: PLC0415

    try:
        return checked_models(arguments.bundle, arguments.public_key)
    except BundleError as error:
        raise OperatorError(str(error)) from None
