"""Stored weeks of a store played twice: as its rules and bundle are, and as they would be changed."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy.engine import Connection

from central.bundle_forecasts import BundleForecasts
from central.core.replay import Outcome, Terms, changed
from central.core.replay_compare import Agreement, MadeOrder, agreement
from central.core.replay_player import Player
from central.core.replay_world import World
from central.core.supplier_calendar import calendar_from
from central.ledger import played_rows, rollout_rows, supplier_rows
from central.ledger.made_orders import MadeOrders, made_by_day, made_list
from central.order_graphs import order_graph_of
from central.played_world import played_world
from central.replay_asking import Asker
from central.settings import CentralSettings
from central.stored_weeks import HORIZON_DAYS, StoredWeeks, stored_weeks
from models.bundle import DEMO_BUNDLE
from models.forecast import Forecast
from models.manifest import MANIFEST_FILE, Manifest
from models.policy.order_graph import OrderGraph, shipped_orders

if TYPE_CHECKING:
    from models.inference import Models

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class DayOutcomes:
    """All played SKUs of one day, simulated as the rules are and as they would be changed; made: what was really ordered."""

    day: str
    now: Outcome
    then: Outcome
    made: MadeOrders


@dataclass(frozen=True, slots=True)
class StoreReplay:
    """skus: played. left_out: beyond the limit, the slowest sellers. agreement: of the real orders with those played as it is."""

    skus: int
    left_out: int
    days: tuple[DayOutcomes, ...]
    agreement: Agreement

    @property
    def now(self) -> Outcome:
        return sum((day.now for day in self.days), Outcome())

    @property
    def then(self) -> Outcome:
        return sum((day.then for day in self.days), Outcome())

    @property
    def made(self) -> MadeOrders:
        return sum((day.made for day in self.days), MadeOrders())


class _DayForecasts(Protocol):
    def of(self, day: date) -> Forecast: ...


def replay_store(
    connection: Connection, store: str, zone: ZoneInfo, changes: Mapping[str, object], *, days: int,
    settings: CentralSettings, models: "Models | None" = None, max_skus: int | None = None,
    pause: Callable[[], None] = lambda: None,
) -> StoreReplay:  # fmt: skip
    """The newest `days` days of one store under both rules. Reads only. Raises ValueError for a change that cannot be.

    models: a bundle's, whose forecasts and order graph the changed side uses; None: those that ran for both. pause: called
    between small steps, so that a caller who shares a process lets others go first.
    """
    weeks = stored_weeks(connection, store, zone, days, max_skus)
    if weeks is None or not weeks.skus:
        return StoreReplay(0, 0 if weeks is None else weeks.left_out, (), Agreement())
    graph, correlation = _what_ran(connection, weeks)
    stored = _StoredForecasts(weeks, correlation)
    terms = _terms(connection, weeks, settings)
    world = played_world(connection, weeks, terms.calendars)
    now = _play(weeks, world, terms, stored, graph, pause)
    other, other_graph = (stored, graph) if models is None else _of_bundle(connection, weeks, models)
    then = _play(weeks, world, changed(terms, changes), other, other_graph, pause)
    made = made_list(connection, weeks.span, weeks.skus)
    by_day = made_by_day(made, weeks.dates, zone)
    return StoreReplay(
        len(weeks.skus), weeks.left_out,
        tuple(
            DayOutcomes(day.isoformat(), before, after, really)
            for day, before, after, really in zip(
                weeks.dates, now.outcomes(), then.outcomes(), by_day, strict=True
            )
        ),
        agreement(_made_orders(weeks, made), now.orders, [weeks.lines[sku].pack_units for sku in weeks.skus]),
    )  # fmt: skip


def _play(
    weeks: StoredWeeks, world: World, terms: Terms, forecasts: "_DayForecasts", graph: OrderGraph,
    pause: Callable[[], None],
) -> Player:  # fmt: skip
    player = Player(
        terms, list(weeks.shelves()), weeks.coming, weeks.people, weeks.zone, weeks.delivery_ms, world
    )
    asker = Asker(graph, with_confidence=terms.auto_approve_from_confidence > 0, pause=pause)
    presentation = [terms.lines[sku].presentation_units for sku in weeks.skus]
    for number, day in enumerate(weeks.dates):
        asker.take(forecasts.of(day), weeks.told[number].is_known)
        hours = weeks.hours[number]
        enough = asker.enough_units(player.windows_days(day, hours[0].start_ms), presentation)
        asks = player.begin_day(day, hours[0].start_ms, enough)
        player.answered(*asker.answered(asks), hours[0].start_ms)
        for hour in hours:
            asks = player.hour(hour)
            if asks:
                player.answered(*asker.answered(asks), hour.start_ms + HOUR_MS - 1)
        player.end_day()
        pause()
    return player


@dataclass(frozen=True, slots=True)
class _StoredForecasts:
    weeks: StoredWeeks
    correlation: float

    def of(self, day: date) -> Forecast:
        told = self.weeks.told[(day - self.weeks.dates[0]).days]
        spread = np.repeat(told.dispersion[:, None], HORIZON_DAYS, axis=1).astype(np.float32)
        return Forecast(day, told.mean.astype(np.float32), spread, self.correlation, self.weeks.bundle)


def _of_bundle(
    connection: Connection, weeks: StoredWeeks, models: "Models"
) -> tuple[BundleForecasts, OrderGraph]:
    if models.orders is None:
        raise ValueError(f"the bundle {models.name} has no order graph: train it with this version")
    return BundleForecasts(connection, weeks, models), models.orders


def _terms(connection: Connection, weeks: StoredWeeks, settings: CentralSettings) -> Terms:
    used = {weeks.lines[sku].supplier for sku in weeks.skus}
    return Terms(
        lines=weeks.lines,
        calendars={
            name: calendar_from(put) for name, put, _ in supplier_rows.all_suppliers(connection) if name in used
        },
        auto_approve_below_cents=settings.auto_approve_below_cents,
        auto_approve_from_confidence=settings.auto_approve_from_confidence,
        budget_cents=played_rows.budget_cents(connection, weeks.store),
        expiry_ms=settings.trigger_expiry_h * HOUR_MS,
    )  # fmt: skip


def _what_ran(connection: Connection, weeks: StoredWeeks) -> tuple[OrderGraph, float]:
    """The order graph of the newest proposals, this release's where it is not kept here; and how days hang together in its bundle."""
    files = rollout_rows.files_of(connection, weeks.bundle)
    newest = ""
    for row in played_rows.proposals(connection, weeks.span, weeks.skus[:200]):
        newest = str(json.loads(row.body).get("order_graph") or newest)
    graph = order_graph_of(newest, files) if newest else None
    return graph or shipped_orders(), _correlation(weeks.bundle, files)


def _correlation(bundle: str, files: list[str]) -> float:
    manifests = (
        [(DEMO_BUNDLE / MANIFEST_FILE).read_bytes()] if (DEMO_BUNDLE / MANIFEST_FILE).is_file() else []
    )
    manifests += [base64.b64decode(found) for text in files if (found := json.loads(text).get(MANIFEST_FILE))]
    read = [Manifest.from_json(text) for text in manifests]
    named = [one for one in read if f"{one.name}@{one.version}" == bundle]
    return (named or read)[-1].correlation if read else 0.0


def _made_orders(weeks: StoredWeeks, made: list[Any]) -> list[MadeOrder]:
    index_of = {sku: index for index, sku in enumerate(weeks.skus)}
    starts = [hours[0].start_ms for hours in weeks.hours]
    return [
        MadeOrder(
            index_of[row.sku], int(np.searchsorted(starts, row.at_ms, side="right")) - 1, row.quantity_units,
            row.on_hand_units, is_by_hand=row.by_hand, was_asked=bool(row.doubt),
            other_pack=row.pack_units not in (None, weeks.lines[row.sku].pack_units),
        )
        for row in made
    ]  # fmt: skip
