"""GET /v1/mismatch and /v1/stores/{store}/transfers: surplus here, shortage there, and what is carried from shop to shop."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from central.api.gate import FromReaders, TheCentre
from central.api.paging import Limit, StoreFilter
from central.api.stores import StorePath
from central.core.transfers import Mismatch, Transfer
from central.errors import NotFoundError
from central.ledger.sku_views import store_zone
from central.ledger.transfer_views import Shop, names_of, shops, transfers_of
from central.mismatch import LEAST_MISSED_UNITS, Look
from contract.api import Page
from contract.api.transfers import MismatchRegion, MismatchView, TransferOffer, TransferView

router = APIRouter(prefix="/v1", tags=["restock"])
MAX_SUMMED = 16
"""Answers that a look keeps: of each reach, while the shops are the same. Summing a large chain's lines takes tenths of a second."""


@router.get("/mismatch")
def get_mismatch(
    principal: FromReaders, centre: TheCentre, store: StoreFilter = "",
    region: Annotated[str, Query(max_length=80)] = "", sku: Annotated[str, Query(max_length=32)] = "",
    side: Literal["", "missed", "spare"] = "", limit: Limit = 500,
) -> Page[MismatchView]:  # fmt: skip
    """Where goods will be missed and where they are to spare, what is missed most first, with what is worth carrying.

    side: only what is missed, or only what is to spare (most first). From one look over all stores, `at_ms` says when: a
    small chain's is new, a large one's is taken again when twenty times its own length have passed.
    """
    look = centre.mismatch.kept()
    with centre.ledger.read.connect() as connection:
        known = shops(connection)
        lines = [
            line for line in _lines(look, known, principal.of_reach(store), region) if sku in ("", line.sku)
        ]
        if side == "missed":
            lines = [line for line in lines if line.missed_units >= LEAST_MISSED_UNITS]
        elif side == "spare":
            lines = sorted((line for line in lines if line.spare_units), key=lambda line: -line.spare_units)
        names = names_of(connection, [(line.store, line.sku) for line in lines[:limit]])
    rows = [_view(look, line, known, names) for line in lines[:limit]]
    return Page(rows=rows, total=len(lines))


@router.get("/mismatch/regions")
def get_mismatch_regions(principal: FromReaders, centre: TheCentre) -> Page[MismatchRegion]:
    """The map's sums by region, of the stores in reach; what is missed most first."""
    look, reach = centre.mismatch.kept(), principal.of_reach("")
    with centre.ledger.read.connect() as connection:
        known = shops(connection)
    about = (None if reach is None else frozenset(reach), frozenset(known.items()))
    rows = look.summed.get(about)
    if rows is None:
        if len(look.summed) >= MAX_SUMMED:
            look.summed.clear()
        rows = look.summed[about] = _regions(look, known, reach)
    return Page(rows=list(rows), total=len(rows))


@router.get("/stores/{store}/transfers")
def get_transfers(
    store: StorePath, _: FromReaders, centre: TheCentre, limit: Limit = 100
) -> Page[TransferView]:
    """Open transfers, the newest change first. What leaves is reserved: no other store is offered it."""
    with centre.ledger.read.connect() as connection:
        if store_zone(connection, store) is None:
            raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
        return Page(rows=transfers_of(connection, store, limit))


def _regions(look: Look, known: dict[str, Shop], reach: Collection[str] | None) -> tuple[MismatchRegion, ...]:
    sums: dict[tuple[str, str], _Sum] = {}
    for line in _lines(look, known, reach, ""):
        shop = known[line.store]
        total = sums.setdefault((shop.region, shop.currency), _Sum())
        total.add(line, look.offers.get((line.store, line.sku)))
    rows = [
        MismatchRegion(
            region=region, currency=currency, stores=len(total.stores), short_skus=total.short_skus,
            missed_units=round(total.missed_units, 1), spare_skus=total.spare_skus, spare_units=total.spare_units,
            offers=total.offers, offered_units=total.offered_units, net_cents=total.net_cents, at_ms=look.at_ms,
        )
        for (region, currency), total in sums.items()
    ]  # fmt: skip
    rows.sort(key=lambda row: (-row.missed_units, row.region))
    return tuple(rows)


@dataclass(slots=True)
class _Sum:
    stores: set[str] = field(default_factory=set)
    short_skus: int = 0
    missed_units: float = 0.0
    spare_skus: int = 0
    spare_units: int = 0
    offers: int = 0
    offered_units: int = 0
    net_cents: int = 0

    def add(self, line: Mismatch, offer: Transfer | None) -> None:
        self.stores.add(line.store)
        if line.missed_units >= LEAST_MISSED_UNITS:
            self.short_skus += 1
            self.missed_units += line.missed_units
        self.spare_skus += line.spare_units > 0
        self.spare_units += line.spare_units
        if offer is not None:
            self.offers += 1
            self.offered_units += offer.quantity_units
            self.net_cents += offer.net_cents


def _lines(
    look: Look, known: dict[str, Shop], reach: Collection[str] | None, region: str
) -> Iterator[Mismatch]:
    for line in look.lines:
        shop = known.get(line.store)
        if shop is not None and (reach is None or line.store in reach) and region in ("", shop.region):
            yield line


def _view(
    look: Look, line: Mismatch, known: dict[str, Shop], names: dict[tuple[str, str], str]
) -> MismatchView:
    shop, key = known[line.store], (line.store, line.sku)
    offer = look.offers.get(key)
    return MismatchView(
        store=line.store, sku=line.sku, spare_units=line.spare_units, missed_units=round(line.missed_units, 2),
        store_name=shop.name, region=shop.region, currency=shop.currency, name=names.get(key, line.sku),
        offer=None if offer is None else _offer(offer, known), trigger=look.waiting.get(key), at_ms=look.at_ms,
    )  # fmt: skip


def _offer(offer: Transfer, known: dict[str, Shop]) -> TransferOffer:
    giver = known.get(offer.giver)
    return TransferOffer(
        giver=offer.giver, giver_name=offer.giver if giver is None else giver.name,
        quantity_units=offer.quantity_units, distance_km=round(offer.distance_km, 1), net_cents=offer.net_cents,
        against_order_cents=offer.against_order_cents,
    )  # fmt: skip
