"""A trigger's decision computed again from the inputs that were stored with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from central.core.restock import OpenTrigger, Policy, Raise, Wanted, decide_restock
from central.core.transfers import Outlook, Terms, propose_transfers
from contract.api.restock import TriggerState


@dataclass(frozen=True, slots=True)
class Recomputed:
    """quantity_units None: the inputs lead to no order."""

    quantity_units: int | None
    note: str


def decide_again(inputs: Mapping[str, object]) -> Recomputed:
    """The same rule over the stored inputs. Raises KeyError or TypeError when they are of another form."""
    if "transfer" in inputs:
        return _carry_again(inputs)
    wanted = Wanted(**cast("dict[str, object]", inputs["wanted"]))  # type: ignore[arg-type]
    stored = dict(cast("dict[str, object]", inputs["policy"]))
    stored["switches"] = tuple(cast("list[str]", stored["switches"]))
    policy = Policy(**stored)  # type: ignore[arg-type]
    opened = cast("dict[str, object] | None", inputs["open_trigger"])
    trigger = None
    if opened is not None:
        trigger = OpenTrigger(
            str(opened["trigger_id"]), TriggerState(str(opened["state"])), int(str(opened["quantity_units"])),
            cast("int | None", opened.get("held_until_ms")),
        )  # fmt: skip
    decision = decide_restock(wanted, policy, trigger, int(str(inputs["now_ms"])))
    if not isinstance(decision, Raise):
        return Recomputed(None, decision.why)
    return Recomputed(decision.quantity_units, decision.why)


def _carry_again(inputs: Mapping[str, object]) -> Recomputed:
    stored = cast("dict[str, object]", inputs["transfer"])
    km = float(str(stored["distance_km"]))
    outlooks = [outlook_from(cast("dict[str, object]", inputs[side])) for side in ("giver", "taker")]
    terms = Terms(**cast("dict[str, object]", inputs["terms"]))  # type: ignore[arg-type]
    found = propose_transfers(str(stored["sku"]), outlooks, lambda _giver, _taker: km, terms)
    if not found:
        return Recomputed(None, "no transfer is worth its cost")
    return Recomputed(found[0].quantity_units, f"worth {found[0].net_cents / 100:.2f} after the trip")


def outlook_from(stored: dict[str, object]) -> Outlook:
    """As it was stored with the transfer."""
    arrivals = tuple((ahead, units) for ahead, units in cast("list[tuple[int, int]]", stored["arrivals"]))
    return Outlook(**{**stored, "arrivals": arrivals})  # type: ignore[arg-type]


def target_note(stored_units: float, computed_units: float | None) -> str:
    """What the order-up-to level computed again says about the gateway's; "" when they agree within a hundredth unit."""
    if computed_units is None or abs(stored_units - computed_units) <= max(0.01, 0.001 * stored_units):
        return ""
    return (
        f"the target computed from the quantiles is {computed_units:.2f}, the gateway said {stored_units:.2f}"
    )
