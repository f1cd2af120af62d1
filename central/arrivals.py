"""What is on order and what arrives: orders placed outside, and the deliveries that close orders."""

from central.context import Work
from central.core.lifecycle import ON_ORDER, move
from central.core.vouched import OUTSIDE_ORDER
from central.errors import SenderError
from central.ledger import facts, store_rows
from central.ledger import restock_rows as rows
from central.noted import net_load
from central.store_memory import OutsideOrder as OrderMemory
from central.store_memory import Trigger
from contract.api.restock import OutsideOrder, TriggerState


def place_outside_order(work: Work, order: OutsideOrder) -> bool:
    """Whether it is new. The same number and SKU again may only add the despatch number that was missing."""
    store = work.store
    if order.sku not in store.items and not store_rows.has_item(work.connection, store.store, order.sku):
        raise SenderError(f"store {store.store} has no SKU {order.sku!r}; put its items first")
    key = {"store": store.store, "order": order.order, "sku": order.sku}
    work.will_vouch(OUTSIDE_ORDER, order.order, order.sku)
    known = rows.outside_order(work.connection, store.store, order.order, order.sku)
    if known is not None:
        if known["despatch"] is None and order.despatch is not None and known["state"] == "open":
            rows.fill_outside_order(
                work.connection, {**key, "despatch": order.despatch, "arrives_day": order.arrives_day}
            )
            store.orders[order.order, order.sku].despatch = order.despatch
            _receive_known_order(work, order.order, order.sku, order.despatch)
            net_load(work, order.sku, order.despatch)
        return False
    rows.put_outside_order(
        work.connection,
        {
            **key, "quantity": order.quantity_units, "at_ms": order.at_ms, "despatch": order.despatch,
            "arrives_day": order.arrives_day,
        },
    )  # fmt: skip
    store.orders[order.order, order.sku] = OrderMemory(
        order.quantity_units, order.despatch, order.arrives_day, order.at_ms
    )
    work.supply_changed = True
    if order.despatch is not None:
        _receive_known_order(work, order.order, order.sku, order.despatch)
    net_load(work, order.sku, order.despatch or order.order)
    return True


def _receive_known_order(work: Work, order: str, sku: str, despatch: str) -> None:
    units = [units for _, units in facts.deliveries_of(work.connection, work.store.store, despatch, sku)]
    if units:
        _order_received(work, order, sku, sum(units))


def take_delivery(work: Work, sku: str, despatch: str | None, units: int) -> None:
    """Closes what was on order under this despatch number: also when less came than was shipped."""
    if despatch is None:
        return
    for trigger in list(work.store.triggers.values()):
        if trigger.sku == sku and trigger.despatch == despatch and trigger.state in ON_ORDER:
            received(work, trigger, units)
    for (number, of), order in list(work.store.orders.items()):
        if of == sku and despatch in (order.despatch, number):
            _order_received(work, number, of, units)


def received(work: Work, trigger: Trigger, units: int) -> None:
    move(trigger.state, TriggerState.RECEIVED)
    closed = move(TriggerState.RECEIVED, TriggerState.CLOSED)
    work.changed_triggers.add(trigger.trigger_id)
    rows.set_received(
        work.connection, work.store.store, trigger.number, state=closed.value, units=units, now_ms=work.now_ms
    )
    short = (trigger.shipped_units or trigger.quantity_units) - units
    if short > 0:
        work.audit("the store", "received-short", trigger.trigger_id, f"{short} units less than shipped")
    del work.store.triggers[trigger.trigger_id]
    work.supply_changed = True


def _order_received(work: Work, order: str, sku: str, units: int) -> None:
    rows.outside_order_ended(work.connection, work.store.store, order, sku, state="received", units=units)
    work.will_vouch(OUTSIDE_ORDER, order, sku)
    del work.store.orders[order, sku]
    work.supply_changed = True
