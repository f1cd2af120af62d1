"""What the replenishment system reports of a trigger: its state, a change taken or refused, goods on the road."""

from central.arrivals import place_outside_order, received
from central.context import Work
from central.core.lifecycle import EXITS, Agreed, ChangeRefused, Late, Moved, Refused, judge_report
from central.core.vouched import STATUS
from central.errors import ConflictError, NotFoundError, SenderError
from central.ledger import facts
from central.ledger import restock_rows as rows
from central.noted import net_load
from central.store_memory import Trigger
from contract.api.restock import OutsideOrder, StatusPost, TriggerState

_EFFECTS = {Moved: "moved", Agreed: "change accepted", ChangeRefused: "change refused"}


def report(work: Work, trigger_id: str, post: StatusPost) -> None:
    """Takes a status of the replenishment system; the same one again changes nothing.

    Raises ConflictError when the trigger was never sent, SenderError when `shipped` has no despatch number.
    """
    row = rows.trigger_row(work.connection, trigger_id)
    if row is None:
        raise NotFoundError(f"trigger {trigger_id} does not exist")
    if post.status.value == "shipped" and not post.despatch:
        raise SenderError(
            "shipped needs `despatch`: the number by which the store will recognise the delivery"
        )
    store = work.store
    if (
        rows.status_row(work.connection, store.store, trigger_id, post.revision, post.status.value)
        is not None
    ):
        return
    state = TriggerState(row["state"])
    refusal = rows.status_row(work.connection, store.store, trigger_id, post.revision, "rejected")
    verdict = judge_report(
        state, row["revision"], post.revision, post.status, row["agreed_revision"],
        is_held=state is TriggerState.APPROVED and row["due_ms"] is not None, was_refused=refusal is not None,
    )  # fmt: skip
    if isinstance(verdict, Refused):
        raise ConflictError(f"trigger {trigger_id}: {verdict.why}")
    row_of_status = {
        "store_id": store.store, "trigger_id": trigger_id, "revision": post.revision,
        "status": post.status.value, "at_ms": post.at_ms, "heard_ms": work.now_ms,
        "effect": f"late: {verdict.why}" if isinstance(verdict, Late) else _EFFECTS[type(verdict)],
        "body": post.model_dump_json(),
    }  # fmt: skip
    rows.insert_status(work.connection, row_of_status)
    work.vouch_for(STATUS, row_of_status)
    if isinstance(verdict, Late):
        _late(work, row, post)
        return
    trigger = store.triggers[trigger_id]
    _agree(work, trigger, post, taken=not isinstance(verdict, ChangeRefused))
    if isinstance(verdict, Moved):
        _reported(work, trigger, verdict.state, post)


def _agree(work: Work, trigger: Trigger, post: StatusPost, *, taken: bool) -> None:
    """Which quantity counts from now on: that of the revision answered; where a change is refused, the one agreed before."""
    if not taken:
        work.audit("replenishment", "change-refused", trigger.trigger_id, post.reason)
    is_newest = taken and post.revision == trigger.revision
    revision = trigger.revision if is_newest else trigger.agreed_revision
    units = trigger.quantity_units if is_newest else trigger.agreed_units
    assert revision is not None
    assert units is not None
    if (revision, units, units) == (trigger.agreed_revision, trigger.agreed_units, trigger.quantity_units):
        return
    work.supply_changed = work.supply_changed or units != trigger.quantity_units
    trigger.agreed_revision, trigger.agreed_units, trigger.quantity_units = revision, units, units
    rows.set_agreed(work.connection, work.store.store, trigger.number, revision=revision, units=units)
    work.changed_triggers.add(trigger.trigger_id)


def _reported(work: Work, trigger: Trigger, state: TriggerState, post: StatusPost) -> None:
    is_shipped = state is TriggerState.SHIPPED
    work.changed_triggers.add(trigger.trigger_id)
    trigger.state, trigger.changed_ms = state, work.now_ms
    if is_shipped:
        trigger.shipped_units = trigger.quantity_units if post.quantity_units is None else post.quantity_units
        trigger.despatch = post.despatch
    trigger.arrives_day = post.arrives_day or trigger.arrives_day
    rows.set_reported(
        work.connection,
        {
            "store": work.store.store, "number": trigger.number, "state": state.value, "now": work.now_ms,
            "shipped": trigger.shipped_units, "despatch": trigger.despatch, "erp_document": post.erp_document,
            "arrives_day": post.arrives_day,
        },
    )  # fmt: skip
    work.supply_changed = True
    if state in EXITS:
        del work.store.triggers[trigger.trigger_id]
        work.audit("replenishment", state.value, trigger.trigger_id, post.reason)
    elif is_shipped and post.despatch is not None:
        # The lorry may be faster than its message: then the delivery is in the ledger already.
        units = [
            units
            for _, units in facts.deliveries_of(work.connection, work.store.store, post.despatch, trigger.sku)
        ]
        if units:
            received(work, trigger, sum(units))
        else:
            net_load(work, trigger.sku, post.despatch)


def _late(work: Work, row: dict[str, object], post: StatusPost) -> None:
    """Goods of a trigger that we gave up are on their way all the same: they count as on-order until they arrive."""
    state = TriggerState(str(row["state"]))
    if post.status.value != "shipped" or state not in EXITS:
        return
    trigger_id, sku = str(row["trigger_id"]), str(row["sku"])
    units = post.quantity_units if post.quantity_units is not None else int(str(row["quantity_units"]))
    place_outside_order(
        work,
        OutsideOrder(
            order=trigger_id[:64], store=work.store.store, sku=sku, quantity_units=max(units, 1), at_ms=post.at_ms,
            despatch=post.despatch, arrives_day=post.arrives_day,
        ),
    )  # fmt: skip
    work.audit("replenishment", "shipped-after-end", trigger_id, f"was {state}")
