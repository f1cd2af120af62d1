"""From shop to shop: where goods will be missed, where they are to spare, and what is worth carrying."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from contract.api.common import Page
from contract.api.transfers import MismatchRegion, MismatchView
from hq.charts.balance import balance_svg
from hq.desk import Desk
from hq.pages.frame import figures, frame, section
from hq.pages.live import Live
from hq.pages.restock_tabs import restock_tabs
from hq.pages.table import Column, DataTable, Row, cell
from hq.scope import Scope
from hq.words import UNKNOWN, ago, counted, money, number

_REGIONS = [
    Column("region", "Region"),
    Column("balance", "Missed and to spare", sortable=False),
    Column("missed", "Will be missed", numeric=True),
    Column("spare", "To spare", numeric=True),
    Column("offers", "Worth carrying", numeric=True),
    Column("worth", "Worth after the trips", numeric=True),
]
_SHORT = [
    Column("sku", "SKU"),
    Column("shop", "Shop"),
    Column("missed", "Will be missed", numeric=True),
    Column("from", "From within reach", wide=True),
    Column("worth", "Worth after the trip", numeric=True),
]
_SPARE = [Column("sku", "SKU"), Column("shop", "Shop"), Column("spare", "To spare", numeric=True)]


@dataclass(frozen=True, slots=True)
class Seen:
    """short, spare: the leading lines; the regions' sums are of all. is_shop: one shop is looked at."""

    regions: list[MismatchRegion]
    short: Page[MismatchView]
    spare: Page[MismatchView]
    now_ms: int
    is_shop: bool = False


def register(desk: Desk) -> None:
    @ui.page("/restock/transfers")
    def transfers_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "restock", "Shop to shop", chosen):
            restock_tabs(chosen, "/restock/transfers")
            Live(lambda: _load(desk, chosen), lambda _: _build(), max(desk.refresh_s, 5.0), skeleton_rows=8)


async def _load(desk: Desk, scope: Scope) -> Seen:
    central, region = desk.central, scope.name if scope.kind == "region" else ""
    regions, short, spare, health = await asyncio.gather(
        central.mismatch_regions(),
        central.mismatch("missed", scope.store, region),
        central.mismatch("spare", scope.store, region),
        central.health(),
    )
    shown = [row for row in regions.rows if region in ("", row.region)]
    return Seen(shown, short, spare, health.now_ms, is_shop=bool(scope.store))


def _build() -> Callable[[Seen], None]:
    with section("Now"):
        show = figures(
            [
                ("missed", "Will be missed"),
                ("spare", "To spare"),
                ("offers", "Worth carrying"),
                ("looked", "Looked at"),
            ]
        )
    with section("By region", "units missed before the next delivery, and units beyond a shop's own need"):
        regions = DataTable(_REGIONS, empty="No shop misses or spares anything.", page_rows=25)
    with section(
        "Shortages", "until the shop's next delivery; a transfer is proposed where it beats an order"
    ):
        short = DataTable(
            _SHORT,
            empty="Nothing will be missed: stock and orders cover what is expected.",
            filtered="Filter by SKU or shop",
            page_rows=25,
            sort=("missed", True),
        )
        more = ui.label().classes("panel-note")
    with section("Surplus", "above the 90 % quantile of the shop's own demand until its next delivery"):
        spare = DataTable(
            _SPARE,
            empty="No shop has more than it needs.",
            filtered="Filter by SKU or shop",
            page_rows=25,
            sort=("spare", True),
        )

    def update(seen: Seen) -> None:
        show(figures_of(seen))
        most = max((max(row.missed_units, row.spare_units) for row in seen.regions), default=0.0)
        regions.set_rows([region_row(row, most) for row in seen.regions])
        short.set_rows([short_row(row) for row in seen.short.rows])
        spare.set_rows([_spare_row(row) for row in seen.spare.rows])
        left = (seen.short.total or 0) - len(seen.short.rows)
        more.set_text(
            f"{number(left)} more that miss less; choose a region or a shop above." if left > 0 else ""
        )

    return update


def figures_of(seen: Seen) -> dict[str, tuple[str, str]]:
    """Of the regions in scope; of one shop's lines where a shop is chosen. Money only where it is of one currency."""
    if seen.is_shop:
        missed, spare = (
            sum(row.missed_units for row in seen.short.rows),
            sum(row.spare_units for row in seen.spare.rows),
        )
        short_skus, spare_skus = seen.short.total, seen.spare.total
        worths = [(row.currency, row.offer.net_cents) for row in seen.short.rows if row.offer is not None]
        offers = len(worths)
    else:
        missed, spare = (
            sum(row.missed_units for row in seen.regions),
            sum(row.spare_units for row in seen.regions),
        )
        short_skus, spare_skus = (
            sum(row.short_skus for row in seen.regions),
            sum(row.spare_skus for row in seen.regions),
        )
        worths = [(row.currency, row.net_cents) for row in seen.regions if row.offers]
        offers = sum(row.offers for row in seen.regions)
    currencies = {currency for currency, _ in worths}
    worth = sum(cents for _, cents in worths)
    looked = [row.at_ms for row in (*seen.short.rows, *seen.spare.rows)]
    return {
        "missed": (
            number(missed),
            f"units of {counted(short_skus, 'SKU in a shop', 'SKUs in shops')}",
        ),
        "spare": (
            number(spare),
            f"units of {counted(spare_skus, 'SKU in a shop', 'SKUs in shops')}",
        ),
        "offers": (number(offers), money(worth, currencies.pop()) if len(currencies) == 1 else ""),
        "looked": (ago(min(looked), seen.now_ms) if looked else UNKNOWN, "all shops at once"),
    }


def region_row(row: MismatchRegion, most_units: float) -> Row:
    return {
        "id": f"{row.region}/{row.currency}",
        "region": cell(row.region or "no region", sub=counted(row.stores, "shop")),
        "balance": cell("", svg=balance_svg(row.missed_units, row.spare_units, most_units)),
        "missed": cell(number(row.missed_units), row.missed_units, sub=counted(row.short_skus, "line")),
        "spare": cell(number(row.spare_units), row.spare_units, sub=counted(row.spare_skus, "line")),
        "offers": cell(number(row.offers), row.offers, sub=counted(row.offered_units, "unit")),
        "worth": cell(money(row.net_cents, row.currency), row.net_cents),
    }


def short_row(row: MismatchView) -> Row:
    offer = row.offer
    if offer is not None:
        against = offer.against_order_cents
        beside = (
            "there is no faster order"
            if against is None
            else f"{money(against, row.currency)} better than an order outside the calendar"
        )
        source = cell(
            f"{counted(offer.quantity_units, 'unit')} from {offer.giver_name}, {number(offer.distance_km)} km",
            sub=beside,
        )
    elif row.trigger is not None:
        source = cell("a transfer is open", href=f"/restock?find={quote(row.sku)}", sub=row.trigger)
    else:
        source = cell(UNKNOWN, sub="nothing within reach is worth its trip")
    return {
        "id": f"{row.store}/{row.sku}",
        **_what(row),
        "missed": cell(number(row.missed_units, 1), row.missed_units),
        "from": source,
        "worth": cell(
            UNKNOWN if offer is None else money(offer.net_cents, row.currency),
            -1 if offer is None else offer.net_cents,
        ),
    }


def _spare_row(row: MismatchView) -> Row:
    return {
        "id": f"{row.store}/{row.sku}",
        **_what(row),
        "spare": cell(number(row.spare_units), row.spare_units),
    }


def _what(row: MismatchView) -> Row:
    return {
        "sku": cell(row.name, href=f"/shops/{quote(row.store)}/skus/{quote(row.sku)}", sub=row.sku),
        "shop": cell(row.store_name, href=f"/shops/{quote(row.store)}", sub=row.region),
    }
