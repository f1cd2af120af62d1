"""From a gateway's proposal to the centre's decision: hold, raise, revise or supersede a trigger.

position = on hand + on order (as the centre knows it)      need = target - position, whole units
quantity = need, at least the minimum order, in whole packs, within the room, never more than was proposed
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from central.core.lifecycle import SUPERSEDABLE, WAITING
from contract.api.restock import TriggerState

RULE = "net-of-orders/2"
_SLACK_UNITS = 1e-3
"""The graph computes in float32: a thousandth of a unit is noise, as in models.base_stock."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The proposal, and what the centre knows beside it.

    on_order_units: without the open trigger's own quantity. proposed_on_order_units: what the gateway believed.
    unit_value_cents: cost, or price where no cost is known; None: neither is known.
    last_raised_ms: when the last trigger of this SKU was raised that was not cancelled or rejected.
    confidence: the probability that demand until the delivery after next exceeds the position. Of the supplier, None where it is not known
    or has no such thing: send_ms (the freeze before its next cut-off), regular_days and emergency_days (until its goods
    come), available_units (what it can ship when the order is picked), available_now_units (today, for an emergency), budget_left_cents (of the store's budget for today).
    expected_before_regular_units: mean demand until the regular delivery.
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
    confidence: float = 1.0
    send_ms: int | None = None
    regular_days: int | None = None
    emergency_days: int | None = None
    expected_before_regular_units: float = 0.0
    available_units: int | None = None
    available_now_units: int | None = None
    budget_left_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """switches: the kill-switches that are on and cover this order, each as words for a person."""

    auto_approve_below_cents: int
    stale_after_ms: int
    switches: tuple[str, ...] = ()
    auto_approve_from_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenTrigger:
    """held_until_ms: approved, and not yet sent because the supplier's cut-off is still to come."""

    trigger_id: str
    state: TriggerState
    quantity_units: int
    held_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """No trigger. why: for the record of the proposal."""

    why: str


@dataclass(frozen=True, slots=True)
class Raise:
    """A new trigger; `supersedes` names the one it replaces, `revises` the unsent one that it only changes, `changes`
    the acknowledged one for which it asks the supplier to change the quantity. send_ms: None is at once.
    """

    quantity_units: int
    value_cents: int
    approved: bool
    doubt: str
    why: str
    supersedes: str | None = None
    revises: str | None = None
    changes: str | None = None
    is_emergency: bool = False
    send_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An order that has not gone out yet is no longer needed."""

    trigger_id: str
    why: str


def decide_restock(
    wanted: Wanted, policy: Policy, open_trigger: OpenTrigger | None, now_ms: int
) -> Hold | Raise | Withdraw:
    """The centre's answer to one proposal: at most one open trigger per (store, SKU, kind)."""
    needed = net_quantity(wanted)
    held = open_trigger is not None and open_trigger.held_until_ms is not None
    if needed == 0:
        # Nobody outside has heard of it: neither while it waits for a person, nor for the cut-off.
        if open_trigger is not None and (held or open_trigger.state is TriggerState.PROPOSED):
            return Withdraw(open_trigger.trigger_id, "on hand and on order cover the target now")
        return Hold("on hand and on order cover the target")
    is_emergency = _cannot_wait(wanted)
    now_units = wanted.available_units if wanted.available_now_units is None else wanted.available_now_units
    quantity = _shippable(wanted, needed, now_units if is_emergency else wanted.available_units)
    if is_emergency and quantity == 0:
        # Nothing is there today: what comes until the next picking is ordered in the regular way.
        is_emergency, quantity = False, _shippable(wanted, needed, wanted.available_units)
    if quantity == 0:
        return Hold(
            f"the supplier can ship {wanted.available_units} units, less than a pack or the minimum order"
        )
    # Where the supplier's cut-offs are known they say when it is ordered from.
    by_days = open_trigger is None and wanted.send_ms is None and not is_emergency
    if by_days and _reviewed_too_lately(wanted, now_ms):
        return Hold(f"the supplier is ordered from every {wanted.review_days} days")
    value = quantity * (wanted.unit_value_cents or 0)
    doubt = _doubts(wanted, policy, value, now_ms)
    why = _why(wanted, quantity) + (
        f"; the supplier has no more than {quantity}" if quantity < needed else ""
    )
    if is_emergency:
        why += f"; it would run out before the delivery in {wanted.regular_days} days"
    send_ms = None if is_emergency else wanted.send_ms
    decision = Raise(quantity, value, not doubt, doubt, why, is_emergency=is_emergency, send_ms=send_ms)
    if open_trigger is None:
        return decision
    if open_trigger.state is TriggerState.SNOOZED and not is_emergency:
        return Hold(f"{open_trigger.trigger_id} is snoozed")
    if open_trigger.state in WAITING:
        if open_trigger.quantity_units == quantity and not decision.approved:
            return Hold(f"{open_trigger.trigger_id} already waits with this quantity")
        return replace(decision, revises=open_trigger.trigger_id)
    if held:
        if open_trigger.quantity_units == quantity and not is_emergency:
            return Hold(f"{open_trigger.trigger_id} waits for the cut-off with this quantity")
        # Merged into the order that waits: it keeps the cut-off for which it was first meant.
        send_ms = None if is_emergency else open_trigger.held_until_ms
        return replace(decision, revises=open_trigger.trigger_id, send_ms=send_ms)
    if quantity < open_trigger.quantity_units + wanted.pack_units:
        return Hold(f"{open_trigger.trigger_id} is {open_trigger.state} with enough")
    if open_trigger.state in SUPERSEDABLE:
        return replace(decision, supersedes=open_trigger.trigger_id, send_ms=None)
    if open_trigger.state is TriggerState.ACKNOWLEDGED and decision.approved:
        return replace(decision, changes=open_trigger.trigger_id, send_ms=None)
    return Hold(
        f"{open_trigger.trigger_id} is {open_trigger.state}; the next proposal after it closes counts"
    )


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


def confidence_of(
    position_units: int | None, cumulative_quantiles: Sequence[float], levels: Sequence[float]
) -> float:
    """The probability that the window's demand exceeds the position, read off the stored quantiles; 0 for unknown stock.

    Between two quantiles it is interpolated; beyond the last it is the last level's.
    """
    if position_units is None or not cumulative_quantiles:
        return 0.0
    place = bisect_right(list(cumulative_quantiles), position_units)
    if place == 0:
        return 1.0 - levels[0] / 2
    if place == len(cumulative_quantiles):
        return 1.0 - levels[-1]
    low, high = cumulative_quantiles[place - 1], cumulative_quantiles[place]
    share = (position_units - low) / (high - low)
    return 1.0 - (levels[place - 1] + share * (levels[place] - levels[place - 1]))


def _shippable(wanted: Wanted, quantity: int, available_units: int | None) -> int:
    """Whole packs of what the supplier has, 0 when that is less than its minimum order."""
    if available_units is None or available_units >= quantity:
        return quantity
    packs = available_units // wanted.pack_units * wanted.pack_units
    return packs if packs >= max(wanted.min_order_units, wanted.pack_units) else 0


def _cannot_wait(wanted: Wanted) -> bool:
    """Whether the goods run out before the regular delivery, and the emergency lane is faster than that."""
    if wanted.emergency_days is None or wanted.regular_days is None or wanted.on_hand_units is None:
        return False
    position = wanted.on_hand_units + wanted.on_order_units
    return wanted.emergency_days < wanted.regular_days and position < wanted.expected_before_regular_units


def _reviewed_too_lately(wanted: Wanted, now_ms: int) -> bool:
    if wanted.last_raised_ms is None or wanted.on_hand_units is None or wanted.on_hand_units <= 0:
        return False
    # Days, not instants: yesterday evening and this morning are a day apart for a supplier.
    return now_ms // DAY_MS - wanted.last_raised_ms // DAY_MS < wanted.review_days


def _doubts(wanted: Wanted, policy: Policy, value_cents: int, now_ms: int) -> str:
    """Why a person is asked, "" when none need be."""
    doubts = [wanted.doubt] if wanted.doubt else []
    if wanted.on_hand_units is None and not wanted.doubt:
        doubts.append("stock is unknown")
    age_ms = now_ms - wanted.watermark_ms
    if age_ms > policy.stale_after_ms:
        doubts.append(f"the data is {age_ms // 60_000} minutes old")
    if wanted.unit_value_cents is None:
        doubts.append("neither cost nor price is known")
    doubts.extend(policy.switches)
    if wanted.confidence < policy.auto_approve_from_confidence:
        doubts.append(
            f"it is needed with {wanted.confidence:.0%} probability, below the limit of {policy.auto_approve_from_confidence:.0%}"
        )
    if wanted.budget_left_cents is not None and value_cents > wanted.budget_left_cents:
        doubts.append(
            f"worth {value_cents / 100:.2f}, and {wanted.budget_left_cents / 100:.2f} of today's budget is left"
        )
    if not doubts and value_cents >= policy.auto_approve_below_cents:
        doubts.append(
            f"worth {value_cents / 100:.2f}, not below the limit of {policy.auto_approve_below_cents / 100:.2f}"
        )
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
