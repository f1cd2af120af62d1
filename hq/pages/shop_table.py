"""The list of shops, on the overview and on the page of shops."""

from collections import defaultdict
from urllib.parse import quote

from contract.api.stores import Overview, StoreView
from hq.charts.sparkline import sparkline_svg
from hq.pages.table import Column, Row, cell
from hq.words import UNKNOWN, money, number, span

LATE_MS = 90 * 60_000
"""A gateway whose newest data and watermark are both older than this is worth a look."""

COLUMNS = [
    Column("name", "Shop"),
    Column("week", "Last 7 days", sortable=False),
    Column("sold", "Sold today", numeric=True),
    Column("receipts", "Receipts", numeric=True),
    Column("out", "Out of stock", numeric=True),
    Column("waiting", "Waits for you", numeric=True),
    Column("open", "Open orders", numeric=True),
    Column("alerts", "Alerts", numeric=True),
    Column("newest", "Newest data", numeric=True),
]


def shop_rows(overview: Overview, stores: list[StoreView]) -> list[Row]:
    """Those with most to do first; the table sorts them otherwise when it is asked to."""
    by_store: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for point in overview.days:
        by_store[point.store].append((point.day, point.units))
    ranked = sorted(stores, key=lambda store: _trouble(store, overview.now_ms))
    return [_row(store, sorted(by_store[store.store])[-7:], overview.now_ms) for store in ranked]


def _trouble(store: StoreView, now_ms: int) -> tuple[bool, int, int, str]:
    """Sorts first what needs somebody most: silence, then what waits or is wrong, then empty shelves."""
    heard_ms = max(store.newest_ms or 0, store.watermark_ms or 0)
    is_late = heard_ms > 0 and now_ms - heard_ms > LATE_MS
    return (
        not is_late,
        -(store.waiting_triggers + store.open_alerts),
        -store.skus_out_of_stock,
        store.name,
    )


def _row(store: StoreView, week: list[tuple[str, int]], now_ms: int) -> Row:
    late_ms = None if store.newest_ms is None else now_ms - store.newest_ms
    complete_ms = max(store.newest_ms or 0, store.watermark_ms or 0)
    place = quote(store.store)
    return {
        "id": store.store,
        "name": cell(store.name, href=f"/shops/{place}", sub=store.region),
        "week": cell("" if week else UNKNOWN, svg=sparkline_svg([float(units) for _, units in week])),
        "sold": cell(money(store.cents, store.currency), store.cents),
        "receipts": cell(number(store.receipts), store.receipts),
        "out": counted_cell(store.skus_out_of_stock, "bad", f"/shops/{place}?sort=-stock_out_today_ms"),
        "waiting": counted_cell(store.waiting_triggers, "warn", f"/restock?scope=store:{place}"),
        "open": counted_cell(store.open_triggers, "", f"/restock?scope=store:{place}&show=moving"),
        "alerts": counted_cell(store.open_alerts, "warn", f"/fleet?scope=store:{place}"),
        "newest": cell(
            UNKNOWN if late_ms is None else f"{span(late_ms)} ago",
            -1 if late_ms is None else late_ms,
            tone="warn" if now_ms - complete_ms > LATE_MS else "",
        ),
    }


def counted_cell(count: int, tone: str, href: str = "") -> Row:
    """A number that leads to its rows; plain when it is zero."""
    return cell(number(count), count, tone=tone if count else "", href=href if count else "")
