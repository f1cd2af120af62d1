"""Tills against ledger, to the unit and the cent; and what came of transmissions, shelf cells and orders."""

from nicegui import ui

from contract.api.stores import Accounting, Balance, StoreView
from hq.pages.frame import section
from hq.pages.table import Column, DataTable, Row, cell
from hq.words import counted, day, money, number


class AccountingBox:
    def __init__(self, store: str) -> None:
        self._store = store
        with section(
            "Accounting",
            "what the tills said of their closed days, against what arrived",
            anchor="accounting",
        ):
            with ui.element("div").classes("verdict"):
                self._icon = ui.icon("balance")
                self._verdict = ui.label().classes("verdict-text")
                self._gaps = ui.label().classes("panel-note")
            self._sums = DataTable(
                _SUMS, empty="No closed till day yet: the comparison starts with the first day close."
            )
            self._flows = DataTable(_FLOWS, empty="")
            self._days = DataTable(_DAYS, empty="", page_rows=10, sort=("date", True))

    def show(self, accounting: Accounting, stores: list[StoreView]) -> None:
        names = {store.store: store.name for store in stores}
        currencies = {store.currency for store in stores}
        currency = currencies.pop() if len(currencies) == 1 else ""
        closed = bool(accounting.closed_days)
        tone, icon, text = _verdict(accounting, closed=closed)
        self._icon.classes(replace=f"q-icon notranslate material-icons tone-{tone}")
        self._icon.set_name(icon)
        self._verdict.set_text(text)
        gaps = counted(accounting.declared_gaps, "declared loss", "declared losses")
        self._gaps.set_text(f"{gaps} · {counted(accounting.open_days, 'till day')} not closed yet")
        self._sums.set_rows(_sum_rows(accounting, currency) if closed else [])
        self._flows.set_rows(flow_rows(accounting))
        wrong = [day_ for day_ in accounting.days if not day_.balanced and (not names or day_.store in names)]
        self._days.set_rows(
            [
                {
                    "id": f"{row.store}/{row.register_id}/{row.business_date}",
                    "store": cell(names.get(row.store, row.store)),
                    "register": cell(row.register_id),
                    "date": cell(day(row.business_date), row.business_date),
                    "receipts": _difference(row.receipts),
                    "lines": _difference(row.lines),
                    "units": _difference(row.units),
                    "cents": cell(
                        money(row.cents.ledger - row.cents.tills, currency),
                        row.cents.ledger - row.cents.tills,
                        tone="bad",
                    ),
                }
                for row in wrong
            ]
        )


_SUMS = [
    Column("what", "", sortable=False),
    Column("tills", "Tills", numeric=True, sortable=False),
    Column("ledger", "Ledger", numeric=True, sortable=False),
    Column("difference", "Difference", numeric=True, sortable=False),
]
_FLOWS = [
    Column("what", "", sortable=False),
    Column("came", "What came of it", wide=True, sortable=False),
]
_DAYS = [
    Column("store", "Shop"),
    Column("register", "Till"),
    Column("date", "Business day"),
    Column("receipts", "Receipts", numeric=True),
    Column("lines", "Lines", numeric=True),
    Column("units", "Units", numeric=True),
    Column("cents", "Money", numeric=True),
]


def _verdict(accounting: Accounting, *, closed: bool) -> tuple[str, str, str]:
    if not closed:
        return "quiet", "hourglass_empty", "Nothing to compare yet"
    if accounting.balanced:
        return "ok", "check_circle", f"Balanced over {counted(accounting.closed_days, 'till day')}"
    wrong = accounting.wrong_days
    return "bad", "error", f"{counted(wrong, 'till day')} of {number(accounting.closed_days)} differ"


def _sum_rows(accounting: Accounting, currency: str) -> list[Row]:
    rows: list[Row] = []
    for name, balance in (
        ("Receipts", accounting.receipts),
        ("Lines", accounting.lines),
        ("Units", accounting.units),
    ):
        rows.append(
            {
                "id": name,
                "what": cell(name),
                "tills": cell(number(balance.tills)),
                "ledger": cell(number(balance.ledger)),
                "difference": _difference(balance),
            }
        )
    cents = accounting.cents
    gap = cents.ledger - cents.tills
    rows.append(
        {
            "id": "Money",
            "what": cell("Money" if currency else "Money, minor units"),
            "tills": cell(money(cents.tills, currency) if currency else number(cents.tills)),
            "ledger": cell(money(cents.ledger, currency) if currency else number(cents.ledger)),
            "difference": cell(
                money(gap, currency) if currency else number(gap), tone="bad" if gap else "ok"
            ),
        }
    )
    return rows


def flow_rows(accounting: Accounting) -> list[Row]:
    """One row a flow that no till can vouch for: its parts, counted where they were seen."""
    sent, cells, orders = accounting.transmissions, accounting.cells, accounting.triggers
    flows = (
        (
            "Device transmissions",
            "by the gateways' newest health records",
            (
                f"{number(sent.accepted)} accepted · {counted(sent.duplicates, 'duplicate')} dropped · "
                f"{number(sent.rejected)} rejected · {number(sent.quarantined)} put aside"
            ),
        ),
        (
            "Shelf cells",
            "by the gateways' newest health records",
            (
                f"{counted(cells.picked_units, 'unit')} picked · {number(cells.put_back_units)} put back · "
                f"{number(cells.unresolved_units)} unresolved"
            ),
        ),
        (
            "Restock orders",
            "since the beginning",
            (
                f"{number(orders.created)} created · {number(orders.sent)} sent · "
                f"{number(orders.acknowledged)} acknowledged · {number(orders.waiting)} waiting for a person"
            ),
        ),
    )
    return [
        {"id": what, "what": cell(what, sub=source), "came": cell(parts)} for what, source, parts in flows
    ]


def _difference(balance: Balance) -> Row:
    gap = balance.ledger - balance.tills
    return cell(f"{gap:+,}" if gap else "0", gap, tone="bad" if gap else "ok")
