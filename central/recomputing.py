"""Evidence of a trigger: its inputs, and the decision computed again with the models' own rule or order graph."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from central.core.evidence import decide_again, target_note
from central.order_graphs import order_graph_of
from contract.api.restock import Evidence
from contract.order_question import OrderQuestion
from models.asked_orders import question_of
from models.base_stock import BaseStockRule


def evidence_of(trigger: str, row: dict[str, Any], bundles: Iterable[str] = ()) -> Evidence:
    """row: what the ledger stores of the trigger's decision. Never raises for inputs of an older rule: it says so.

    bundles: of the proposal's name, as central.order_graphs takes them.
    """
    inputs = row["inputs"]
    stored = int(row["quantity_units"])
    try:
        again = decide_again(inputs)
        note = again.note
        if "wanted" in inputs:
            note = _gateway_note(inputs, bundles) or again.note
        quantity = again.quantity_units
    except (KeyError, TypeError, ValueError) as error:
        quantity, note = None, f"the stored inputs are of another rule: {error!r}"
    edited = quantity is not None and quantity != stored
    return Evidence(
        trigger=trigger, inputs=inputs, watermark_ms=row["watermark_ms"], rule=row["rule"], bundle=row["bundle"],
        quantity_units=stored, recomputed_quantity_units=quantity, agrees=quantity == stored,
        note=f"a person changed the quantity; the rule says {quantity}" if edited else note,
    )  # fmt: skip


def _gateway_note(inputs: dict[str, Any], bundles: Iterable[str]) -> str:
    """What speaks against the gateway's own figures, "" when they come out again."""
    stored = float(inputs["wanted"]["target_units"])
    question = inputs.get("question")
    if question is None:
        return target_note(stored, _target(inputs))
    graph = order_graph_of(str(inputs["order_graph"]), bundles)
    if graph is None:
        return f"the order graph {str(inputs['order_graph'])[:12]}… is not kept here: the gateway's quantity was not computed again"
    asked = OrderQuestion.model_validate(question)
    order = graph.orders(question_of([asked]))
    units, proposed = int(order.order_units[0]), int(inputs["wanted"]["proposed_units"])
    if units != proposed:
        return f"the order graph computed again says {units}, the gateway said {proposed}"
    position = sum(each or 0.0 for each in asked.on_hand_units) + sum(asked.arriving_units)
    missing = float(order.target_units[0] - order.level_units[0])
    return target_note(stored, max(0.0, position + missing))


def _target(inputs: dict[str, Any]) -> float | None:
    """The base-stock level from the stored quantiles, by the models package."""
    wanted = inputs["wanted"]
    if wanted["on_hand_units"] is None:
        return None
    proposals = BaseStockRule().propose(
        np.asarray([inputs["cumulative_quantiles"]]), service_level=inputs["service_level"],
        on_hand_units=wanted["on_hand_units"], on_order_units=wanted["on_order_units"],
        pack_units=wanted["pack_units"], min_order_units=wanted["min_order_units"],
    )  # fmt: skip
    return float(proposals.target_units[0])
