"""`shelfloop central replay`: the ledger's own weeks under a changed rule or bundle, before it is enabled. Reads only."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.replay import FIGURES, Outcome
from central.core.replay_compare import Agreement
from central.ledger.made_orders import MadeOrders
from central.replay_play import replay_store
from central.settings import CentralSettings
from runtime.errors import EXIT_OK, OperatorError

if TYPE_CHECKING:
    from models.inference import Models

_Kind = Callable[[str], object]


def _weekdays(text: str) -> list[int]:
    """`0 3`: Monday and Thursday, as in suppliers' lists."""
    return [int(day) for day in text.split()]


_CHANGES: dict[str, tuple[_Kind, str, str]] = {
    "service_level": (float, "P", "the share of orders after which nothing runs out"),
    "lead_time_days": (int, "N", "days until an order arrives"),
    "review_days": (int, "N", "days between two orders"),
    "pack_units": (int, "N", "units in a pack"),
    "min_order_units": (int, "N", "least units of an order"),
    "max_stock_units": (int, "N", "room for one SKU"),
    "presentation_units": (int, "N", "what the shelf must show"),
    "order_weekdays": (
        _weekdays,
        "DAYS",
        "weekdays on which suppliers take orders, such as '0 3' (0 is Monday)",
    ),
    "cutoff_minute": (int, "N", "minute of the day until which they take them"),
    "delivery_weekdays": (_weekdays, "DAYS", "weekdays on which lorries come"),
    "emergency_lead_days": (int, "N", "days that an order outside the calendar takes"),
    "auto_approve_below_cents": (int, "CENTS", "value from which a person is asked"),
    "auto_approve_from_confidence": (float, "P", "probability of need below which a person is asked"),
    "budget_cents": (int, "CENTS", "of the store and day"),
}

_STORES = sa.text("SELECT store_id, timezone FROM stores WHERE :store IN ('', store_id) ORDER BY store_id")

SIMULATED = (
    "as it is and changed are played: the order graph, calendars, emergency lane, budget and approval that run, on the stored demand,\n"
    "forecasts and opening stock, with the kill-switches, depots' words, late and short loads of these days; packs and lines that were\n"
    "others then, and goods carried from here to other shops, are not in it"
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """Sums over all stores and SKUs. days: of the store that was heard the longest. made: what was really ordered; now and then are simulated."""

    stores: int
    skus: int
    days: int
    now: Outcome
    then: Outcome
    made: MadeOrders
    agreement: Agreement = field(default_factory=Agreement)


def add_replay(made: argparse.ArgumentParser) -> None:
    """The options of the command."""
    made.add_argument(
        "--days", type=int, default=28, metavar="N", help="days to play, the newest ones (default: 28)"
    )
    made.add_argument("--store", default="", help="one store; without it all")
    made.add_argument("--bundle", type=Path, metavar="DIR", help="forecast and order anew with this bundle")
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
    models: "Models | None" = None,
) -> Replayed:  # fmt: skip
    """models: a models.inference.Models whose forecasts the changed rule uses; None: the stored forecasts for both."""
    now = then = Outcome()
    made, agrees = MadeOrders(), Agreement()
    stores = skus = played = 0
    shown = sys.stderr if sys.stderr.isatty() else None
    for row in connection.execute(_STORES, {"store": store}).all():
        stores += 1
        found = replay_store(
            connection, row.store_id, ZoneInfo(row.timezone), changes, days=days, settings=settings, models=models,
        )  # fmt: skip
        skus, now, then = skus + found.skus, now + found.now, then + found.then
        made, agrees = made + found.made, agrees + found.agreement
        played = max(played, len(found.days))
        if shown is not None:
            print(f"\r{row.store_id}: {skus} SKUs played", end="", file=shown, flush=True)
    if shown is not None:
        print(file=shown)
    return Replayed(stores, skus, played, now, then, made, agrees)


def table(found: Replayed) -> str:
    """For a person: each figure now, with the change, and the difference."""
    names = {
        "orders": "orders", "ordered_units": "units ordered", "ordered_cents": "cost of orders, cents",
        "emergencies": "of them emergencies",
        "asked": "orders that wait for a person", "demand_units": "units wanted", "missed_units": "units missed",
        "stock_out_minutes": "stock-out minutes", "wasted_units": "units wasted", "stock_unit_days": "unit-days of stock",
    }  # fmt: skip
    lines = [
        f"{found.skus} SKUs in {found.stores} stores, {found.days} days",
        f"{'':32}{'really made':>14}{'as it is':>14}{'changed':>14}{'difference':>14}",
    ]
    for name in FIGURES:
        now, then = getattr(found.now, name), getattr(found.then, name)
        made = getattr(found.made, name, None)
        really = "" if made is None else f"{made:,}"
        lines.append(f"{names[name]:32}{really:>14}{now:>14,}{then:>14,}{then - now:>+14,}")
    lines += [agreed(found.agreement), SIMULATED]
    return "\n".join(lines)


def agreed(found: Agreement) -> str:
    """How far the play as it is agrees with what was really ordered, and why not."""
    if not found.made:
        return "no order was really made in these days"
    parts = [f"{found.same} of {found.made} real orders come out as they were (within a day and a pack)"]
    if found.quantity:
        parts.append(f"{found.quantity} with another quantity")
    for side, why in (("only really made", found.only_made), ("only played", found.only_played)):
        parts += [f"{count} {side}: {text}" for text, count in sorted(why.items(), key=lambda one: -one[1])]
    return "; ".join(parts)


def _models(arguments: argparse.Namespace) -> "Models | None":
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
