"""Delivery notes and changes of the assortment: what systems outside know first."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.engine import Connection

from central import assortment, deliveries
from central.api.gate import FromReaders, FromStoreSystem, TheCentre
from central.api.paging import Limit
from central.errors import NotFoundError
from central.ledger import note_rows, store_rows
from contract.api import Accepted, Page
from contract.api.deliveries import AssortmentPost, AssortmentView, DeliveryLineView, DeliveryNote
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["deliveries"])

StorePath = Annotated[str, Path(pattern=ID_PATTERN)]
MAX_SHOWN = 100


@router.post("/deliveries")
def post_delivery(note: DeliveryNote, principal: FromStoreSystem, centre: TheCentre) -> Accepted:
    """Goods that arrived at a store whose dock does not scan, or before it does. accepted: new lines, 0 when the note is known."""
    principal.require_store(note.store)
    is_new = centre.call_store(note.store, lambda work: deliveries.take_note(work, note, principal.name))
    return Accepted(accepted=len(note.lines) if is_new else 0)


@router.get("/stores/{store}/deliveries")
def get_deliveries(
    store: StorePath, _: FromReaders, centre: TheCentre, limit: Limit = 100
) -> Page[DeliveryLineView]:
    """Lines of the newest notes, and whether the store's gateway has them in its books."""
    with centre.ledger.read.connect() as connection:
        _require_known(connection, store)
        return Page(rows=note_rows.note_lines(connection, store, limit))


@router.post("/stores/{store}/assortment")
def post_assortment(
    store: StorePath, post: AssortmentPost, principal: FromStoreSystem, centre: TheCentre
) -> Accepted:
    """Listings, delistings, packs and GTINs with their dates. One that cannot be is refused, the others are taken."""
    taken, refused = centre.call_store(
        store, lambda work: assortment.take_changes(work, post, principal.name)
    )
    return Accepted(accepted=taken, rejected=refused[:MAX_SHOWN])


@router.get("/stores/{store}/assortment")
def get_assortment(
    store: StorePath, _: FromReaders, centre: TheCentre, limit: Limit = 100
) -> Page[AssortmentView]:
    """Changes to come and in force, newest date first."""
    with centre.ledger.read.connect() as connection:
        _require_known(connection, store)
        return Page(rows=note_rows.assortment_views(connection, store, limit))


def _require_known(connection: Connection, store: str) -> None:
    """Raises NotFoundError for a store that nobody put: an empty list would read as one that got nothing."""
    if not store_rows.exists(connection, store):
        raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
