"""What time does to orders: cut-offs send them, sleepers wake, and what nobody answered ends."""

from sqlalchemy.engine import Connection

from central.context import Work
from central.core.days import day_start_ms
from central.core.lifecycle import WAITING
from central.core.overdue import overdue_from_ms
from central.core.vouched import OUTSIDE_ORDER
from central.ledger import restock_rows as rows
from central.settings import CentralSettings
from central.trigger_moves import announce, end, set_due, set_state
from contract.api.restock import TriggerState

DAY_MS = 86_400_000


def stores_to_expire(connection: Connection, settings: CentralSettings, now_ms: int) -> list[str]:
    """Stores in which `expire` may find something."""
    span = {"now": now_ms, "overdue": now_ms - settings.order_overdue_days * DAY_MS}
    return rows.stores_with_due(connection, span)


def expire(work: Work) -> None:
    """Ends what nobody approved or acknowledged in time, and orders that have been overdue for long; sends what is due."""
    send_due(work)
    patience_days = work.settings.order_overdue_days
    for trigger in list(work.store.triggers.values()):
        unanswered = trigger.state in WAITING | {TriggerState.APPROVED, TriggerState.SENT}
        if unanswered and trigger.expires_ms is not None and trigger.expires_ms <= work.now_ms:
            end(work, trigger, TriggerState.EXPIRED, "nobody answered in time")
        elif not unanswered and _is_overdue(work, trigger.sku, trigger.changed_ms, trigger.arrives_day):
            end(work, trigger, TriggerState.EXPIRED, f"no progress in {patience_days} days")
    for (number, sku), order in list(work.store.orders.items()):
        if _is_overdue(work, sku, order.at_ms, order.arrives_day):
            rows.outside_order_ended(
                work.connection, work.store.store, number, sku, state="expired", units=None
            )
            work.will_vouch(OUTSIDE_ORDER, number, sku)
            del work.store.orders[number, sku]
            work.supply_changed = True


def send_due(work: Work) -> None:
    """Sends the orders whose cut-off's freeze has begun, and wakes those that were snoozed.

    A kill-switch that was thrown after the approval keeps an order here, until it is taken off or the order expires: who
    approved it with the switch on has said yes all the same. What was delisted meanwhile is ordered no more.
    """
    store = work.store
    for trigger in list(work.store.triggers.values()):
        if trigger.due_ms is None or trigger.due_ms > work.now_ms:
            continue
        if trigger.state is TriggerState.SNOOZED:
            set_due(work, trigger, None)
            set_state(work, trigger, TriggerState.PROPOSED)
        elif unlisted := store.why_unlisted(trigger.sku, work.now_ms):
            end(work, trigger, TriggerState.CANCELLED, f"the SKU is {unlisted}")
        elif not rows.switch_thrown_since(work.connection, store.store, trigger.supplier, trigger.changed_ms):
            announce(work, trigger.trigger_id)


def _is_overdue(work: Work, sku: str, moved_ms: int, arrives_day: str | None) -> bool:
    line = work.store.supply.get(sku)
    arrives_ms = None if arrives_day is None else day_start_ms(arrives_day, work.store.zone)
    lead_days = 0 if line is None else line.lead_time_days
    patience_days = work.settings.order_overdue_days
    return overdue_from_ms(moved_ms, arrives_ms, lead_days, patience_days) < work.now_ms
