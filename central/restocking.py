"""Applies restock decisions: proposals become triggers, and newer ones change or withdraw what waits.

What people decide is in `approvals`, what time does in `deadlines`, what the replenishment system says in `order_reports`, what
arrives in `arrivals`.
"""

import json
from dataclasses import asdict, replace

from central.context import Work
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
from central.ledger import restock_rows as rows
from central.store_memory import Trigger
from central.supplying import SupplierTerms, terms_for
from central.trigger_moves import CHANGE_EVENT, EMERGENCY, HOUR_MS, KIND, announce, end
from contract.api.restock import TriggerState
from contract.documents import SupplyLine
from contract.records import QUANTILE_LEVELS, ProposalRecord


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
    terms = terms_for(work, line.supplier, proposal.sku, open_trigger.trigger_id if open_trigger else "")
    wanted = _wanted(work, proposal, line, open_trigger, terms)
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
        end(work, store.triggers[decision.trigger_id], TriggerState.CANCELLED, decision.why)
        return f"withdrawn: {decision.trigger_id}: {decision.why}"
    if not isinstance(decision, Raise):
        return f"held: {decision.why}"
    inputs = _evidence(proposal, wanted, policy, opened or None, work.now_ms)
    return _apply(work, proposal, decision, inputs, open_trigger, terms)


def _wanted(
    work: Work,
    proposal: ProposalRecord,
    line: SupplyLine,
    open_trigger: Trigger | None,
    terms: SupplierTerms,
) -> Wanted:
    store = work.store
    on_order = store.on_order(proposal.sku, without=open_trigger.trigger_id if open_trigger else None)
    position = None if proposal.on_hand_units is None else proposal.on_hand_units + on_order
    changed_pack = line.pack_units != proposal.pack_units
    return Wanted(
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


def _evidence(
    proposal: ProposalRecord, wanted: Wanted, policy: Policy, opened: OpenTrigger | None, now_ms: int
) -> dict[str, object]:
    """Enough to decide again."""
    inputs: dict[str, object] = {
        "wanted": asdict(wanted),
        "gateway_units": proposal.quantity_units,
        "policy": asdict(policy),
        "open_trigger": asdict(opened) if opened else None,
        "now_ms": now_ms,
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
    return inputs


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
        end(work, open_trigger, TriggerState.SUPERSEDED, "a larger order replaces it")
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
