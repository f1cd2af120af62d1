"""What a restock decision needs of the supplier and the store's budget, out of the ledger."""

from dataclasses import dataclass

from central.context import Work
from central.core.days import midnight_before
from central.ledger import supplier_rows, supplier_stock


@dataclass(frozen=True, slots=True)
class SupplierTerms:
    """The fields of central.core.restock.Wanted of the same names."""

    send_ms: int | None = None
    regular_days: int | None = None
    emergency_days: int | None = None
    expected_before_regular_units: float = 0.0
    available_units: int | None = None
    available_now_units: int | None = None
    budget_left_cents: int | None = None


def terms_for(work: Work, supplier: str, sku: str, open_trigger: str) -> SupplierTerms:
    """open_trigger: whose value is not counted against the budget; "" for none."""
    connection, store, now_ms = work.connection, work.store, work.now_ms
    budget = supplier_rows.budget_left_cents(
        connection, store.store, midnight_before(now_ms, store.zone), open_trigger
    )
    calendar = work.memory.calendar_of(connection, supplier)
    if calendar is None:
        return SupplierTerms(budget_left_cents=budget)
    regular_days = calendar.days_until_delivery(now_ms)
    forecast = store.forecasts.get(sku)
    return SupplierTerms(
        send_ms=calendar.send_ms(now_ms),
        regular_days=regular_days,
        emergency_days=calendar.emergency_lead_days,
        expected_before_regular_units=0.0 if forecast is None else sum(forecast.mean[:regular_days]),
        available_units=supplier_stock.available_units(
            connection, supplier, sku, calendar.picking_day(now_ms), calendar.zone
        ),
        available_now_units=supplier_stock.available_units(
            connection, supplier, sku, calendar.local_day(now_ms), calendar.zone
        ),
        budget_left_cents=budget,
    )
