"""The moves of a trigger and what goes out of them: its state, until when it is held or sleeps, its event, its end."""

import json

from central.context import Work
from central.core.lifecycle import ON_ORDER, WAITING, can_move, move
from central.errors import NotFoundError
from central.ledger import restock_rows as rows
from central.ledger.outgoing import OutgoingEvent
from central.store_memory import Trigger
from contract.api.restock import TriggerState

TRIGGER_EVENT = "shelfloop.restock.trigger.v1"
CHANGE_EVENT = "shelfloop.restock.change.v1"
CANCELLED_EVENT = "shelfloop.restock.cancelled.v1"
KIND, EMERGENCY, TRANSFER = "restock", "emergency", "transfer"
HOUR_MS = 3_600_000


def announce(work: Work, trigger_id: str, event_type: str = TRIGGER_EVENT) -> None:
    """Puts the approved trigger's event into the outgoing rows of this transaction."""
    trigger = work.store.triggers.get(trigger_id)
    # Days until it arrives count from now on, not from the decision: it may have been held over a midnight.
    lead_days = None if trigger is None else _held_days(work, trigger)
    if trigger is not None and trigger.due_ms is not None:
        set_due(work, trigger, None)
    row = rows.trigger_row(work.connection, trigger_id)
    if row is None:
        raise NotFoundError(f"trigger {trigger_id} does not exist")
    inputs = json.loads(row["inputs"])
    work.events.append(
        OutgoingEvent(
            f"{trigger_id}.{row['revision']}", work.store.store, event_type, trigger_id,
            {
                "trigger": trigger_id, "revision": row["revision"], "supersedes": row["supersedes"],
                "dedupe_key": f"{work.store.store}/{row['sku']}/{row['kind']}", "kind": row["kind"],
                "store": work.store.store, "sku": row["sku"], "gtin": row["gtin"], "uom": "EA",
                "quantity_units": row["quantity_units"], "pack_units": row["pack_units"],
                "supplier": row["supplier"], "on_hand_units": row["on_hand_units"],
                "on_order_units": row["on_order_units"], "cumulative_quantiles": inputs["cumulative_quantiles"],
                "quantile_levels": inputs["quantile_levels"], "reason": row["why"], "rule": row["rule"],
                "bundle": row["bundle"], "watermark_ms": row["watermark_ms"],
                "lead_time_days": row["lead_time_days"] if lead_days is None else lead_days, "expires_ms": row["expires_ms"],
            },
        )
    )  # fmt: skip
    work.supply_changed = True


def _held_days(work: Work, trigger: Trigger) -> int | None:
    """Of an order that was held for a cut-off: days from now until it arrives by the supplier's calendar. None: it was not held."""
    calendar = work.memory.calendar_of(work.connection, trigger.supplier)
    if calendar is None or trigger.held_until_ms is None or trigger.kind != KIND:
        return None
    return max(0, calendar.days_until(trigger.held_until_ms + calendar.freeze_min * 60_000, work.now_ms))


def end_unsent(work: Work, trigger: Trigger, why: str) -> None:
    """Of an order of which nobody outside has heard."""
    end(work, trigger, TriggerState.CANCELLED, why)


def withdraw_unsent(work: Work, sku: str, why: str) -> None:
    """Ends orders of `sku` of which nobody outside has heard: those that wait for a person or for the cut-off."""
    for trigger in list(work.store.triggers.values()):
        if trigger.sku == sku and (trigger.state in WAITING or trigger.held_until_ms is not None):
            end(work, trigger, TriggerState.CANCELLED, why)


def mark_sent(work: Work, trigger_id: str) -> None:
    """The relay has given the trigger's event its place in the feed."""
    trigger = work.store.triggers.get(trigger_id)
    if trigger is not None and trigger.state is TriggerState.APPROVED:
        set_state(work, trigger, TriggerState.SENT)


def end(work: Work, trigger: Trigger, state: TriggerState, reason: str) -> None:
    was, was_held = trigger.state, trigger.held_until_ms is not None
    if not can_move(was, state):
        return
    set_state(work, trigger, state)
    del work.store.triggers[trigger.trigger_id]
    if was in ON_ORDER:
        work.supply_changed = True
    if was in ON_ORDER and not was_held:
        work.events.append(
            OutgoingEvent(
                f"{trigger.trigger_id}.{trigger.revision}.{state.value}", work.store.store, CANCELLED_EVENT,
                trigger.trigger_id,
                {
                    "trigger": trigger.trigger_id, "revision": trigger.revision, "state": state.value,
                    "reason": reason,
                },
            )
        )  # fmt: skip
    if state is not TriggerState.REJECTED:
        work.audit("the rule", state.value, trigger.trigger_id, reason)


def set_due(work: Work, trigger: Trigger, due_ms: int | None) -> None:
    """Until when it is held or sleeps; its expiry counts from then."""
    trigger.due_ms = due_ms
    if due_ms is not None:
        trigger.expires_ms = due_ms + work.settings.trigger_expiry_h * HOUR_MS
    rows.set_due(
        work.connection, work.store.store, trigger.number, due_ms=due_ms, expires_ms=trigger.expires_ms
    )
    work.changed_triggers.add(trigger.trigger_id)


def set_state(work: Work, trigger: Trigger, state: TriggerState) -> None:
    trigger.state = move(trigger.state, state)
    trigger.changed_ms = work.now_ms
    work.changed_triggers.add(trigger.trigger_id)
    rows.set_state(work.connection, work.store.store, trigger.number, state.value, work.now_ms)
