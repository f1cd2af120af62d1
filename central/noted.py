"""What is on order of a noted load: the units of its note, no more and no less, whichever orders name the load, and when."""

from central.context import Work
from central.core.lifecycle import ON_ORDER, can_move
from central.core.vouched import OUTSIDE_ORDER
from central.ledger import note_rows
from central.ledger import restock_rows as rows
from central.store_memory import OutsideOrder, Trigger
from contract.api.restock import TriggerState


def net_load(work: Work, sku: str, despatch: str) -> None:
    """Call it when a note or an order of the load has come. Without an order the note stands as one of its own.

    Nothing happens when no note of the load is open: then orders count as they were told.
    """
    store = work.store
    notes = note_rows.open_notes(work.connection, store.store, despatch, sku)
    if not notes:
        return
    left, at_ms = sum(units for _, units, _ in notes), max(at_ms for _, _, at_ms in notes)
    own = [(note, sku) for note, _, _ in notes if (note, sku) in store.orders]
    orders = [
        key for key, order in store.orders.items() if key[1] == sku and key not in own and despatch in (order.despatch, key[0])
    ]  # fmt: skip
    triggers = [
        trigger for trigger in store.triggers.values()
        if trigger.sku == sku and trigger.despatch == despatch and trigger.state in ON_ORDER
    ]  # fmt: skip
    work.supply_changed = True
    if not triggers and not orders:
        _stand_alone(work, own, (notes[0][0], sku), left, despatch=despatch, at_ms=at_ms)
        return
    for key in own:
        rows.outside_order_ended(work.connection, store.store, *key, state="merged", units=None)
        work.will_vouch(OUTSIDE_ORDER, *key)
        del store.orders[key]
    for place, trigger in enumerate(triggers):
        is_last = place == len(triggers) - 1 and not orders
        trigger.shipped_units = left if is_last else min(left, trigger.quantity_units)
        left -= trigger.shipped_units
        mark_shipped(work, trigger)
    for place, key in enumerate(orders):
        units = left if place == len(orders) - 1 else min(left, store.orders[key].quantity_units)
        left -= units
        _set_units(work, key, units)


def mark_shipped(work: Work, trigger: Trigger) -> None:
    """Writes what memory has of the trigger's load, and that it is on the road."""
    if can_move(trigger.state, TriggerState.SHIPPED):
        trigger.state = TriggerState.SHIPPED
    trigger.changed_ms = work.now_ms
    work.changed_triggers.add(trigger.trigger_id)
    rows.set_reported(
        work.connection,
        {
            "store": work.store.store, "number": trigger.number, "state": trigger.state.value, "now": work.now_ms,
            "shipped": trigger.shipped_units, "despatch": trigger.despatch, "erp_document": None, "arrives_day": None,
        },
    )  # fmt: skip


def _stand_alone(
    work: Work,
    own: list[tuple[str, str]],
    key: tuple[str, str],
    units: int,
    *,
    despatch: str,
    at_ms: int,
) -> None:
    if own:
        for each in own[1:]:
            _set_units(work, each, 0)
        _set_units(work, own[0], units)
        return
    if rows.outside_order(work.connection, work.store.store, *key) is None:
        row = {
            "store": work.store.store, "order": key[0], "sku": key[1], "quantity": units, "at_ms": at_ms,
            "despatch": despatch, "arrives_day": None,
        }  # fmt: skip
        rows.put_outside_order(work.connection, row)
        work.will_vouch(OUTSIDE_ORDER, *key)
        work.store.orders[key] = OutsideOrder(units, despatch, None, at_ms)


def _set_units(work: Work, key: tuple[str, str], units: int) -> None:
    work.store.orders[key].quantity_units = units
    rows.set_outside_units(work.connection, work.store.store, *key, units=units)
    work.will_vouch(OUTSIDE_ORDER, *key)
