"""From a gateway's proposal to the centre's decision: hold, raise, revise or supersede a trigger.

position = on hand + on order (as the centre knows it)      need = target - position, whole units
quantity = need, at least the minimum order, in whole packs, within the room, never more than was proposed
"""

import math
from dataclasses import dataclass

from central.core.lifecycle import SUPERSEDABLE, WAITING
from contract.api.restock import TriggerState

RULE = "net-of-orders/1"
_SLACK_UNITS = 1e-3
"""The graph computes in float32: a thousandth of a unit is noise, as in models.base_stock."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The proposal, and what the centre knows beside it.

    on_order_units: without the open trigger's own quantity. proposed_on_order_units: what the gateway believed.
    unit_value_cents: cost, or price where no cost is known; None: neither is known.
    last_raised_ms: when the last trigger of this SKU was raised that was not cancelled or rejected.
    """

    sku: str
    proposed_units: int
    target_units: float
    on_hand_units: int | None
    on_order_units: int
    proposed_on_order_units: int
    pack_units: int
    min_order_units: int
    max_stock_units: int | None
    expected_stock_out_units: float
    unit_value_cents: int | None
    review_days: int
    last_raised_ms: int | None
    watermark_ms: int
    doubt: str


@dataclass(frozen=True, slots=True)
class Policy:
    """switches: the kill-switches that are on and cover this order, each as words for a person."""

    auto_approve_below_cents: int
    stale_after_ms: int
    switches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenTrigger:
    trigger_id: str
    state: TriggerState
    quantity_units: int


@dataclass(frozen=True, slots=True)
class Hold:
    """No trigger. why: for the record of the proposal."""

    why: str


@dataclass(frozen=True, slots=True)
class Raise:
    """A new trigger; `supersedes` names the one it replaces, `revises` the waiting one that it only changes."""

    quantity_units: int
    value_cents: int
    approved: bool
    doubt: str
    why: str
    supersedes: str | None = None
    revises: str | None = None


def decide_restock(
    wanted: Wanted, policy: Policy, open_trigger: OpenTrigger | None, now_ms: int
) -> Hold | Raise:
    """The centre's answer to one proposal: at most one open trigger per (store, SKU, kind)."""
    quantity = net_quantity(wanted)
    if quantity == 0:
        return Hold("on hand and on order cover the target")
    if open_trigger is not None and open_trigger.state not in SUPERSEDABLE:
        return Hold(
            f"{open_trigger.trigger_id} is {open_trigger.state}; the next proposal after it closes counts"
        )
    if open_trigger is None and _reviewed_too_lately(wanted, now_ms):
        return Hold(f"the supplier is ordered from every {wanted.review_days} days")
    doubt = _doubts(wanted, policy, now_ms)
    value = quantity * (wanted.unit_value_cents or 0)
    approved = not doubt and value < policy.auto_approve_below_cents
    if not doubt and not approved:
        doubt = f"worth {value / 100:.2f}, not below the limit of {policy.auto_approve_below_cents / 100:.2f}"
    decision = Raise(quantity, value, approved, doubt, _why(wanted, quantity))
    if open_trigger is None:
        return decision
    if open_trigger.state in WAITING:
        if open_trigger.quantity_units == quantity and not approved:
            return Hold(f"{open_trigger.trigger_id} already waits with this quantity")
        return Raise(quantity, value, approved, doubt, decision.why, revises=open_trigger.trigger_id)
    if quantity < open_trigger.quantity_units + wanted.pack_units:
        return Hold(f"{open_trigger.trigger_id} is {open_trigger.state} with enough")
    return Raise(quantity, value, approved, doubt, decision.why, supersedes=open_trigger.trigger_id)


def net_quantity(wanted: Wanted) -> int:
    """Whole packs to order now, 0 for none. Unknown stock trusts the proposal, and is a doubt."""
    if wanted.on_hand_units is None:
        return max(0, wanted.proposed_units - max(0, wanted.on_order_units - wanted.proposed_on_order_units))
    position = wanted.on_hand_units + wanted.on_order_units
    need = max(0, math.ceil(wanted.target_units - position - _SLACK_UNITS))
    if need == 0:
        return 0
    pack = wanted.pack_units
    packs = math.ceil(max(need, wanted.min_order_units) / pack)
    if wanted.max_stock_units is not None:
        packs = min(packs, max(0, (wanted.max_stock_units - position) // pack))
    # Shelf life is known to the gateway alone: its quantity is the upper bound.
    quantity = min(packs * pack, wanted.proposed_units)
    return quantity if quantity >= wanted.min_order_units else 0


def _reviewed_too_lately(wanted: Wanted, now_ms: int) -> bool:
    if wanted.last_raised_ms is None or wanted.on_hand_units is None or wanted.on_hand_units <= 0:
        return False
    # Days, not instants: yesterday evening and this morning are a day apart for a supplier.
    return now_ms // DAY_MS - wanted.last_raised_ms // DAY_MS < wanted.review_days


def _doubts(wanted: Wanted, policy: Policy, now_ms: int) -> str:
    doubts = [wanted.doubt] if wanted.doubt else []
    if wanted.on_hand_units is None and not wanted.doubt:
        doubts.append("stock is unknown")
    age_ms = now_ms - wanted.watermark_ms
    if age_ms > policy.stale_after_ms:
        doubts.append(f"the data is {age_ms // 60_000} minutes old")
    if wanted.unit_value_cents is None:
        doubts.append("neither cost nor price is known")
    doubts.extend(policy.switches)
    return "; ".join(doubts)[:300]


def _why(wanted: Wanted, quantity: int) -> str:
    packs = quantity // wanted.pack_units
    ordered = (
        f"{quantity} units"
        if wanted.pack_units == 1
        else f"{packs} pack{'' if packs == 1 else 's'} ({quantity} units)"
    )
    left = "stock unknown" if wanted.on_hand_units is None else f"{wanted.on_hand_units} left"
    return (
        f"{ordered}: without it about {wanted.expected_stock_out_units:.1f} units would be missed before the next delivery; "
        f"{left}, {wanted.on_order_units} on order, target {wanted.target_units:.0f}"
    )
