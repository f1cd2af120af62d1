"""Triggers, what people and the replenishment system say of them, outside orders and kill-switches."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query

from central import approvals, arrivals, order_reports
from central.access import Principal
from central.api.gate import FromPeople, FromReaders, FromStoreSystem, TheCentre
from central.api.paging import After, Limit, StoreFilter
from central.centre import Centre
from central.context import CHAIN, Work
from central.core.vouched import SWITCH
from central.errors import NotFoundError, SenderError
from central.ledger import restock_rows, restock_views, rollout_rows, store_rows, supplier_rows
from central.recomputing import evidence_of
from contract.api import Accepted, Decision, Page
from contract.api.restock import (
    Evidence,
    KillSwitch,
    OutsideOrder,
    StatusPost,
    TriggerState,
    TriggerView,
)
from contract.api.suppliers import Snooze
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["restock"])

TriggerPath = Annotated[str, Path(max_length=80)]


@router.get("/triggers")
def get_triggers(
    principal: FromReaders, centre: TheCentre, store: StoreFilter = "",
    state: Annotated[str, Query(max_length=200, description="one state or several with commas; empty: all")] = "",
    sku: Annotated[str, Query(max_length=32)] = "", after: After = "", limit: Limit = 100,
) -> Page[TriggerView]:  # fmt: skip
    """Newest first."""
    states = [part for part in state.split(",") if part]
    for part in states:
        if part not in {known.value for known in TriggerState}:
            raise SenderError(f"state {part[:20]!r} is unknown; known are {', '.join(TriggerState)}")
    with centre.ledger.read.connect() as connection:
        rows = restock_views.trigger_page(
            connection,
            stores=principal.of_reach(store),
            states=states,
            sku=sku,
            after=_cursor(after),
            limit=limit,
        )
    last = rows[-1] if len(rows) == limit else None
    return Page(rows=rows, next=f"{last.created_ms}:{last.trigger}" if last else None)


@router.get("/triggers/{trigger}")
def get_trigger(trigger: TriggerPath, principal: FromReaders, centre: TheCentre) -> TriggerView:
    return _view(centre, trigger, principal)


@router.get("/triggers/{trigger}/evidence")
def get_evidence(trigger: TriggerPath, principal: FromReaders, centre: TheCentre) -> Evidence:
    """The stored inputs, and the same decision computed again now."""
    _view(centre, trigger, principal)
    with centre.ledger.read.connect() as connection:
        row = restock_views.evidence_row(connection, trigger)
        bundles = [] if row is None else rollout_rows.files_of(connection, str(row["bundle"]))
    if row is None:
        raise NotFoundError(f"trigger {trigger} does not exist")
    return evidence_of(trigger, row, bundles)


@router.post("/triggers/{trigger}/approve")
def approve(
    trigger: TriggerPath, decision: Decision, principal: FromPeople, centre: TheCentre
) -> TriggerView:
    """Sends the order. quantity_units changes it: whole packs. Of a person who logged in, the audit keeps the log-in's name."""
    by = _signed(decision, principal)
    return _decide(centre, trigger, principal, lambda work: approvals.approve(work, trigger, by))


@router.post("/triggers/{trigger}/reject")
def reject(trigger: TriggerPath, decision: Decision, principal: FromPeople, centre: TheCentre) -> TriggerView:
    """Ends the trigger; `reason` says why."""
    by = _signed(decision, principal)
    return _decide(centre, trigger, principal, lambda work: approvals.reject(work, trigger, by))


@router.post("/triggers/{trigger}/snooze")
def snooze(trigger: TriggerPath, post: Snooze, principal: FromPeople, centre: TheCentre) -> TriggerView:
    """The order sleeps until `until_ms`; one that turns urgent wakes by itself."""
    by = post.model_copy(update={"who": principal.name}) if principal.is_person else post
    return _decide(centre, trigger, principal, lambda work: approvals.snooze(work, trigger, by))


@router.post("/triggers/{trigger}/statuses")
def post_status(
    trigger: TriggerPath, post: StatusPost, principal: FromStoreSystem, centre: TheCentre
) -> TriggerView:
    """What became of the order. The same (revision, status) again changes nothing; a late one moves nothing back."""
    return _decide(centre, trigger, principal, lambda work: order_reports.report(work, trigger, post))


@router.post("/orders")
def post_order(order: OutsideOrder, principal: FromStoreSystem, centre: TheCentre) -> Accepted:
    """An order placed outside counts as on-order until its despatch is delivered."""
    principal.require_store(order.store)

    def job(work: Work) -> bool:
        if not work.store.exists:
            raise NotFoundError(f"store {order.store} is unknown")
        is_new = arrivals.place_outside_order(work, order)
        if is_new:
            work.audit(principal.name, "outside-order", order.order, f"{order.quantity_units} of {order.sku}")
        return is_new

    return Accepted(accepted=int(centre.call_store(order.store, job)))


@router.get("/kill-switches")
def get_switches(principal: FromPeople, centre: TheCentre) -> Page[KillSwitch]:
    """Those of the chain and of suppliers, and of the stores in reach."""
    with centre.ledger.read.connect() as connection:
        rows = [
            row
            for row in restock_views.kill_switches(connection)
            if row.scope != "store" or principal.reaches(row.target)
        ]
    return Page(rows=rows, total=len(rows))


@router.put("/kill-switches")
def put_switch(switch: KillSwitch, principal: FromPeople, centre: TheCentre) -> KillSwitch:
    """On: proposals in its scope wait for a person. What was sent goes on. Who reaches some stores may stop those."""
    if switch.scope == "store":
        principal.require_store(switch.target)
    else:
        principal.require_chain()
    if principal.is_person:
        switch = switch.model_copy(update={"who": principal.name})
    if (switch.scope == "chain") != (switch.target == ""):
        raise SenderError('target names the store or supplier; it is "" for the chain, and only for it')

    def job(work: Work) -> None:
        if switch.on:
            _require_target(work, switch)
        restock_rows.put_switch(
            work.connection,
            {
                "scope": switch.scope, "target": switch.target, "on": int(switch.on), "who": switch.who,
                "reason": switch.reason, "now": work.now_ms,
            },
        )  # fmt: skip
        work.memory.switches = None
        subject = f"{switch.scope} {switch.target}".strip()
        work.audit(switch.who, "kill-switch-on" if switch.on else "kill-switch-off", subject, switch.reason,
                   about=switch.model_dump(mode="json"))  # fmt: skip
        work.vouch_for_row(SWITCH, switch.scope, switch.target)

    centre.call_store(CHAIN, job)
    return switch


def _require_target(work: Work, switch: KillSwitch) -> None:
    """Raises NotFoundError for a store or supplier that nobody knows: the switch would show as on and stop nothing."""
    is_id = re.fullmatch(ID_PATTERN, switch.target) is not None
    if switch.scope == "store" and not (is_id and store_rows.exists(work.connection, switch.target)):
        raise NotFoundError(
            f"store {switch.target!r} is unknown, so nothing would stop; GET /v1/stores lists those that are known"
        )
    if switch.scope == "supplier" and not (is_id and supplier_rows.is_known(work.connection, switch.target)):
        raise NotFoundError(
            f"supplier {switch.target!r} is unknown, so nothing would stop: it has no calendar and no supply line; "
            "GET /v1/suppliers lists those that have a calendar"
        )


def _signed(decision: Decision, principal: Principal) -> Decision:
    """A person who logged in decides under that name; a system (HQ's pages with a token) says who it is that decides."""
    return decision.model_copy(update={"who": principal.name}) if principal.is_person else decision


def _decide(centre: Centre, trigger: str, principal: Principal, job: Callable[[Work], None]) -> TriggerView:
    centre.call_store(_view(centre, trigger, principal).store, job)
    return _view(centre, trigger, principal)


def _view(centre: Centre, trigger: str, principal: Principal) -> TriggerView:
    with centre.ledger.read.connect() as connection:
        view = restock_views.trigger_view(connection, trigger)
    unknown = NotFoundError(f"trigger {trigger} does not exist; GET /v1/triggers lists those that do")
    if view is None:
        raise unknown
    principal.require_row(view.store, unknown)
    return view


def _cursor(after: str) -> tuple[int, str] | None:
    if not after:
        return None
    created, _, trigger = after.partition(":")
    if not created.isdigit() or len(created) > 15 or not trigger:
        raise SenderError(f"after {after[:40]!r} is no cursor; give the `next` of the page before")
    return int(created), trigger
