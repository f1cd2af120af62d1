"""Evidence of a trigger: its inputs, and the decision computed again with the models' own rule or order graph."""

from collections.abc import Iterable
from typing import Any

from central.core.evidence import decide_again
from central.order_graphs import order_graph_of
from central.second_look import look_again, told_in
from contract.api.restock import Evidence


def evidence_of(trigger: str, row: dict[str, Any], bundles: Iterable[str] = ()) -> Evidence:
    """row: what the ledger stores of the trigger's decision. Never raises for inputs of an older rule: it says so.

    It agrees when the decision gives the stored quantity again and the gateway's own figures come out again, too.
    bundles: of the proposal's name, as central.order_graphs takes them.
    """
    inputs = row["inputs"]
    stored = int(row["quantity_units"])
    against = ""
    try:
        again = decide_again(inputs)
        quantity, note = again.quantity_units, again.note
        if "wanted" in inputs:
            [against] = look_again([told_in(inputs)], lambda sha256: order_graph_of(sha256, bundles))
    except (KeyError, TypeError, ValueError) as error:
        quantity, note = None, f"the stored inputs are of another rule: {error!r}"
    if quantity is not None and quantity != stored:
        note = f"a person changed the quantity; the rule says {quantity}"
    return Evidence(
        trigger=trigger, inputs=inputs, watermark_ms=row["watermark_ms"], rule=row["rule"], bundle=row["bundle"],
        quantity_units=stored, recomputed_quantity_units=quantity, agrees=quantity == stored and not against,
        note="; ".join(part for part in (against, "" if against and quantity == stored else note) if part),
    )  # fmt: skip
