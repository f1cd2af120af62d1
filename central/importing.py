"""Takes the good rows of an item or supplier file into the ledger; the same file again changes nothing."""

import hashlib

from central import desired_state
from central.context import Work
from central.core.masters import Good, Read
from central.core.vouched import ITEMS, SUPPLIER, SUPPLIER_ARRIVALS
from central.errors import NotFoundError, SenderError
from central.ledger import store_rows, supplier_rows, supplier_stock
from central.store_loading import load_items, load_prices
from contract.api.masters import MAX_PROBLEMS, ImportReport, RowProblem
from contract.api.stores import ItemsPut
from contract.api.suppliers import Arriving, SupplierPut
from contract.documents import Item, ItemsDocument

MAX_ARRIVALS = 200_000
"""Of one supplier: some weeks of all its SKUs."""
MAX_ITEMS = 50_000
"""Of a store's list. Source: contract.documents.ItemsDocument."""


def import_items(work: Work, read: Read[Item], who: str) -> ImportReport:
    """Adds and changes items of the store's list; those that the file does not name stay. Raises NotFoundError, SenderError."""
    store = work.store
    if not store.exists:
        raise NotFoundError(f"store {store.store} is unknown; put it with PUT /v1/stores/{store.store} first")
    text = desired_state.document_text(work, "items")
    known = {} if text is None else {item.sku: item for item in ItemsDocument.from_json(text).items}
    problems = list(read.problems)
    good = _without_taken_gtins(read.good, known, problems)
    added = sum(row.key not in known for row in good)
    changed = sum(row.key in known and known[row.key] != row.value for row in good)
    merged = known | {row.key: row.value for row in good}
    if len(merged) > MAX_ITEMS:
        raise SenderError(f"the store's list would have {len(merged)} items; at most {MAX_ITEMS}")
    version = store.versions.get("items")
    if added or changed:
        items = list(merged.values())
        store_rows.put_items(work.connection, store.store, items)
        work.vouch_for_list(ITEMS)
        load_items(work.connection, store)
        load_prices(work.connection, store)
        content = ItemsPut(items=items).model_dump_json()
        version = desired_state.put_document(work, "items", content)
        digest = {"version": version, "sha256": hashlib.sha256(content.encode()).hexdigest()}
        work.audit(who, "import-items", store.store, f"{added} new, {changed} changed", about=digest)
    return _report(read, good, problems, added, changed, version)


def import_suppliers(work: Work, read: Read[SupplierPut], who: str) -> ImportReport:
    """Adds and changes suppliers; those that the file does not name stay. Each that changes is an entry of the audit."""
    added = changed = 0
    for row in read.good:
        known = supplier_rows.supplier(work.connection, row.key)
        if known is not None and known[0] == row.value:
            continue
        added, changed = added + (known is None), changed + (known is not None)
        supplier_rows.put_supplier(work.connection, row.key, row.value, work.now_ms)
        work.audit(who, "put-supplier", row.key, "by file", about=row.value.model_dump(mode="json"))
        work.vouch_for_row(SUPPLIER, row.key)
    if added or changed:
        work.memory.calendars.clear()
    return _report(read, read.good, list(read.problems), added, changed, None)


def import_arrivals(work: Work, supplier: str, read: Read[Arriving], who: str) -> ImportReport:
    """Adds and changes what a supplier expects; what the file does not name stays. Raises NotFoundError."""
    if supplier_rows.supplier(work.connection, supplier) is None:
        raise NotFoundError(f"supplier {supplier} is unknown; PUT /v1/suppliers/{supplier} first")
    rows, _ = supplier_stock.arrivals(work.connection, supplier, MAX_ARRIVALS)
    known = {(row.sku, row.day): row.units for row in rows}
    good = [row.value for row in read.good]
    added = sum((row.sku, row.day) not in known for row in good)
    changed = sum(known.get((row.sku, row.day), row.units) != row.units for row in good)
    if len(known) + added > MAX_ARRIVALS:
        raise SenderError(f"{supplier} would expect {len(known) + added} loads; at most {MAX_ARRIVALS}")
    if added or changed:
        supplier_stock.put_arrivals(work.connection, supplier, good, replaces=False)
        work.audit(who, "put-arrivals", supplier, f"by file: {added} new, {changed} changed")
        work.vouch_for_list(SUPPLIER_ARRIVALS, supplier)
    return _report(read, read.good, list(read.problems), added, changed, None)


def _without_taken_gtins(
    rows: tuple[Good[Item], ...], known: dict[str, Item], problems: list[RowProblem]
) -> tuple[Good[Item], ...]:
    """The rows whose GTINs no other SKU of the store keeps. A refused row keeps what it had, which may refuse another."""
    good = {row.key: row for row in rows}
    while True:
        owner = {gtin: sku for sku, item in known.items() if sku not in good for gtin in item.gtins}
        refused = [row for row in good.values() if any(gtin in owner for gtin in row.value.gtins)]
        if not refused:
            return tuple(good.values())
        for row in refused:
            gtin = next(gtin for gtin in row.value.gtins if gtin in owner)
            what = f"GTIN {gtin} is SKU {owner[gtin]}'s; take it off there first, or in the same file"
            problems.append(RowProblem(line=row.line, column="gtins", what=what))
            del good[row.key]


def _report(
    read: Read[Item] | Read[SupplierPut] | Read[Arriving],
    good: tuple[Good[Item], ...] | tuple[Good[SupplierPut], ...] | tuple[Good[Arriving], ...],
    problems: list[RowProblem],
    added: int,
    changed: int,
    version: int | None,
) -> ImportReport:
    problems.sort(key=lambda problem: problem.line)
    return ImportReport(
        rows=read.rows, added=added, changed=changed, unchanged=len(good) - added - changed,
        rejected_total=read.rows - len(good), rejected=problems[:MAX_PROBLEMS], version=version,
    )  # fmt: skip
