"""What changes in a store's assortment at a date: listings, delistings, packs, GTINs. Applied once, when the date has come."""

from central import desired_state, repacking, trigger_moves
from central.context import Work
from central.core.days import utc_text
from central.core.vouched import ITEMS, LISTING
from central.errors import NotFoundError
from central.ledger import note_rows, store_rows
from central.store_loading import load_items, load_listings
from contract.api.deliveries import AssortmentChange, AssortmentPost
from contract.api.stores import ItemsPut
from contract.documents import Item, ItemsDocument


def take_changes(work: Work, post: AssortmentPost, who: str) -> tuple[int, list[str]]:
    """(how many are new or other than before, why each of the others was refused). The same again changes nothing."""
    store = work.store
    if not store.exists:
        raise NotFoundError(f"store {store.store} is unknown; put it with PUT /v1/stores/{store.store} first")
    taken, refused = 0, []
    for place, change in enumerate(post.changes, 1):
        problem = _problem(work, change)
        if problem:
            refused.append(f"change {place}: {problem}")
            continue
        known = note_rows.known_change(work.connection, store.store, change)
        wanted = {name: getattr(change, name) for name in ("pack_units", "min_order_units", "gtin")}
        if known is not None and {name: known[name] for name in wanted} == wanted:
            continue
        if known is not None and known["applied"]:
            refused.append(f"change {place}: it is in force with other values; send one with a later from_ms")
            continue
        note_rows.put_change(work.connection, store.store, change, work.now_ms)
        work.will_vouch(LISTING, change.sku, change.change, str(change.from_ms))
        words = f"from {utc_text(change.from_ms)} on"
        work.audit(
            who, f"assortment-{change.change}", change.sku, words, about=change.model_dump(mode="json")
        )
        taken += 1
    load_listings(work.connection, store)
    apply_due(work)
    return taken, refused


def apply_due(work: Work) -> None:
    """Brings what is in force by now into items, supply and open orders."""
    store = work.store
    changes = note_rows.changes_due(work.connection, store.store, work.now_ms)
    gtins = [change for change in changes if change.change == "gtin"]
    for change in changes:
        if change.change == "pack":
            _set_pack(work, change)
        elif change.change == "delist":
            trigger_moves.withdraw_unsent(work, change.sku, store.why_unlisted(change.sku, work.now_ms))
        note_rows.change_applied(work.connection, store.store, change)
        work.will_vouch(LISTING, change.sku, change.change, str(change.from_ms))
        work.audit("the centre", f"{change.change}-applied", change.sku, _words(change))
    if gtins:
        _set_gtins(work, gtins)


def _problem(work: Work, change: AssortmentChange) -> str:
    if not store_rows.has_item(work.connection, work.store.store, change.sku):
        return f"store {work.store.store} has no SKU {change.sku!r}; put its items first"
    if change.change == "pack" and change.sku not in work.store.supply:
        return f"SKU {change.sku} has no supply line; PUT /v1/stores/{work.store.store}/supply first"
    owner = (
        next((sku for sku, gtins in _gtins(work).items() if change.gtin in gtins), None)
        if change.gtin
        else None
    )
    if owner not in (None, change.sku):
        return f"GTIN {change.gtin} is SKU {owner}'s; take it off there first"
    return ""


def _gtins(work: Work) -> dict[str, list[str]]:
    return {item.sku: item.gtins for item in _items(work)}


def _items(work: Work) -> list[Item]:
    text = desired_state.document_text(work, "items")
    return [] if text is None else ItemsDocument.from_json(text).items


def _set_pack(work: Work, change: AssortmentChange) -> None:
    line = work.store.supply.get(change.sku)
    if line is None:
        return  # the supply list was put again without it: nothing is ordered
    least = line.min_order_units if change.min_order_units is None else change.min_order_units
    work.store.supply[change.sku] = line.model_copy(
        update={"pack_units": change.pack_units, "min_order_units": least}
    )
    desired_state.vouch_for_supply(work)
    repacking.repack_unsent(work, change.sku)
    work.supply_changed = True


def _set_gtins(work: Work, changes: list[AssortmentChange]) -> None:
    """The new one stands first: orders name it. Both scan, as long as goods with the old one are about."""
    by_sku = {change.sku: change.gtin for change in changes if change.gtin is not None}
    items = []
    for item in _items(work):
        gtin = by_sku.get(item.sku)
        gtins = item.gtins if gtin is None else [gtin, *(old for old in item.gtins if old != gtin)][:20]
        items.append(item.model_copy(update={"gtins": gtins}))
    store_rows.put_items(work.connection, work.store.store, items)
    work.vouch_for_list(ITEMS)
    load_items(work.connection, work.store)
    desired_state.put_document(work, "items", ItemsPut(items=items).model_dump_json())


def _words(change: AssortmentChange) -> str:
    if change.change == "pack":
        return f"packs of {change.pack_units}"
    return f"GTIN {change.gtin}" if change.change == "gtin" else ""
