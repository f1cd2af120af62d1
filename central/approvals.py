"""What people decide about an order that waits: yes, not yet, no."""

from central.carrying import require_spare
from central.context import Work
from central.core.lifecycle import WAITING
from central.errors import ConflictError, NotFoundError, SenderError
from central.ledger import restock_rows as rows
from central.store_memory import Trigger
from central.trigger_moves import KIND, TRANSFER, announce, end, set_due, set_state
from contract.api.common import Decision
from contract.api.restock import TriggerState
from contract.api.suppliers import Snooze

DAY_MS = 86_400_000
MAX_SNOOZE_DAYS = 30


def approve(work: Work, trigger_id: str, decision: Decision) -> None:
    """A person's yes. Raises ConflictError when the trigger no longer waits, SenderError for a broken pack."""
    trigger = _waiting(work, trigger_id)
    unlisted = work.store.why_unlisted(trigger.sku, work.now_ms)
    if unlisted:
        raise ConflictError(f"SKU {trigger.sku} is {unlisted}; reject the order")
    row = rows.trigger_row(work.connection, trigger_id)
    assert row is not None
    quantity = decision.quantity_units
    if quantity is not None and (quantity == 0 or quantity % row["pack_units"]):
        raise SenderError(
            f"quantity_units {quantity} must be whole packs of {row['pack_units']}, at least one"
        )
    if row["kind"] == TRANSFER:
        require_spare(work.connection, row, quantity or trigger.quantity_units)
    if quantity is not None and quantity != trigger.quantity_units:
        value = row["value_cents"] * quantity // max(trigger.quantity_units, 1)
        trigger.quantity_units, trigger.revision = quantity, trigger.revision + 1
        rows.set_quantity(
            work.connection, work.store.store, trigger.number, quantity=quantity, value=value,
            revision=trigger.revision,
        )  # fmt: skip
    set_state(work, trigger, TriggerState.APPROVED)
    work.audit(decision.who, "approve", trigger_id, decision.reason)
    calendar = work.memory.calendar_of(work.connection, trigger.supplier)
    if calendar is None or trigger.kind != KIND or calendar.send_ms(work.now_ms) <= work.now_ms:
        announce(work, trigger_id)
    else:
        set_due(work, trigger, calendar.send_ms(work.now_ms))
        work.supply_changed = True


def snooze(work: Work, trigger_id: str, post: Snooze) -> None:
    """Puts a waiting order to sleep. Raises ConflictError when it no longer waits, SenderError for a time that is not ahead."""
    trigger = _waiting(work, trigger_id)
    if not work.now_ms < post.until_ms <= work.now_ms + MAX_SNOOZE_DAYS * DAY_MS:
        raise SenderError(
            f"until_ms must be ahead, by {MAX_SNOOZE_DAYS} days at most; it is now {work.now_ms}"
        )
    set_due(work, trigger, post.until_ms)
    if trigger.state is not TriggerState.SNOOZED:
        set_state(work, trigger, TriggerState.SNOOZED)
    work.audit(post.who, "snooze", trigger_id, post.reason)


def reject(work: Work, trigger_id: str, decision: Decision) -> None:
    trigger = _waiting(work, trigger_id)
    if not decision.reason:
        raise SenderError("reason is missing; say why the order is rejected")
    end(work, trigger, TriggerState.REJECTED, decision.reason)
    work.audit(decision.who, "reject", trigger_id, decision.reason)


def _waiting(work: Work, trigger_id: str) -> Trigger:
    trigger = work.store.triggers.get(trigger_id)
    if trigger is not None and trigger.state in WAITING:
        return trigger
    row = rows.trigger_row(work.connection, trigger_id)
    if row is None:
        raise NotFoundError(f"trigger {trigger_id} does not exist")
    raise ConflictError(f"trigger {trigger_id} is {row['state']}; only one that waits can be decided")
