"""Desired-state documents: which version a store has, what is newer than a gateway's, and what changes them.

A document's text is its content with `"kind":…,"version":…` appended: large ones are compared and sent without being parsed.
"""

import json
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central import summing
from central.context import Work
from central.core.days import day_after, day_of, day_start_ms, days_between
from central.core.rollups import DAY_MS, STORE_TOTAL
from central.core.vouched import DERIVED_DOCUMENTS, DOCUMENT, SUPPLY, about_supply
from central.ledger import rollout_rows, store_rows, transfer_rows
from central.store_memory import OnItsWay
from contract.documents import MAX_ON_ORDER, DocumentKind, OnOrder

ASKED_FOR = frozenset({DocumentKind.CALENDAR.value})
"""Kinds that only a gateway that names them in `have` gets, be it with 0: earlier ones would put them into quarantine with each reply."""
MAX_HISTORY_DAYS = 400
SLOT_DAYS = 35
"""Cut-offs that a gateway is told ahead: it may be cut off for weeks, and falls back on the line's lead time after that."""

_BODY = sa.text("SELECT body FROM documents WHERE store_id = :store AND kind = :kind")
_SOLD = sa.text(
    """SELECT sku, at_ms, sold_units, stock_out_ms FROM rollups WHERE store_id = :store AND step_ms = :step AND at_ms >= :from_ms
    AND at_ms < :to_ms"""
)
_HOURS = sa.text("SELECT hours FROM stores WHERE store_id = :store")


def put_document(work: Work, kind: str, content: str) -> int:
    """Makes `content`, a JSON object with at least one field, the newest document. Equal content keeps its version."""
    known = work.store.versions.get(kind)
    if known is not None and _body(work, kind) == text_of(kind, content, known):
        return known
    return _write(work, kind, content, 1 if known is None else known + 1)


def put_models(work: Work, content: str) -> int:
    """The `models` document; the bundles that it names come with it to a gateway that lacks them."""
    work.store.bundles = _bundles_in(content)
    return put_document(work, "models", content)


def refresh_supply(work: Work) -> int:
    """Writes what is on order now into the supply document. Returns its version, 0 when there is none."""
    work.supply_changed = False
    store = work.store
    if not store.supply and "supply" not in store.versions:
        return 0
    on_order, leaving = store.on_order_by_sku(), transfer_rows.leaving_units(work.connection, store.store)
    lines = [
        line.model_copy(
            update=_on_order(work, on_order.get(line.sku, []), line.lead_time_days)
            | {"leaving_units": leaving.get(line.sku, 0)}
        )
        .to_json()
        .decode()
        for line in store.supply.values()
    ]
    slots = json.dumps(_slots(work))
    return put_document(work, "supply", f'{{"lines":[{",".join(lines)}],"slots":{slots}}}')


def vouch_for_supply(work: Work) -> None:
    """Call it when people have changed the lines' terms: the document itself changes with each order, too."""
    work.audit("the centre", DOCUMENT, SUPPLY, about=about_supply(work.store.supply.values()))


def _on_order(work: Work, parts: list[OnItsWay], lead_time_days: int) -> dict[str, object]:
    """By expected day. The last one has the rest."""
    by_day: dict[str, int] = {}
    for part in parts:
        day = part.arrives_day or _expected_day(work, part, lead_time_days)
        by_day[day] = by_day.get(day, 0) + part.units
    days = sorted(by_day.items())
    told, rest = days[: MAX_ON_ORDER - 1], days[MAX_ON_ORDER - 1 :]
    if rest:
        told.append((rest[0][0], sum(units for _, units in rest)))
    return {
        "on_order_units": min(sum(by_day.values()), 100_000),
        "on_order": [OnOrder(day=day, units=min(units, 100_000)) for day, units in told if units > 0],
    }


def _expected_day(work: Work, part: OnItsWay, lead_time_days: int) -> str:
    """By the supplier's calendar or its emergency lane, else the line's lead time after the order."""
    calendar = work.memory.calendar_of(work.connection, part.supplier) if part.supplier else None
    if calendar is not None and part.kind == "restock":
        cutoff_ms = calendar.next_cutoff_ms(part.at_ms)
        return calendar.delivery_day(part.at_ms if cutoff_ms is None else cutoff_ms).isoformat()
    if calendar is not None and part.kind == "emergency" and calendar.emergency_lead_days is not None:
        lead_time_days = calendar.emergency_lead_days
    return _days_later(day_of(part.at_ms, work.store.zone), lead_time_days)


def _days_later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _slots(work: Work) -> dict[str, list[dict[str, object]]]:
    """Of suppliers that have a calendar: the cut-offs of the next SLOT_DAYS days and what arrives when."""
    found: dict[str, list[dict[str, object]]] = {}
    for supplier in sorted({line.supplier for line in work.store.supply.values()}):
        calendar = work.memory.calendar_of(work.connection, supplier)
        slots: list[dict[str, object]] = []
        at_ms = work.now_ms
        while calendar is not None and len(slots) < SLOT_DAYS:
            cutoff_ms = calendar.next_cutoff_ms(at_ms)
            if cutoff_ms is None or cutoff_ms > work.now_ms + SLOT_DAYS * DAY_MS:
                break
            until_ms = cutoff_ms - calendar.freeze_min * 60_000
            slots.append({"until_ms": until_ms, "arrives_day": calendar.delivery_day(cutoff_ms).isoformat()})
            at_ms = until_ms
        if slots:
            found[supplier] = slots
    return found


def newer_than(work: Work, have: dict[str, int]) -> tuple[bytes, ...]:
    """The documents that a gateway with the versions `have` lacks.

    A gateway that is ahead of the centre (whose ledger was lost) gets ours with a version above its own.
    """
    found = []
    for kind, version in list(work.store.versions.items()):
        theirs = have.get(kind, 0)
        if theirs == version or (kind in ASKED_FOR and kind not in have):
            continue
        if theirs > version:
            _write(work, kind, _content(kind, _body(work, kind), version), theirs + 1)
        body = _body(work, kind)
        is_new_gateway = kind == DocumentKind.HISTORY and theirs == 0
        found.append((_history_until_now(work, body) if is_new_gateway else body).encode())
    found.extend(_missing_bundles(work, have))
    return tuple(found)


def _missing_bundles(work: Work, have: dict[str, int]) -> list[bytes]:
    """A gateway says `bundle:{sha256}` of those that it has, or has refused. One a reply: they are large."""
    store = work.store
    if DocumentKind.MODELS not in store.versions:
        return []
    if store.bundles is None:
        store.bundles = _bundles_in(_body(work, DocumentKind.MODELS))
    for sha256 in store.bundles:
        if f"bundle:{sha256}" not in have:
            text = rollout_rows.bundle_document(work.connection, sha256)
            return [] if text is None else [text.encode()]
    return []


def _bundles_in(content: str) -> tuple[str, ...]:
    wanted = json.loads(content)
    return tuple(ref["sha256"] for ref in (wanted["current"], wanted["candidate"]) if ref)


def document_text(work: Work, kind: str) -> str | None:
    """The newest document of `kind` as gateways get it; None when there is none."""
    return _body(work, kind) if kind in work.store.versions else None


def _body(work: Work, kind: str) -> str:
    return str(work.connection.execute(_BODY, {"store": work.store.store, "kind": kind}).scalar())


def text_of(kind: str, content: str, version: int) -> str:
    """The document as gateways get it. content: its other fields, a JSON object with at least one."""
    return f'{content[:-1]},"kind":"{kind}","version":{version}}}'


def _content(kind: str, body: str, version: int) -> str:
    return body.removesuffix(f',"kind":"{kind}","version":{version}}}') + "}"


def _write(work: Work, kind: str, content: str, version: int) -> int:
    text = text_of(kind, content, version)
    store_rows.put_document(work.connection, work.store.store, kind, version, text)
    work.store.versions[kind] = version
    if kind != SUPPLY and kind not in DERIVED_DOCUMENTS:
        work.vouch_for_document(kind, text)
    return version


def _history_until_now(work: Work, body: str) -> str:
    """The imported history with the ledger's own sales appended: what a gateway that lost its database needs."""
    store = work.store
    document = json.loads(body)
    first, today = document["first_live_day"], day_of(work.now_ms, store.zone)
    days = min(days_between(first, today), MAX_HISTORY_DAYS)
    if days <= 0:
        return body
    begin = day_after(today, -days)
    summing.sum_up(work)
    known = _known_days(
        work.connection, store.store, day_start_ms(begin, store.zone), day_start_ms(today, store.zone)
    )
    dates = [day_after(begin, step) for step in range(days)]
    starts = [day_start_ms(day, store.zone) for day in dates]
    # A day without any receipt was not heard, which is not the same as sold nothing.
    heard = [(STORE_TOTAL, start) in known for start in starts]
    if not any(heard):
        return body
    open_ms = _open_ms(work.connection, store.store)
    rows = {row["sku"]: row for row in document["rows"]}
    for sku in {sku for sku, _ in known if sku in store.items}:
        rows.setdefault(sku, {"sku": sku, "units": []})
    appended = []
    for sku, row in rows.items():
        told = [known.get((sku, start), (0, 0)) for start in starts]
        units = [max(sold, 0) if ok else None for (sold, _), ok in zip(told, heard, strict=True)]
        served = [
            _served_percent(out_ms, open_ms.get(date.fromisoformat(day).weekday(), 0))
            for (_, out_ms), day in zip(told, dates, strict=True)
        ]
        shares = ((row.get("served_percent") or []) + served)[-MAX_HISTORY_DAYS:]
        one = {"sku": sku, "units": (row["units"] + units)[-MAX_HISTORY_DAYS:]}
        appended.append(one | ({"served_percent": shares} if any(s is not None for s in shares) else {}))
    return json.dumps({**document, "first_live_day": today, "rows": appended}, separators=(",", ":"))


def _served_percent(stock_out_ms: int, open_ms: int) -> int | None:
    """Of a day's opening time, how much the shelf was filled; None where it always was, or the hours are not known."""
    if stock_out_ms <= 0 or open_ms <= 0:
        return None
    return round(100 * max(0.0, 1 - stock_out_ms / open_ms))


def _open_ms(connection: Connection, store: str) -> dict[int, int]:
    """Opening time of each weekday, 0 is Monday."""
    text = connection.execute(_HOURS, {"store": store}).scalar()
    return {
        each["weekday"]: max(0, each["closes_minute"] - each["opens_minute"]) * 60_000
        for each in json.loads(text or "[]")
    }


def _known_days(
    connection: Connection, store: str, from_ms: int, to_ms: int
) -> dict[tuple[str, int], tuple[int, int]]:
    """(SKU, day's start) -> units sold, and opening time with an empty shelf."""
    rows = connection.execute(_SOLD, {"store": store, "step": DAY_MS, "from_ms": from_ms, "to_ms": to_ms})
    return {(row.sku, row.at_ms): (row.sold_units, row.stock_out_ms) for row in rows}
