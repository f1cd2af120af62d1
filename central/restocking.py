"""Applies restock decisions: proposals become triggers, people decide, cut-offs send, time ends what nobody answers.

What the replenishment system says of them is in `order_reports`, what arrives in `arrivals`.
"""

import json
from dataclasses import asdict, replace

from sqlalchemy.engine import Connection

from central.carrying import require_spare
from central.context import Work
from central.core.days import day_start_ms
from central.core.lifecycle import ON_ORDER, WAITING, can_move, move
from central.core.overdue import overdue_from_ms
from central.core.restock import (
    RULE,
    OpenTrigger,
    Policy,
    Raise,
    Wanted,
    Withdraw,
    confidence_of,
    decide_restock,
)
from central.doubts import Doubts
from central.errors import ConflictError, NotFoundError, SenderError
from central.ledger import restock_rows as rows
from central.ledger.outgoing import OutgoingEvent
from central.settings import CentralSettings
from central.store_memory import Trigger
from central.supplying import SupplierTerms, terms_for
from contract.api.common import Decision
from contract.api.restock import TriggerState
from contract.api.suppliers import Snooze
from contract.records import QUANTILE_LEVELS, ProposalRecord

TRIGGER_EVENT = "shelfloop.restock.trigger.v1"
CHANGE_EVENT = "shelfloop.restock.change.v1"
CANCELLED_EVENT = "shelfloop.restock.cancelled.v1"
KIND, EMERGENCY, TRANSFER = "restock", "emergency", "transfer"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MAX_SNOOZE_DAYS = 30


def decide_proposal(work: Work, proposal: ProposalRecord, doubts: Doubts) -> str:
    """Decides one live proposal and applies it. Returns the outcome in words, for the record of the proposal.

    doubts: of the proposals of its batch; asked only about an order that would be sent by itself.
    """
    store = work.store
    item, line = store.items.get(proposal.sku), store.supply.get(proposal.sku)
    if item is None or line is None:
        return "held: no item or supply line at the centre"
    unlisted = store.why_unlisted(proposal.sku, work.now_ms)
    if unlisted:
        return f"held: the SKU is {unlisted}"
    open_trigger = store.open_trigger(proposal.sku)
    on_order = store.on_order(proposal.sku, without=open_trigger.trigger_id if open_trigger else None)
    terms = terms_for(work, line.supplier, proposal.sku, open_trigger.trigger_id if open_trigger else "")
    position = None if proposal.on_hand_units is None else proposal.on_hand_units + on_order
    changed_pack = line.pack_units != proposal.pack_units
    wanted = Wanted(
        sku=proposal.sku,
        # A gateway that has not heard of a new pack yet proposes in the old one: whole new packs of that, at most.
        proposed_units=proposal.quantity_units // line.pack_units * line.pack_units
        if changed_pack
        else proposal.quantity_units,
        target_units=proposal.target_units,
        on_hand_units=proposal.on_hand_units,
        on_order_units=on_order,
        proposed_on_order_units=proposal.on_order_units,
        pack_units=line.pack_units,
        min_order_units=line.min_order_units if changed_pack else proposal.min_order_units,
        max_stock_units=proposal.max_stock_units,
        expected_stock_out_units=proposal.expected_stock_out_units,
        unit_value_cents=line.cost_cents or store.price_cents(proposal.sku, work.now_ms),
        review_days=line.review_days,
        last_raised_ms=store.raised_ms.get(proposal.sku),
        watermark_ms=proposal.watermark_ms,
        doubt=proposal.doubt,
        confidence=confidence_of(position, proposal.cumulative_quantiles, QUANTILE_LEVELS),
        **asdict(terms),
    )
    policy = Policy(
        work.settings.auto_approve_below_cents,
        work.settings.stale_after_min * 60_000,
        work.memory.switches_for(work.connection, store.store, line.supplier),
        work.settings.auto_approve_from_confidence,
    )
    opened = open_trigger and OpenTrigger(
        open_trigger.trigger_id, open_trigger.state, open_trigger.quantity_units, open_trigger.held_until_ms
    )
    decision = decide_restock(wanted, policy, opened or None, work.now_ms)
    if isinstance(decision, Raise) and decision.approved and (doubt := doubts.about(proposal)):
        work.memory.count("orders_in_doubt")
        wanted = replace(wanted, doubt=doubt)
        decision = decide_restock(wanted, policy, opened or None, work.now_ms)
    if isinstance(decision, Withdraw):
        _end(work, store.triggers[decision.trigger_id], TriggerState.CANCELLED, decision.why)
        return f"withdrawn: {decision.trigger_id}: {decision.why}"
    if not isinstance(decision, Raise):
        return f"held: {decision.why}"
    inputs: dict[str, object] = {
        "wanted": asdict(wanted),
        "gateway_units": proposal.quantity_units,
        "policy": asdict(policy),
        "open_trigger": asdict(opened) if opened else None,
        "now_ms": work.now_ms,
        "cumulative_quantiles": list(proposal.cumulative_quantiles),
        "quantile_levels": list(QUANTILE_LEVELS),
        "service_level": proposal.service_level,
        "window_days": proposal.window_days,
        "gateway_reasons": list(proposal.reasons),
    }
    if proposal.question is not None:
        inputs |= {
            "question": proposal.question.model_dump(mode="json"), "order_graph": proposal.order_graph,
            "expected_unmet_units": proposal.expected_unmet_units,
            "expected_waste_units": proposal.expected_waste_units,
        }  # fmt: skip
    return _apply(work, proposal, decision, inputs, open_trigger, terms)


def _apply(
    work: Work,
    proposal: ProposalRecord,
    decision: Raise,
    inputs: dict[str, object],
    open_trigger: Trigger | None,
    terms: SupplierTerms,
) -> str:
    store, now_ms = work.store, work.now_ms
    if open_trigger is not None and decision.changes == open_trigger.trigger_id:
        return _change(work, open_trigger, decision, inputs)
    line, item = store.supply[proposal.sku], store.items[proposal.sku]
    revises = open_trigger is not None and decision.revises == open_trigger.trigger_id
    if open_trigger is not None and decision.supersedes == open_trigger.trigger_id:
        _end(work, open_trigger, TriggerState.SUPERSEDED, "a larger order replaces it")
    if revises and open_trigger is not None:
        number, trigger_id, revision = open_trigger.number, open_trigger.trigger_id, open_trigger.revision + 1
    else:
        number, revision = store.next_number("trigger"), 1
        trigger_id = f"{store.store}-r{number}"
    state = TriggerState.APPROVED if decision.approved else TriggerState.PROPOSED
    is_held = decision.approved and decision.send_ms is not None and decision.send_ms > now_ms
    due_ms = decision.send_ms if is_held else None
    expires_ms = (due_ms or now_ms) + work.settings.trigger_expiry_h * HOUR_MS
    lead_days = terms.emergency_days if decision.is_emergency else terms.regular_days
    row: dict[str, object] = {
        "store_id": store.store, "number": number, "revision": revision, "state": state.value,
        "quantity_units": decision.quantity_units, "pack_units": line.pack_units,
        "value_cents": decision.value_cents, "on_hand_units": proposal.on_hand_units,
        "on_order_units": inputs["wanted"]["on_order_units"],  # type: ignore[index]
        "expected_stock_out_units": proposal.expected_stock_out_units, "why": decision.why, "doubt": decision.doubt,
        "changed_ms": now_ms, "expires_ms": expires_ms, "watermark_ms": proposal.watermark_ms,
        "bundle": proposal.bundle, "rule": RULE, "inputs": json.dumps(inputs), "due_ms": due_ms,
        "kind": EMERGENCY if decision.is_emergency else KIND,
        "lead_time_days": line.lead_time_days if lead_days is None else lead_days,
    }  # fmt: skip
    if revises:
        rows.revise_trigger(work.connection, row)
    else:
        rows.insert_trigger(
            work.connection,
            {
                **row, "trigger_id": trigger_id, "sku": proposal.sku, "gtin": item.gtin,
                "supplier": line.supplier, "created_ms": now_ms, "supersedes": decision.supersedes,
                "shipped_units": None, "received_units": None, "erp_document": None, "despatch": None,
                "arrives_day": None, "agreed_revision": None, "agreed_units": None,
            },
        )  # fmt: skip
    store.triggers[trigger_id] = Trigger(
        trigger_id, number, revision, proposal.sku, line.supplier, state, decision.quantity_units, None, None,
        now_ms if not revises or open_trigger is None else open_trigger.created_ms, now_ms, expires_ms,
        kind=str(row["kind"]), due_ms=due_ms,
    )  # fmt: skip
    store.raised_ms[proposal.sku] = now_ms
    work.changed_triggers.add(trigger_id)
    if decision.approved:
        work.audit("the rule", "approve", trigger_id, decision.why[:200])
        work.supply_changed = True
        if not is_held:
            announce(work, trigger_id)
    outcome = "held for the cut-off" if is_held else "approved" if decision.approved else "waiting"
    return f"{outcome}: {trigger_id}.{revision}"


def _change(work: Work, trigger: Trigger, decision: Raise, inputs: dict[str, object]) -> str:
    """Asks for another quantity of an order that was acknowledged: the replenishment system takes it or refuses it."""
    trigger.revision, trigger.quantity_units = trigger.revision + 1, decision.quantity_units
    rows.change_trigger(
        work.connection,
        {
            "store_id": work.store.store, "number": trigger.number, "revision": trigger.revision,
            "quantity_units": decision.quantity_units, "value_cents": decision.value_cents, "why": decision.why,
            "changed_ms": work.now_ms, "rule": RULE, "inputs": json.dumps(inputs),
        },
    )  # fmt: skip
    work.changed_triggers.add(trigger.trigger_id)
    work.audit("the rule", "change", trigger.trigger_id, decision.why[:200])
    announce(work, trigger.trigger_id, CHANGE_EVENT)
    return f"changed: {trigger.trigger_id}.{trigger.revision}"


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
            _set_due(work, trigger, None)
            _set_state(work, trigger, TriggerState.PROPOSED)
        elif unlisted := store.why_unlisted(trigger.sku, work.now_ms):
            _end(work, trigger, TriggerState.CANCELLED, f"the SKU is {unlisted}")
        elif not rows.switch_thrown_since(work.connection, store.store, trigger.supplier, trigger.changed_ms):
            announce(work, trigger.trigger_id)


def announce(work: Work, trigger_id: str, event_type: str = TRIGGER_EVENT) -> None:
    """Puts the approved trigger's event into the outgoing rows of this transaction."""
    trigger = work.store.triggers.get(trigger_id)
    if trigger is not None and trigger.due_ms is not None:
        _set_due(work, trigger, None)
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
                "lead_time_days": row["lead_time_days"], "expires_ms": row["expires_ms"],
            },
        )
    )  # fmt: skip
    work.supply_changed = True


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
    _set_state(work, trigger, TriggerState.APPROVED)
    work.audit(decision.who, "approve", trigger_id, decision.reason)
    calendar = work.memory.calendar_of(work.connection, trigger.supplier)
    if calendar is None or trigger.kind != KIND or calendar.send_ms(work.now_ms) <= work.now_ms:
        announce(work, trigger_id)
    else:
        _set_due(work, trigger, calendar.send_ms(work.now_ms))
        work.supply_changed = True


def snooze(work: Work, trigger_id: str, post: Snooze) -> None:
    """Puts a waiting order to sleep. Raises ConflictError when it no longer waits, SenderError for a time that is not ahead."""
    trigger = _waiting(work, trigger_id)
    if not work.now_ms < post.until_ms <= work.now_ms + MAX_SNOOZE_DAYS * DAY_MS:
        raise SenderError(
            f"until_ms must be ahead, by {MAX_SNOOZE_DAYS} days at most; it is now {work.now_ms}"
        )
    _set_due(work, trigger, post.until_ms)
    if trigger.state is not TriggerState.SNOOZED:
        _set_state(work, trigger, TriggerState.SNOOZED)
    work.audit(post.who, "snooze", trigger_id, post.reason)


def reject(work: Work, trigger_id: str, decision: Decision) -> None:
    trigger = _waiting(work, trigger_id)
    if not decision.reason:
        raise SenderError("reason is missing; say why the order is rejected")
    _end(work, trigger, TriggerState.REJECTED, decision.reason)
    work.audit(decision.who, "reject", trigger_id, decision.reason)


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
            _end(work, trigger, TriggerState.EXPIRED, "nobody answered in time")
        elif not unanswered and _is_overdue(work, trigger.sku, trigger.changed_ms, trigger.arrives_day):
            _end(work, trigger, TriggerState.EXPIRED, f"no progress in {patience_days} days")
    for (number, sku), order in list(work.store.orders.items()):
        if _is_overdue(work, sku, order.at_ms, order.arrives_day):
            rows.outside_order_ended(
                work.connection, work.store.store, number, sku, state="expired", units=None
            )
            del work.store.orders[number, sku]
            work.supply_changed = True


def _is_overdue(work: Work, sku: str, moved_ms: int, arrives_day: str | None) -> bool:
    line = work.store.supply.get(sku)
    arrives_ms = None if arrives_day is None else day_start_ms(arrives_day, work.store.zone)
    lead_days = 0 if line is None else line.lead_time_days
    patience_days = work.settings.order_overdue_days
    return overdue_from_ms(moved_ms, arrives_ms, lead_days, patience_days) < work.now_ms


def end_unsent(work: Work, trigger: Trigger, why: str) -> None:
    """Of an order of which nobody outside has heard."""
    _end(work, trigger, TriggerState.CANCELLED, why)


def withdraw_unsent(work: Work, sku: str, why: str) -> None:
    """Ends orders of `sku` of which nobody outside has heard: those that wait for a person or for the cut-off."""
    for trigger in list(work.store.triggers.values()):
        if trigger.sku == sku and (trigger.state in WAITING or trigger.held_until_ms is not None):
            _end(work, trigger, TriggerState.CANCELLED, why)


def mark_sent(work: Work, trigger_id: str) -> None:
    """The relay has given the trigger's event its place in the feed."""
    trigger = work.store.triggers.get(trigger_id)
    if trigger is not None and trigger.state is TriggerState.APPROVED:
        _set_state(work, trigger, TriggerState.SENT)


def _waiting(work: Work, trigger_id: str) -> Trigger:
    trigger = work.store.triggers.get(trigger_id)
    if trigger is not None and trigger.state in WAITING:
        return trigger
    row = rows.trigger_row(work.connection, trigger_id)
    if row is None:
        raise NotFoundError(f"trigger {trigger_id} does not exist")
    raise ConflictError(f"trigger {trigger_id} is {row['state']}; only one that waits can be decided")


def _end(work: Work, trigger: Trigger, state: TriggerState, reason: str) -> None:
    was, was_held = trigger.state, trigger.held_until_ms is not None
    if not can_move(was, state):
        return
    _set_state(work, trigger, state)
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


def _set_due(work: Work, trigger: Trigger, due_ms: int | None) -> None:
    """Until when it is held or sleeps; its expiry counts from then."""
    trigger.due_ms = due_ms
    if due_ms is not None:
        trigger.expires_ms = due_ms + work.settings.trigger_expiry_h * HOUR_MS
    rows.set_due(
        work.connection, work.store.store, trigger.number, due_ms=due_ms, expires_ms=trigger.expires_ms
    )
    work.changed_triggers.add(trigger.trigger_id)


def _set_state(work: Work, trigger: Trigger, state: TriggerState) -> None:
    trigger.state = move(trigger.state, state)
    trigger.changed_ms = work.now_ms
    work.changed_triggers.add(trigger.trigger_id)
    rows.set_state(work.connection, work.store.store, trigger.number, state.value, work.now_ms)
